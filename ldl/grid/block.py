"""The section `grid`: which keys are varied, how their values are searched, by which metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from ldl.compile import Config
from ldl.config import Registries
from ldl.errors import SettingError
from ldl.execute import REGISTRIES
from ldl.fields import Choice, Doc, DottedKeys, Range, Size

MAX_VALUES = 100_000  # of one key


@dataclass(frozen=True)
class Arange:
    """start, start + step, start + 2·step … up to but without stop, as NumPy's arange.

    Written `{range: [start, stop, step]}`.
    """

    numbers: tuple[float | int, float | int, float | int]

    def __post_init__(self) -> None:
        start, stop, step = self.numbers
        if not step or (stop - start) / step <= 0:
            raise SettingError("numbers", f"no value from {start:g} to {stop:g} by {step:g}")
        if (stop - start) / step > MAX_VALUES:
            raise SettingError("numbers", f"more than {MAX_VALUES:,} values")

    def values(self) -> list[float | int]:
        """The numbers: integers where start, stop and step are."""
        start, stop, step = self.numbers
        count = int(-(-(stop - start) // step))
        if all(isinstance(number, int) for number in self.numbers):
            return [start + i * step for i in range(count)]
        # Rounding gives 0.3, not 0.30000000000000004, and keeps an inexact stop out.
        values = [_rounded(start + i * step) for i in range(count)]
        return [value for value in values if value != stop]


@dataclass(frozen=True)
class Linspace:
    """`count` numbers at equal distances from start to stop, both included, as NumPy's linspace.

    Written `{linspace: [start, stop, count]}`.
    """

    numbers: tuple[float, float, Annotated[int, Range(1, MAX_VALUES)]]

    def values(self) -> list[float]:
        """The numbers."""
        start, stop, count = self.numbers
        if count == 1:
            return [start]
        return [_rounded(start + (stop - start) * i / (count - 1)) for i in range(count)]


@dataclass(frozen=True)
class Logspace:
    """`count` powers of ten, exponents at equal distances from start to stop, as NumPy's logspace.

    Written `{logspace: [start, stop, count]}`: [-4, -1, 4] is 0.0001, 0.001, 0.01, 0.1.
    """

    numbers: tuple[float, float, Annotated[int, Range(1, MAX_VALUES)]]

    def __post_init__(self) -> None:
        start, stop, _ = self.numbers
        if 0 < start < 1 and 0 < stop < 1:
            hint = "10^-4 to 10^-1 is written [-4, -1, 4]"
            raise SettingError("numbers", f"these are exponents of ten, as in NumPy: {hint}")
        if max(abs(start), abs(stop)) > 300:
            raise SettingError("numbers", "these are exponents of ten: no float is as large")

    def values(self) -> list[float]:
        """The numbers."""
        start, stop, count = self.numbers
        if count == 1:
            return [_rounded(10.0**start)]
        return [_rounded(10.0 ** (start + (stop - start) * i / (count - 1))) for i in range(count)]


def _rounded(value: float) -> float:
    """The value with twelve significant digits, as a person would write it."""
    return float(f"{value:.12g}")


@dataclass(frozen=True)
class Exhaustive:
    """Every setting, in the order of the block: the last key changes fastest."""


@dataclass(frozen=True)
class Random:
    """`trials` settings, drawn uniformly and without repeats; the draws follow from the seed.

    With more `trials`, those of fewer are drawn first. Source: Bergstra and Bengio, Random Search
    for Hyper-Parameter Optimization, 2012; here over the listed values.
    """

    trials: Annotated[Size, Doc("settings; each is trained with every seed")]


@dataclass(frozen=True)
class Halving:
    """Successive halving on epochs: round by round the best 1/eta train eta times longer.

    In the last round they train for the configuration's `train.epochs`. A setting continues from
    its checkpoint where its learning rate does not depend on the training's length; its result is
    then the same as of one training. Source: Jamieson and Talwalkar, Non-stochastic Best Arm
    Identification and Hyperparameter Optimization, 2016.
    """

    eta: Annotated[
        Annotated[int, Range(2, 100)],
        Doc("one setting in eta continues, and trains eta times longer"),
    ] = 3
    epochs: Annotated[
        Size | None, Doc("of the first round; null: so that about one setting reaches the last")
    ] = None


def round_lengths(search: Halving, candidates: int, epochs: int) -> list[int]:
    """The epochs of each round: η times those of the one before; of the last, `epochs`."""
    if search.epochs is not None:
        lengths = [search.epochs]
        while lengths[-1] * search.eta < epochs:
            lengths.append(lengths[-1] * search.eta)
        return [*lengths, epochs] if lengths[-1] < epochs else lengths
    rounds = 0
    while search.eta ** (rounds + 1) <= candidates:
        rounds += 1
    lengths = [max(1, epochs // search.eta**i) for i in range(rounds, -1, -1)]
    return sorted(set(lengths))


@dataclass(frozen=True)
class Tpe:
    """`trials` settings from Optuna's tree-structured Parzen estimator; needs `ldl[search]`.

    They are proposed in batches, each when all trials of the one before have finished, so that
    the proposals depend on results alone. Source: Bergstra et al., Algorithms for Hyper-Parameter
    Optimization, 2011; Optuna's TPESampler, seeded.
    """

    trials: Annotated[Size, Doc("settings; each is trained with every seed")]
    batch: Annotated[
        Size, Doc("settings proposed at once: at least as many as can be trained at once")
    ] = 8


SPACINGS: Mapping[str, type] = {"range": Arange, "linspace": Linspace, "logspace": Logspace}
SEARCHES: Mapping[str, type] = {
    "grid": Exhaustive,
    "random": Random,
    "halving": Halving,
    "tpe": Tpe,
}
GRID_REGISTRIES: Registries = {**REGISTRIES, "search": SEARCHES, "spacing": SPACINGS}

Values = Annotated[list[Any], Choice("spacing")]
Columns = Annotated[dict[str, Values], DottedKeys()]


@dataclass(frozen=True)
class GridBlock:
    """A search for the best setting, which is a combination of values: `ldl grid` trains each.

    Keys are dotted paths in the configuration, as in overrides (`train.batch_size`,
    `network.encoder.0.linear`, `optimizer`). A value replaces that of the configuration as an
    override does: a choice of the same name keeps its other settings. A list of values is `[…]`,
    or `{range: [start, stop, step]}`, `{linspace: [start, stop, count]}` or
    `{logspace: [start, stop, count]}`, the last with exponents of ten. In `when` and `exclude` a
    choice matches by its name alone (`optimizer: sgd`), and a list matches any of its values.

    The objective is a column of metrics.csv at the epoch whose weights are kept (`validation.loss`,
    `validation.accuracy`, `validation.r2`, `train.loss`, `train.accuracy`), or a metric of an
    evaluation on the validation split (`validation.reconstruction.mse`,
    `validation.denoising.accuracy.denoised` …). Only the winner is evaluated on the test split.
    With `keep: average` the columns of the validation split are measured on the averaged weights,
    and those of the training split are no objectives.

    All trials have the same splits, which `data.split.seed` draws, so no trial has seen a test
    sample, and intervals over `seeds` say how results vary with weights and batches on one split.
    Where `data.split.seed` is varied, each of its values is a setting of its own.
    """

    objective: Annotated[
        str, Doc("validation.loss, validation.accuracy, validation.denoising.accuracy.denoised …")
    ]
    goal: Annotated[
        Literal["min", "max"] | None, Doc("null: the direction in which the metric improves")
    ] = None
    seeds: Annotated[
        Annotated[int, Range(1, 10_000)], Doc("each setting is trained with seed, seed + 1, …")
    ] = 1
    search: Annotated[Any, Choice("search")] = Exhaustive()
    vary: Annotated[Columns, Doc("all combinations of the values")] = field(default_factory=dict)
    zip: Annotated[
        Columns | list[Columns], Doc("lists of equal length, walked together; or several groups")
    ] = field(default_factory=dict)
    when: Annotated[
        dict[str, dict[str, Any]], Doc("a key varies only where other keys match these values")
    ] = field(default_factory=dict)
    exclude: Annotated[list[dict[str, Any]], Doc("settings to leave out")] = field(
        default_factory=list
    )
    include: Annotated[list[dict[str, Any]], Doc("further settings")] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class GridConfig(Config):
    """One experiment, and the search for its best setting."""

    grid: Annotated[GridBlock | None, Doc("see `ldl explain grid`")] = None
