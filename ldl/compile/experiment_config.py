"""The sections of a configuration: the settings of `network`, `loss`, `train` and so on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from ldl.compile.claim import Claim
from ldl.config.tree import Siblings
from ldl.data.data_spec import DataSpec
from ldl.engine.optim import Adam
from ldl.errors import SettingError
from ldl.fields import (
    AddedLater,
    Alias,
    Choice,
    Count,
    Doc,
    FilePath,
    LayerList,
    NonNegative,
    Positive,
    Size,
)


@dataclass(frozen=True)
class EncoderDecoder:
    """An autoencoder: the encoder's last value is the latent code, named `code`."""

    encoder: Annotated[Any, LayerList()]
    decoder: Annotated[Any, LayerList(), Choice("decoder")]


@dataclass(frozen=True)
class LossTerm:
    """One loss of the weighted sum that is trained on."""

    loss: Annotated[Any, Choice("loss"), Siblings()]
    from_: Annotated[
        str | None, Doc("the layer whose value it reads; null: the output of the network")
    ] = None
    target: Annotated[
        Literal["labels", "inputs"] | str | None,
        Doc("or an extra target; null: `data.target`"),
    ] = None
    weight: Positive = 1.0


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when the monitored metric has not improved for `patience` epochs."""

    patience: Size = 10
    monitor: Annotated[Literal["loss", "accuracy"], Doc("of the validation split")] = "loss"
    min_delta: Annotated[NonNegative, Doc("the smallest change that is an improvement")] = 0.0


@dataclass(frozen=True)
class Training:
    """Epochs, batches and stopping; regularisation, gradient clipping and frozen weights.

    `l1` adds l1·Σ|w| to the loss that is minimised and `l2` adds l2·Σw², as in Keras (so that l2 is
    half of a weight_decay in the gradient). Like the `weight_decay` of optimizers they apply to the
    weights of layers alone: not to biases, scales and shifts of `batch_norm` and `layer_norm`,
    class tokens and positional embeddings. With `decay: all` they apply to these too, which is
    PyTorch's default for weight_decay. With `accumulation_steps: k` a step takes the mean gradient
    of k batches, as of a batch k times as large, with the memory of one; batch normalisation has
    statistics of each. The reported losses are without both penalties, for training and
    validation alike; the reported gradient norm is with them. Then
    `clip_norm` or `clip_value` clips the gradient, and the optimizer makes its step. `freeze` names
    layers, groups of layers (`encoder`) or single weights (`linear1.bias`) that keep their values
    with every optimizer; running statistics are no weights and are still updated.

    With `average` model.safetensors still has the weights that `keep` names, by which evaluations
    run: `keep: average` makes it the averaged ones. `metrics.csv`, `early_stopping` and `keep:
    best` follow the weights that are trained. The entry `average` of results.json compares the last
    and the averaged weights on the validation split. Running statistics of `batch_norm` belong to
    weights: for the averaged ones they are computed anew over the training data.
    """

    epochs: Size = 100
    batch_size: Annotated[
        Size | Literal["full"] | None, Doc("null: 32, or the whole training set for gd")
    ] = None
    accumulation_steps: Annotated[
        Size,
        Doc("batches of which a step takes the mean gradient, as of one larger batch"),
        AddedLater(),
    ] = 1
    shuffle: bool = True
    early_stopping: EarlyStopping | None = None
    gradient_tolerance: Annotated[
        Positive | None,
        Doc("stop when the mean gradient norm of an epoch is below"),
        Alias("stop_gradient_norm"),
    ] = None
    l1: NonNegative = 0.0
    l2: NonNegative = 0.0
    decay: Annotated[
        Literal["weights", "all"],
        Doc("what weight_decay, l1 and l2 apply to; all: biases and scales of norms too"),
        AddedLater(),
    ] = "weights"
    clip_norm: Annotated[Positive | None, Doc("the largest norm of the whole gradient")] = None
    clip_value: Annotated[Positive | None, Doc("the largest size of each value of it")] = None
    freeze: list[str] = field(default_factory=list)
    average: Annotated[
        Annotated[Any, Choice("average")] | None,
        Doc("of weights, saved in average.safetensors and evaluated beside the last ones"),
        AddedLater(),
    ] = None
    keep: Annotated[
        Literal["best", "last", "average"],
        Doc("which weights model.safetensors has; best by validation, average with `average`"),
    ] = "best"
    checkpoint_seconds: Annotated[
        NonNegative, Doc("the shortest time between two checkpoints; 0: each epoch")
    ] = 10.0
    threads: Annotated[
        Size | None, Doc("of a step; null: one for small networks, else all cores")
    ] = None

    def __post_init__(self) -> None:
        """Reject two kinds of clipping at once, and an average that is kept but not made."""
        if self.keep == "average" and self.average is None:
            message = "`keep: average` needs an average of weights: `ema` or `swa`"
            raise SettingError("average", message)
        if self.clip_norm is not None and self.clip_value is not None:
            raise SettingError("clip_value", "does not go with clip_norm: choose one")


@dataclass(frozen=True)
class PretrainedRun:
    """A run whose trained weights are copied, by name, where the shapes match.

    It must not have seen the samples that the new run is evaluated on: a sample of the new test
    split in its training or validation split, or one of the new validation split in its training
    split, is an error. The same holds for the run that it started from itself, and so on.
    """

    run: Annotated[str, FilePath(), Doc("its folder")]
    allow_overlap: Annotated[
        bool, Doc("accept that it has seen such samples; every result then says so")
    ] = False


@dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment."""

    name: Annotated[str, Doc('"": the file\'s name')] = ""
    seed: Annotated[
        Count, Doc("draws weights, batches, dropout, augmentation, noise of the training split")
    ] = 0
    data: DataSpec
    blocks: dict[str, Annotated[Any, LayerList()]] = field(default_factory=dict)
    network: Annotated[Any, LayerList()] | EncoderDecoder
    start_from: Annotated[
        Annotated[str, FilePath()] | PretrainedRun | None,
        Doc("a run whose weights are copied, by name; or `{run: PATH, allow_overlap: true}`"),
    ] = None
    loss: Annotated[LossTerm | list[LossTerm] | None, Doc("null: the usual one of the task")] = None
    optimizer: Annotated[Any, Choice("optimizer")] = Adam()
    schedule: Annotated[
        Annotated[Any, Choice("schedule")], Doc("of the learning rate; null: constant")
    ] = None
    train: Training = Training()
    evaluate: Annotated[
        list[Annotated[Any, Choice("evaluation")]] | None, Doc("null: the usual one of the task")
    ] = None
    claim: Annotated[Claim | None, Doc("published results; see `ldl report`")] = None

    @property
    def pretrained(self) -> PretrainedRun | None:
        """`start_from` in its long form."""
        run = self.start_from
        return PretrainedRun(run) if isinstance(run, str) else run
