"""A small language of the tests' own: registries and a root, none of them the engine's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from ldl.config import Item, Siblings, loads
from ldl.errors import ConfigError, Problem, SettingError
from ldl.fields import Choice, Count, FilePath, LayerList, Momentum, Positive, Range, Share, Size


@dataclass(frozen=True)
class Linear:
    """y = x·w + b."""

    units: Size | None = None
    bias: bool = True


@dataclass(frozen=True)
class Relu:
    """y = max(x, 0)."""


@dataclass(frozen=True)
class Sigmoid:
    """y = 1 / (1 + exp(-x))."""


@dataclass(frozen=True)
class Dropout:
    """y = x · mask."""

    share: Share = 0.5


@dataclass(frozen=True)
class Mlp:
    """Linear layers with an activation after each."""

    units: int | list[int]
    activation: Annotated[Any, Choice("layer")] = Sigmoid()


@dataclass(frozen=True)
class Residual:
    """y = x + f(x)."""

    layers: Annotated[Any, LayerList()]


@dataclass(frozen=True)
class Repeat:
    """The same layers, several times."""

    times: Size
    layers: Annotated[Any, LayerList()]


@dataclass(frozen=True)
class Mirror:
    """The encoder, backwards."""

    output: Annotated[Any, Choice("layer")] = Sigmoid()


@dataclass(frozen=True)
class Mse:
    """(y - t)²."""

    reduction: Literal["sum", "mean"] = "mean"


@dataclass(frozen=True)
class CrossEntropy:
    """-log softmax(y)[t]."""


@dataclass(frozen=True)
class Sgd:
    """w ← w - ηv."""

    learning_rate: Positive = 0.01
    momentum: Momentum = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        if self.nesterov and self.momentum == 0:
            raise SettingError("nesterov", "needs a momentum above 0")


@dataclass(frozen=True)
class Adam:
    """w ← w - ηm/√v."""

    learning_rate: Positive | Annotated[Any, Choice("schedule")] = 0.001
    betas: tuple[Share, Share] = (0.9, 0.999)


@dataclass(frozen=True)
class Step:
    """η falls at given epochs."""

    epochs: list[Size]
    factor: float = 0.1


@dataclass(frozen=True)
class Digits:
    """8×8 digits."""


@dataclass(frozen=True)
class Csv:
    """A table of the person's own."""

    path: Annotated[str, FilePath()]
    target: str | None = None
    columns: list[str] | str | None = None


@dataclass(frozen=True)
class Gaussian:
    """x + N(0, std²)."""

    std: Positive


@dataclass(frozen=True)
class Classification:
    """Accuracy."""

    top: Size = 1


@dataclass(frozen=True)
class Denoising:
    """A classifier judges what was denoised."""

    classifier: Annotated[Any, LayerList()] = (Item(Linear(64)), Item(Linear()))


@dataclass(frozen=True)
class Split:
    """Shares or counts."""

    train: Annotated[int, Range(1)] | Share = 0.8
    test: Annotated[int, Range(1)] | Share = 0.2
    stratify: bool = True


@dataclass(frozen=True)
class Data:
    """Where the data comes from."""

    source: Annotated[Any, Choice("source")]
    noise: Annotated[Any, Choice("noise")] = None
    split: Split = Split()
    labels: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LossTerm:
    """One loss of several."""

    loss: Annotated[Any, Choice("loss"), Siblings()]
    from_: str | None = None
    weight: float = 1


@dataclass(frozen=True)
class Train:
    """How long and how."""

    epochs: Size = 10
    batch_size: Size = 32
    patience: Count | None = None
    device: Literal["cpu", "none"] | None = None


@dataclass(frozen=True)
class EncoderDecoder:
    """Two halves."""

    encoder: Annotated[Any, LayerList()]
    decoder: Annotated[Any, LayerList(), Choice("decoder")]


@dataclass(frozen=True)
class Root:
    """An experiment."""

    network: Annotated[Any, LayerList()] | EncoderDecoder
    data: Data
    name: str = "run"
    seed: int = 0
    loss: LossTerm | list[LossTerm] = field(default_factory=lambda: LossTerm(Mse()))
    optimizer: Annotated[Any, Choice("optimizer")] = Sgd()
    train: Train = Train()
    evaluate: tuple[Annotated[Any, Choice("evaluation")], ...] = ()
    blocks: dict[str, Annotated[Any, LayerList()]] = field(default_factory=dict)
    extra: Any = None


REGISTRIES: dict[str, dict[str, type]] = {
    "layer": {
        "linear": Linear,
        "relu": Relu,
        "sigmoid": Sigmoid,
        "dropout": Dropout,
        "mlp": Mlp,
        "residual": Residual,
        "repeat": Repeat,
    },
    "decoder": {"mirror": Mirror},
    "loss": {"mse": Mse, "cross_entropy": CrossEntropy},
    "optimizer": {"sgd": Sgd, "adam": Adam},
    "schedule": {"step": Step},
    "source": {"digits": Digits, "csv": Csv},
    "noise": {"gaussian": Gaussian},
    "evaluation": {"classification": Classification, "denoising": Denoising},
}

NAME = "t.yaml"
GOOD = "data: {source: digits}\nnetwork: [relu]\n"


def read(text: str, *overrides: str) -> Root:
    """The typed value of a text."""
    return loads(text, NAME, Root, REGISTRIES, overrides).value


def problem_lines(text: str, *overrides: str) -> list[str]:
    """The problems of a text: "LINE:COL message — hint" each; [] where there are none."""
    try:
        loads(text, NAME, Root, REGISTRIES, overrides)
    except ConfigError as error:
        return [one_line(problem) for problem in error.problems]
    return []


def one_line(problem: Problem) -> str:
    """One problem on one line."""
    location = f"{problem.line}:{problem.column}"
    if problem.file != NAME:
        location = f"{problem.file}:{location}"
    return f"{location} {problem.message}" + (f" — {problem.hint}" if problem.hint else "")
