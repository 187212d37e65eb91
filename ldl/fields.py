"""Annotations of settings: limits, documentation, former names, what a setting refers to.

A registry entry (a layer, a loss, an optimizer, a data source …) is a frozen dataclass. Its first
field is its main value (`linear: 64`), the first line of its docstring its formula, and its type
hints are what the configuration language checks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated


def _format(limit: float) -> str:
    """The limit as text, thousands separated by commas."""
    return f"{limit:,.0f}" if limit == int(limit) else f"{limit:g}"


@dataclass(frozen=True)
class Range:
    """The limits of a number; `above` excludes the lower limit, `below` the upper one."""

    low: float | None = None
    high: float | None = None
    above: bool = False
    below: bool = False

    def __str__(self) -> str:
        words = []
        if self.low is not None:
            words.append(f"{'above' if self.above else 'at least'} {_format(self.low)}")
        if self.high is not None:
            words.append(f"{'below' if self.below else 'at most'} {_format(self.high)}")
        return " and ".join(words)

    def violated(self, value: float) -> str:
        """The limits as text for a message; a far upper limit that `value` keeps is left out."""
        is_far = self.high is not None and self.high >= 1e6 and value < self.high
        return str(replace(self, high=None) if is_far else self)

    def holds(self, value: float) -> bool:
        """Whether `value` is within the limits; NaN never is."""
        if self.low is not None and not (value > self.low if self.above else value >= self.low):
            return False
        if self.high is not None:
            return value < self.high if self.below else value <= self.high
        return True


@dataclass(frozen=True)
class Doc:
    """What a setting means, for `ldl explain` and the JSON Schema: `Annotated[float, Doc("…")]`."""

    text: str


@dataclass(frozen=True)
class Alias:
    """A former name of a setting, still accepted: `Annotated[float, Doc("…"), Alias("old_name")]`.

    The oldest name comes first. A registry entry lists its own in the class attribute
    `FORMER_NAMES`.
    """

    name: str


@dataclass(frozen=True)
class AddedLater:
    """Marks a setting that is newer than the first content keys.

    Keys leave it out where it has its default, so that they stay those of runs made before.
    """


def former_names(entry: type) -> tuple[str, ...]:
    """The former names of a registry entry, the oldest first."""
    names: tuple[str, ...] = getattr(entry, "FORMER_NAMES", ())
    return names


@dataclass(frozen=True)
class Choice:
    """Marks a field that takes an entry of the registry `kind`."""

    kind: str


@dataclass(frozen=True)
class FilePath:
    """Marks a string that names a file, relative to the configuration file that contains it."""


@dataclass(frozen=True)
class DottedKeys:
    """Marks a mapping with dotted key paths as keys: the rest of an override's path is one."""


@dataclass(frozen=True)
class LayerList:
    """Marks a field that takes layers: a list of items, or one item."""


Size = Annotated[int, Range(1, 1_000_000_000)]
Count = Annotated[int, Range(0)]
Positive = Annotated[float, Range(0.0, above=True)]
NonNegative = Annotated[float, Range(0.0)]
Share = Annotated[float, Range(0.0, 1.0)]
Momentum = Annotated[float, Range(0.0, 1.0, below=True)]
