"""The section `grid`: which settings are varied, how they are searched, what decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from ldl.compile import Config
from ldl.config import Registries
from ldl.errors import SettingError
from ldl.execute import REGISTRIES
from ldl.fields import Choice, Doc, DottedKeys, Range, Size

MOST_VALUES = 100_000  # of one key


@dataclass(frozen=True)
class Evenly:
    """start, start + step, start + 2·step … up to but without stop, as NumPy's arange.

    Written `{range: [start, stop, step]}`.
    """

    numbers: tuple[float | int, float | int, float | int]

    def __post_init__(self) -> None:
        start, stop, step = self.numbers
        if not step or (stop - start) / step <= 0:
            raise SettingError("numbers", f"no value from {start:g} to {stop:g} by {step:g}")
        if (stop - start) / step > MOST_VALUES:
            raise SettingError("numbers", f"more than {MOST_VALUES:,} values")

    def values(self) -> list[float | int]:
        """The numbers; whole ones where all three are."""
        start, stop, step = self.numbers
        count = int(-(-(stop - start) // step))
        if all(isinstance(number, int) for number in self.numbers):
            return [start + i * step for i in range(count)]
        # 0.1, 0.2, 0.3 and not 0.30000000000000004; nor the stop itself, by a rounding error
        made = [short(start + i * step) for i in range(count)]
        return [value for value in made if value != stop]


@dataclass(frozen=True)
class Linspace:
    """So many numbers at equal distances from start to stop, both among them, as NumPy's linspace.

    Written `{linspace: [start, stop, count]}`.
    """

    numbers: tuple[float, float, Annotated[int, Range(1, MOST_VALUES)]]

    def values(self) -> list[float]:
        """The numbers."""
        start, stop, count = self.numbers
        if count == 1:
            return [start]
        return [short(start + (stop - start) * i / (count - 1)) for i in range(count)]


@dataclass(frozen=True)
class Logspace:
    """So many powers of ten, exponents at equal distances from start to stop, as NumPy's logspace.

    Written `{logspace: [start, stop, count]}`: [-4, -1, 4] is 0.0001, 0.001, 0.01, 0.1.
    """

    numbers: tuple[float, float, Annotated[int, Range(1, MOST_VALUES)]]

    def __post_init__(self) -> None:
        start, stop, _ = self.numbers
        if 0 < start < 1 and 0 < stop < 1:
            advice = "10^-4 to 10^-1 is written [-4, -1, 4]"
            raise SettingError("numbers", f"these are exponents of ten, as in NumPy: {advice}")
        if max(abs(start), abs(stop)) > 300:
            raise SettingError("numbers", "these are exponents of ten: no float is as large")

    def values(self) -> list[float]:
        """The numbers."""
        start, stop, count = self.numbers
        if count == 1:
            return [short(10.0**start)]
        return [short(10.0 ** (start + (stop - start) * i / (count - 1))) for i in range(count)]


def short(value: float) -> float:
    """The float nearest to the first twelve digits: what a person would have written."""
    return float(f"{value:.12g}")


@dataclass(frozen=True)
class Everything:
    """Every setting, in the order of the block: the last key changes fastest."""


@dataclass(frozen=True)
class Random:
    """So many settings, drawn from the seed without repeats, every one as likely.

    More `trials` keep those that fewer have drawn. Source: Bergstra and Bengio, Random Search for
    Hyper-Parameter Optimization, 2012; here over the values that are listed.
    """

    trials: Annotated[Size, Doc("settings; each is trained with every seed")]


@dataclass(frozen=True)
class Halving:
    """Successive halving on epochs: all settings train shortly, the best 1/eta go on, and so on.

    The last ones reach the configuration's `train.epochs`. A setting goes on from its checkpoint
    where its learning rate does not depend on the training's length, and is as good as trained in
    one go. Source: Jamieson and Talwalkar, Non-stochastic Best Arm Identification and
    Hyperparameter Optimization, 2016.
    """

    eta: Annotated[
        Annotated[int, Range(2, 100)], Doc("one of so many goes on, so many times longer")
    ] = 3
    epochs: Annotated[
        Size | None, Doc("of the first round; null: so that about one reaches the last")
    ] = None


@dataclass(frozen=True)
class Tpe:
    """So many settings, asked from Optuna's tree-structured Parzen estimator; needs `ldl[search]`.

    They are asked in batches, each when all of the one before have ended, so that what is asked
    depends on results alone. Source: Bergstra et al., Algorithms for Hyper-Parameter Optimization,
    2011; Optuna's TPESampler, seeded.
    """

    trials: Annotated[Size, Doc("settings; each is trained with every seed")]
    batch: Annotated[
        Size, Doc("settings asked at once: at least as many as can be trained at once")
    ] = 8


SPACINGS: Mapping[str, type] = {"range": Evenly, "linspace": Linspace, "logspace": Logspace}
SEARCHES: Mapping[str, type] = {
    "grid": Everything,
    "random": Random,
    "halving": Halving,
    "tpe": Tpe,
}
GRID_REGISTRIES: Registries = {**REGISTRIES, "search": SEARCHES, "spacing": SPACINGS}

Values = Annotated[list[Any], Choice("spacing")]
Columns = Annotated[dict[str, Values], DottedKeys()]


@dataclass(frozen=True)
class GridBlock:
    """A search over settings: `ldl grid` trains each of them and says which is best, how surely.

    Keys are dotted places of the configuration, as overrides write them (`train.batch_size`,
    `network.encoder.0.linear`, `optimizer`); values are laid over the configuration as overrides
    are: parts of a choice of the same name stay. A list of values is `[…]`, or
    `{range: [start, stop, step]}`, `{linspace: [start, stop, count]}` or
    `{logspace: [start, stop, count]}`, the last with exponents of ten. In `when` and `exclude` a
    choice may be meant by its name alone (`optimizer: sgd`), and a list means any of its values.

    The objective is a column of metrics.csv at the epoch whose weights are kept (`validation.loss`,
    `validation.accuracy`, `validation.r2`, `train.loss`, `train.accuracy`), or a figure of an
    evaluation on the validation part (`validation.reconstruction.mse`,
    `validation.denoising.accuracy.denoised` …). The test part judges the winner alone.
    """

    objective: Annotated[
        str, Doc("validation.loss, validation.accuracy, validation.denoising.accuracy.denoised …")
    ]
    goal: Annotated[Literal["min", "max"] | None, Doc("null: as the figure is better")] = None
    seeds: Annotated[
        Annotated[int, Range(1, 10_000)], Doc("each setting is trained with seed, seed + 1, …")
    ] = 1
    search: Annotated[Any, Choice("search")] = Everything()
    vary: Annotated[Columns, Doc("every combination of the values")] = field(default_factory=dict)
    zip: Annotated[Columns | list[Columns], Doc("lists walked in step")] = field(
        default_factory=dict
    )
    when: Annotated[dict[str, dict[str, Any]], Doc("key varied where others match")] = field(
        default_factory=dict
    )
    exclude: Annotated[list[dict[str, Any]], Doc("settings to leave out")] = field(
        default_factory=list
    )
    include: Annotated[list[dict[str, Any]], Doc("further settings, as they are")] = field(
        default_factory=list
    )


@dataclass(frozen=True, kw_only=True)
class GridConfig(Config):
    """One experiment, and the search over its settings."""

    grid: Annotated[GridBlock | None, Doc("see `ldl explain grid`")] = None
