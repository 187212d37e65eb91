"""The settings that a grid block spells out, each made from its number when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from ldl.config import Mark, Tree
from ldl.config.override_paths import PathStep
from ldl.grid.patterns import matches, plain

Assignment = dict[str, Tree]
"""The values of one setting by their keys; a key that `when` rules out is not among them."""


@dataclass(frozen=True)
class Key:
    """A varied place of the configuration; `mark` is where the block names it first."""

    name: str
    mark: Mark
    steps: tuple[PathStep, ...] = field(repr=False)


@dataclass(frozen=True)
class Axis:
    """Keys that change together, and their values: a row gives each key one."""

    keys: tuple[Key, ...]
    rows: tuple[tuple[Tree, ...], ...]

    @property
    def ordered(self) -> bool:
        """Whether the rows are numbers that only grow or only fall."""
        values = [row[0].value for row in self.rows]
        if len(self.keys) > 1 or not all(type(v) in (int, float) for v in values):
            return False
        numbers = [float(v) for v in values]  # type: ignore[arg-type]
        return numbers in (sorted(set(numbers)), sorted(set(numbers), reverse=True))


@dataclass(frozen=True)
class Space:
    """All combinations of the axes' rows, without those that `when` and `exclude` rule out.

    The number of a combination counts as `itertools.product` does: the last axis changes fastest.
    """

    keys: Mapping[str, Key]
    axes: tuple[Axis, ...]
    when: Mapping[str, Mapping[str, Any]]
    exclude: tuple[Mapping[str, Any], ...]
    include: tuple[Assignment, ...]

    @property
    def size(self) -> int:
        """Combinations of rows, before any is ruled out."""
        return prod(len(axis.rows) for axis in self.axes)

    def rows(self, number: int) -> tuple[int, ...]:
        """The row of each axis in a combination."""
        found = []
        for axis in reversed(self.axes):
            number, row = divmod(number, len(axis.rows))
            found.append(row)
        return tuple(reversed(found))

    def number(self, rows: tuple[int, ...]) -> int:
        """`rows` undone."""
        found = 0
        for axis, row in zip(self.axes, rows, strict=True):
            found = found * len(axis.rows) + row
        return found

    def at(self, rows: tuple[int, ...]) -> Assignment | None:
        """The setting; None where it is excluded or another combination stands for the same one.

        Where `when` rules all keys of an axis out, its first row stands for all of them.
        """
        given: Assignment = {}
        for axis, row in zip(self.axes, rows, strict=True):
            given.update(zip((key.name for key in axis.keys), axis.rows[row], strict=True))
        active = self.active(given)
        for axis, row in zip(self.axes, rows, strict=True):
            if row and not any(key.name in active for key in axis.keys):
                return None
        chosen = {name: tree for name, tree in given.items() if name in active}
        return None if self.excluded(chosen) else chosen

    def active(self, given: Assignment) -> set[str]:
        """The keys that `when` lets through; conditions on keys that are out do not hold."""
        known: dict[str, bool] = {}

        def holds(name: str) -> bool:
            if name not in known:
                conditions = self.when.get(name, {})
                known[name] = all(
                    other in given and holds(other) and matches(pattern, plain(given[other]))
                    for other, pattern in conditions.items()
                )
            return known[name]

        return set(filter(holds, given))

    def excluded(self, chosen: Assignment) -> bool:
        """Whether every word of some `exclude` fits."""
        return any(
            all(
                key in chosen and matches(pattern, plain(chosen[key]))
                for key, pattern in pairs.items()
            )
            for pairs in self.exclude
        )

    def settings(self) -> Iterator[Assignment]:
        """All settings in order, those of `include` last."""
        for number in range(self.size if self.axes else 0):
            chosen = self.at(self.rows(number))
            if chosen is not None:
                yield chosen
        yield from self.include
