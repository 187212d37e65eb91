"""The search space of a grid block: its varied keys, their values, and which combinations count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Final

from ldl.config import Mark, Tree
from ldl.config.override_paths import PathStep
from ldl.config.problems import ProblemCollector
from ldl.config.suggest import spelling_hint
from ldl.config.tree import Invalid
from ldl.cycles import find_cycles
from ldl.engine.streams import stream
from ldl.grid.block import GridBlock
from ldl.grid.labels import one_line

Assignment = dict[str, Tree]
"""The values of one candidate by their keys; a key that `when` rules out is not among them."""

MAX_SHUFFLED: Final = 200_000  # combinations that are shuffled as a whole

FIXED_SECTIONS: Final = {
    "seed": "`seeds: 3` trains each setting with three seeds",
    "name": "a name changes nothing in a training",
    "claim": "a claim changes nothing in a training",
    "grid": "a grid does not vary itself",
    "extends": "write the other file's values out",
}
"""Sections that cannot be varied, each with a hint."""

SHOWN_VALUES = 6  # in a message


@dataclass(frozen=True)
class GridKey:
    """A varied key of the configuration; `mark` is where the block names it first."""

    name: str
    mark: Mark
    steps: tuple[PathStep, ...] = field(repr=False)


@dataclass(frozen=True)
class SearchAxis:
    """Keys that change together; each row holds a value for each key."""

    keys: tuple[GridKey, ...]
    rows: tuple[tuple[Tree, ...], ...]

    @property
    def ordered(self) -> bool:
        """Whether the rows are numbers that only grow or only fall."""
        values = [row[0].value for row in self.rows]
        if len(self.keys) > 1 or not all(type(value) in (int, float) for value in values):
            return False
        numbers = [float(value) for value in values]  # type: ignore[arg-type]
        return numbers in (sorted(set(numbers)), sorted(set(numbers), reverse=True))


@dataclass(frozen=True)
class SearchSpace:
    """All combinations of the axes' rows, without those that `when` and `exclude` rule out.

    Combinations are numbered as `itertools.product` gives them: the last axis changes fastest.
    """

    keys: Mapping[str, GridKey]
    axes: tuple[SearchAxis, ...]
    when: Mapping[str, Mapping[str, Any]]
    exclude: tuple[Mapping[str, Any], ...]
    include: tuple[Assignment, ...]

    @property
    def size(self) -> int:
        """The number of combinations of rows, before any is ruled out."""
        return prod(len(axis.rows) for axis in self.axes)

    def rows(self, number: int) -> tuple[int, ...]:
        """The row of each axis in the combination with this number."""
        rows = []
        for axis in reversed(self.axes):
            number, row = divmod(number, len(axis.rows))
            rows.append(row)
        return tuple(reversed(rows))

    def at(self, rows: tuple[int, ...]) -> Assignment | None:
        """The values in these rows; None if excluded, or the same as those of other rows.

        Where `when` rules all keys of an axis out, its first row stands for all of them.
        """
        values: Assignment = {}
        for axis, row in zip(self.axes, rows, strict=True):
            values.update(zip((key.name for key in axis.keys), axis.rows[row], strict=True))
        active = self.active(values)
        for axis, row in zip(self.axes, rows, strict=True):
            if row and not any(key.name in active for key in axis.keys):
                return None
        assignment = {name: tree for name, tree in values.items() if name in active}
        return None if self._excluded(assignment) else assignment

    def active(self, values: Assignment) -> set[str]:
        """The keys whose conditions in `when` hold; a condition on an inactive key does not."""
        active: dict[str, bool] = {}

        def is_active(name: str) -> bool:
            if name not in active:
                active[name] = all(
                    other in values
                    and is_active(other)
                    and matches(pattern, to_plain(values[other]))
                    for other, pattern in self.when.get(name, {}).items()
                )
            return active[name]

        return set(filter(is_active, values))

    def _excluded(self, assignment: Assignment) -> bool:
        """Whether all patterns of some item of `exclude` match."""
        return any(
            all(
                key in assignment and matches(pattern, to_plain(assignment[key]))
                for key, pattern in patterns.items()
            )
            for patterns in self.exclude
        )

    def assignments(self) -> Iterator[Assignment]:
        """The values of all candidates in order, those of `include` last."""
        for number in range(self.size if self.axes else 0):
            assignment = self.at(self.rows(number))
            if assignment is not None:
                yield assignment
        yield from self.include


# --- values and patterns --------------------------------------------------------------------


def to_plain(tree: Tree) -> Any:
    """The value as plain data; an invalid one as None."""
    if isinstance(tree.value, dict):
        return {key: to_plain(value) for key, value in tree.value.items()}
    if isinstance(tree.value, list):
        return [to_plain(value) for value in tree.value]
    return None if isinstance(tree.value, Invalid) else tree.value


def matches(pattern: Any, value: Any) -> bool:
    """Whether a pattern of `when` or `exclude` matches a value.

    A pattern matches an equal value; a list, what one of its items matches; a name, a choice of
    that name; settings, a choice with these settings. `sgd` and `{sgd: {momentum: 0.9}}` both
    match `{sgd: {momentum: 0.9, nesterov: true}}`.
    """
    if _equal(pattern, value):
        return True
    if isinstance(pattern, list):
        return any(matches(item, value) for item in pattern)
    if isinstance(value, dict) and isinstance(pattern, str):
        return pattern in value
    if isinstance(value, dict) and isinstance(pattern, dict):
        return all(key in value and matches(part, value[key]) for key, part in pattern.items())
    return False


def _equal(a: Any, b: Any) -> bool:
    """Equality in which 1 is 1.0 but not true."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    return bool(a == b)


