"""What a setting may be, said once in its type: the engine documents it, the language checks it.

A registry entry (a layer, a loss, an optimizer, a data source …) is a frozen dataclass. Its first
field is its main value (`linear: 64`), its docstring's first line its formula, its types the rule.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated


def _written(limit: float) -> str:
    """A limit as a person writes it."""
    return f"{limit:,.0f}" if limit == int(limit) else f"{limit:g}"


@dataclass(frozen=True)
class Range:
    """A number's limits; `above` excludes the lower one, `below` the upper one."""

    low: float | None = None
    high: float | None = None
    above: bool = False
    below: bool = False

    def __str__(self) -> str:
        words = []
        if self.low is not None:
            words.append(f"{'above' if self.above else 'at least'} {_written(self.low)}")
        if self.high is not None:
            words.append(f"{'below' if self.below else 'at most'} {_written(self.high)}")
        return " and ".join(words)

    def broken(self, value: float) -> str:
        """The limits that `value` breaks; an upper one that is out of sight is left unsaid."""
        far = self.high is not None and self.high >= 1e6 and value < self.high
        return str(replace(self, high=None) if far else self)

    def holds(self, value: float) -> bool:
        """Whether `value` lies within the limits; NaN never does."""
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
class Choice:
    """Marks a field that takes an entry of the registry `kind`, in the language's one grammar."""

    kind: str


@dataclass(frozen=True)
class FilePath:
    """Marks a string that names a file, relative to the configuration it is written in."""


@dataclass(frozen=True)
class DottedKeys:
    """Marks a mapping whose keys are dotted places: what is left of an override's path is one."""


@dataclass(frozen=True)
class LayerList:
    """Marks a field that takes a network's layers: a list of items, or one item alone."""


Size = Annotated[int, Range(1, 1_000_000_000)]
Count = Annotated[int, Range(0)]
Positive = Annotated[float, Range(0.0, above=True)]
NonNegative = Annotated[float, Range(0.0)]
Share = Annotated[float, Range(0.0, 1.0)]
Momentum = Annotated[float, Range(0.0, 1.0, below=True)]
