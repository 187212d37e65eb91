"""The sections of a configuration: what `data`, `network`, `loss`, `train` … may hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from ldl.compile.claim import Claim
from ldl.config.tree import Siblings
from ldl.data.data_spec import DataSpec
from ldl.engine.optim import Adam
from ldl.errors import SettingError
from ldl.fields import Alias, Choice, Count, Doc, FilePath, LayerList, NonNegative, Positive, Size


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
        str | None, Doc("the place whose value is judged; null: the network's output")
    ] = None
    target: Annotated[
        Literal["labels", "inputs"] | str | None, Doc("or an extra one; null: `data.target`")
    ] = None
    weight: Positive = 1.0


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when the monitored figure has not improved for `patience` epochs."""

    patience: Size = 10
    monitor: Annotated[Literal["loss", "accuracy"], Doc("of the validation part")] = "loss"
    min_delta: Annotated[NonNegative, Doc("the least change that counts as an improvement")] = 0.0


@dataclass(frozen=True)
class Training:
    """How long, in which batches, and when to stop; what is added to the gradient, or held still.

    `l1` adds l1·Σ|w| to what is minimised and `l2` adds l2·Σw², as Keras does (so that l2 is half
    of a weight_decay in the gradient); biases are left out. The losses that are reported are
    without them, for training and validation alike; the gradient's norm is with them. Then
    `clip_norm` or `clip_value` cuts the gradient, then the optimizer's own rule follows. `freeze`
    names layers, or what holds them (`encoder`), or single weights (`linear1.bias`): they keep
    their bits, whatever the optimizer; running statistics are not weights and go on.
    """

    epochs: Size = 100
    batch_size: Annotated[
        Size | Literal["full"] | None, Doc("null: 32, or the whole set for gd")
    ] = None
    shuffle: bool = True
    early_stopping: EarlyStopping | None = None
    gradient_tolerance: Annotated[
        Positive | None,
        Doc("stop when the mean gradient norm of an epoch is below"),
        Alias("stop_gradient_norm"),
    ] = None
    l1: NonNegative = 0.0
    l2: NonNegative = 0.0
    clip_norm: Annotated[Positive | None, Doc("the largest norm of the whole gradient")] = None
    clip_value: Annotated[Positive | None, Doc("the largest size of each of its values")] = None
    freeze: list[str] = field(default_factory=list)
    keep: Annotated[Literal["best", "last"], Doc("which weights are saved; best by validation")] = (
        "best"
    )
    checkpoint_seconds: Annotated[
        NonNegative, Doc("the least time between two checkpoints; 0: each epoch")
    ] = 10.0
    threads: Annotated[
        Size | None, Doc("of the matrix products; null: one if small, else all cores")
    ] = None

    def __post_init__(self) -> None:
        """Refuse two ways of clipping at once."""
        if self.clip_norm is not None and self.clip_value is not None:
            raise SettingError("clip_value", "does not go with clip_norm: choose one")


@dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment."""

    name: Annotated[str, Doc('"": the file\'s name')] = ""
    seed: Count = 0
    data: DataSpec
    blocks: dict[str, Annotated[Any, LayerList()]] = field(default_factory=dict)
    network: Annotated[Any, LayerList()] | EncoderDecoder
    start_from: Annotated[
        Annotated[str, FilePath()] | None, Doc("a run whose weights are taken, by name")
    ] = None
    loss: Annotated[LossTerm | list[LossTerm] | None, Doc("null: as the task asks")] = None
    optimizer: Annotated[Any, Choice("optimizer")] = Adam()
    schedule: Annotated[
        Annotated[Any, Choice("schedule")], Doc("of the learning rate; null: constant")
    ] = None
    train: Training = Training()
    evaluate: Annotated[
        list[Annotated[Any, Choice("evaluation")]] | None, Doc("null: as the task asks")
    ] = None
    claim: Annotated[Claim | None, Doc("what others reported of it; see `ldl report`")] = None