# --- from a grid block ----------------------------------------------------------------------


def parse_space(block: GridBlock, tree: Tree, problems: ProblemCollector) -> SearchSpace:
    """The search space of a block that was read from `tree`.

    Problems between parts of the block are added to `problems`; such parts are left out, so that
    the others can be checked.
    """
    return _SpaceParser(block, tree, problems).parse()


class _SpaceParser:
    """Builds the search space of one block; `keys` and `values` are those varied so far."""

    def __init__(self, block: GridBlock, tree: Tree, problems: ProblemCollector) -> None:
        self.block, self.problems = block, problems
        self.sections: dict[str, Tree] = tree.value if isinstance(tree.value, dict) else {}
        self.mark = tree.key or tree.mark
        self.keys: dict[str, GridKey] = {}
        self.values: dict[str, list[Any]] = {}

    def parse(self) -> SearchSpace:
        axes = (*self._vary(), *self._zip())
        when, exclude = self._when(), tuple(self._exclude())
        include = tuple(self._include())
        if not axes and not include:
            if self.block.seeds == 1 and not len(self.problems):
                hint = "vary something: `vary: {train.batch_size: [16, 32]}`"
                self.problems.add(self.mark, "an empty grid: nothing is varied", hint)
            include = ({},)
        return SearchSpace(self.keys, axes, when, exclude, include)

    def _vary(self) -> Iterator[SearchAxis]:
        for name, tree in _entries(self.sections.get("vary")):
            key, values = self._key(name, tree), self._values(self.block.vary[name], tree)
            if key is not None and values:
                self._add(key, values)
                yield SearchAxis((key,), tuple((value,) for value in values))

    def _zip(self) -> Iterator[SearchAxis]:
        tree, zipped = self.sections.get("zip"), self.block.zip
        if isinstance(zipped, dict):
            yield from self._group(tree, zipped)
        elif tree is not None and isinstance(tree.value, list):
            for group, columns in zip(tree.value, zipped, strict=True):
                yield from self._group(group, columns)

    def _group(self, tree: Tree | None, columns: Mapping[str, Any]) -> Iterator[SearchAxis]:
        """The axis of keys whose lists are walked together."""
        keys: list[GridKey] = []
        lists: list[list[Tree]] = []
        for name, column in _entries(tree):
            if name in self.keys:
                self._add_problem(column, f"`{name}` is varied already", "name it once")
                continue
            key, values = self._key(name, column), self._values(columns[name], column)
            if key is not None and values:
                self._add(key, values)
                keys.append(key)
                lists.append(values)
                if len(values) != len(lists[0]):
                    counts = f"{len(values)} here, {len(lists[0])} of `{keys[0].name}`"
                    self._add_problem(column, f"the lists of `zip` differ in length: {counts}")
        if keys and len({len(values) for values in lists}) == 1:
            yield SearchAxis(tuple(keys), tuple(zip(*lists, strict=True)))

    def _values(self, values: Any, tree: Tree) -> list[Tree]:
        """The values as trees; those of a spacing have its mark."""
        if not isinstance(values, list):
            return [Tree(value, tree.mark, tree.key) for value in values.values()]
        if not values:
            self.problems.add(tree.mark, "an empty list: there is no value to try")
        assert isinstance(tree.value, list)
        return tree.value

    def _add(self, key: GridKey, values: list[Tree]) -> None:
        self.keys[key.name] = key
        self.values[key.name] = list(map(to_plain, values))

    def _key(self, name: str, tree: Tree) -> GridKey | None:
        """The key, with a mark for each of its steps; None where a problem was added."""
        mark, parts = tree.key or tree.mark, name.split(".")
        quotes = mark.width - len(name)
        steps, column = [], mark.column + quotes // 2
        for part in parts:
            step_mark = replace(mark, column=column, width=max(len(part), 1))
            steps.append(PathStep(part, step_mark if quotes in (0, 2) else mark))
            column += len(part) + 1
        if not all(part.strip() == part and part for part in parts):
            self.problems.add(mark, "a key is written as in an override: `train.epochs`")
            return None
        if parts[0] in FIXED_SECTIONS:
            self.problems.add(mark, f"`{parts[0]}` cannot be varied", FIXED_SECTIONS[parts[0]])
            return None
        return GridKey(name, mark, tuple(steps))

    def _when(self) -> dict[str, Mapping[str, Any]]:
        """The conditions; empty where they have problems."""
        tree, start = self.sections.get("when"), len(self.problems)
        for name, conditions in _entries(tree):
            if name not in self.keys:
                self._add_not_varied(name, conditions)
                continue
            if not conditions.value:
                message = f"a condition is missing: when is `{name}` varied?"
                self.problems.add(conditions.mark, message)
            for other, pattern in _entries(conditions):
                self._check_pattern(other, pattern)
        for cycle in find_cycles(self.block.when):
            first = next(entry for name, entry in _entries(tree) if name == cycle[0])
            self._add_problem(first, f"the conditions of `when` form a cycle: {' → '.join(cycle)}")
        return {} if len(self.problems) > start else dict(self.block.when)

    def _exclude(self) -> Iterator[Mapping[str, Any]]:
        """The items of `exclude` that have no problem."""
        tree = self.sections.get("exclude")
        items = tree.value if tree is not None and isinstance(tree.value, list) else []
        for item, patterns in zip(items, self.block.exclude, strict=True):
            start = len(self.problems)
            if not item.value:
                self.problems.add(item.mark, "this would exclude every setting")
            for name, pattern in _entries(item):
                self._check_pattern(name, pattern)
            if len(self.problems) == start:
                yield patterns

    def _check_pattern(self, name: str, tree: Tree) -> None:
        """Require that the key is varied and that the pattern matches some of its values."""
        if name not in self.keys:
            self._add_not_varied(name, tree)
            return
        pattern, values = to_plain(tree), self.values[name]
        is_value = any(_equal(pattern, value) for value in values)
        for part in pattern if isinstance(pattern, list) and not is_value else [pattern]:
            if not any(matches(part, value) for value in values):
                listed = ", ".join(f"`{one_line(value, 30)}`" for value in values[:SHOWN_VALUES])
                hidden = len(values) - SHOWN_VALUES
                more = f" and {hidden} more" if hidden > 0 else ""
                message = f"`{name}` is never `{one_line(part)}`"
                self.problems.add(tree.mark, message, f"its values: {listed}{more}")

    def _add_not_varied(self, name: str, tree: Tree) -> None:
        message = f"`{name}` is not varied, so this has no effect"
        self._add_problem(tree, message, spelling_hint(name, list(self.keys), "varied"))

    def _include(self) -> Iterator[Assignment]:
        tree = self.sections.get("include")
        varied = dict(self.keys)
        for item in tree.value if tree and isinstance(tree.value, list) else []:
            keys = {name: varied.get(name) or self._key(name, t) for name, t in _entries(item)}
            if not keys:
                self.problems.add(item.mark, "a setting without a value is the file itself")
            sound = {name: key for name, key in keys.items() if key is not None}
            self.keys |= {name: key for name, key in sound.items() if name not in self.keys}
            if keys and len(sound) == len(keys):
                yield dict(_entries(item))

    def _add_problem(self, tree: Tree, message: str, hint: str = "") -> None:
        self.problems.add(tree.key or tree.mark, message, hint)


def _entries(tree: Tree | None) -> list[tuple[str, Tree]]:
    return list(tree.value.items()) if tree is not None and isinstance(tree.value, dict) else []


def draw(space: SearchSpace, seed: int) -> Iterator[Assignment]:
    """The candidates of `include`, then all others in random order, none twice."""
    yield from space.include
    rng = stream(seed, "grid", "random")
    if not space.axes:
        return
    if space.size <= MAX_SHUFFLED:
        for number in rng.permutation(space.size).tolist():
            assignment = space.at(space.rows(number))
            if assignment is not None:
                yield assignment
        return
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < MAX_SHUFFLED:
        rows = tuple(int(rng.integers(len(axis.rows))) for axis in space.axes)
        if rows not in drawn:
            drawn.add(rows)
            assignment = space.at(rows)
            if assignment is not None:
                yield assignment
