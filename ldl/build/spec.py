"""The sections of a configuration: what `data`, `network`, `loss`, `train` … may hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from ldl.build.claim import Claim
from ldl.config.tree import Siblings
from ldl.data.spec import DataSpec
from ldl.engine.optim import Adam
from ldl.errors import SettingError
from ldl.fields import Choice, Count, FilePath, LayerList, NonNegative, Positive, Size


@dataclass(frozen=True)
class EncoderDecoder:
    """An autoencoder: the encoder's last value is the latent code, named `code`."""

    encoder: Annotated[Any, LayerList()]
    decoder: Annotated[Any, LayerList(), Choice("decoder")]


@dataclass(frozen=True)
class LossTerm:
    """One loss of the weighted sum that is trained on."""

    loss: Annotated[Any, Choice("loss"), Siblings()]
    from_: str | None = None  # the place whose value is judged; None: the network's output
    target: Literal["labels", "inputs"] | str | None = None  # or an extra one; None: `data.target`
    weight: Positive = 1.0


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when the monitored figure has not improved for `patience` epochs."""

    patience: Size = 10
    monitor: Literal["loss", "accuracy"] = "loss"  # of the validation part
    min_delta: NonNegative = 0.0  # the least change that counts as an improvement


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
    batch_size: Size | Literal["full"] | None = None  # None: 32, or the whole set for gd
    shuffle: bool = True
    early_stopping: EarlyStopping | None = None
    stop_gradient_norm: Positive | None = None  # stop when an epoch's mean gradient norm is below
    l1: NonNegative = 0.0
    l2: NonNegative = 0.0
    clip_norm: Positive | None = None  # the largest norm of the whole gradient
    clip_value: Positive | None = None  # the largest size of each of its values
    freeze: list[str] = field(default_factory=list)
    keep: Literal["best", "last"] = "best"  # which weights are saved; best by validation
    checkpoint_seconds: NonNegative = 10.0  # the least time between two checkpoints; 0: each epoch
    threads: Size | None = None  # of the matrix products; None: one if small, else all cores

    def __post_init__(self) -> None:
        """Refuse two ways of clipping at once."""
        if self.clip_norm is not None and self.clip_value is not None:
            raise SettingError("clip_value", "does not go with clip_norm: choose one")


@dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment."""

    name: str = ""  # "": the file's name
    seed: Count = 0
    data: DataSpec
    blocks: dict[str, Annotated[Any, LayerList()]] = field(default_factory=dict)
    network: Annotated[Any, LayerList()] | EncoderDecoder
    start_from: Annotated[str, FilePath()] | None = None  # a run whose weights are taken, by name
    loss: LossTerm | list[LossTerm] | None = None  # None: as the task asks
    optimizer: Annotated[Any, Choice("optimizer")] = Adam()
    schedule: Annotated[Any, Choice("schedule")] = None  # of the learning rate; None: constant
    train: Training = Training()
    evaluate: list[Annotated[Any, Choice("evaluation")]] | None = None  # None: as the task asks
    claim: Claim | None = None  # what others reported of it; see `ldl report`
