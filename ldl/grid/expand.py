"""A checked grid block becomes a `Space`; what only shows between its parts is reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from ldl.config import Mark, Tree
from ldl.config.override_paths import PathStep
from ldl.config.problems import Problems
from ldl.config.suggest import spelling_hint
from ldl.grid.block import GridBlock
from ldl.grid.labels import one_line
from ldl.grid.patterns import matches, plain, same
from ldl.grid.space import Assignment, Axis, Key, Space

UNVARIED: Final = {
    "seed": "`seeds: 3` trains each setting with three seeds",
    "name": "a name changes nothing in a training",
    "claim": "a claim changes nothing in a training",
    "grid": "a grid does not vary itself",
    "extends": "write the other file's values out",
}
SHOWN = 6  # values in an error


def expand(block: GridBlock, tree: Tree, problems: Problems) -> Space:
    """The settings of a block that was read from `tree`.

    Mistakes are recorded, and what they are in is left out, so that the rest can be looked at.
    """
    return _Expansion(block, tree, problems).space()


class _Expansion:
    def __init__(self, block: GridBlock, tree: Tree, problems: Problems) -> None:
        self.block, self.problems = block, problems
        self.sections: dict[str, Tree] = tree.value if isinstance(tree.value, dict) else {}
        self.mark = tree.key or tree.mark
        self.keys: dict[str, Key] = {}
        self.values: dict[str, list[Any]] = {}

    def space(self) -> Space:
        axes = (*self._vary(), *self._zip())
        when, exclude = self._when(), tuple(self._exclude())
        include = tuple(self._include())
        if not axes and not include:
            if self.block.seeds == 1 and not len(self.problems):
                advice = "vary something: `vary: {train.batch_size: [16, 32]}`"
                self.problems.add(self.mark, "an empty grid: nothing is varied", advice)
            include = ({},)
        return Space(self.keys, axes, when, exclude, include)

    def _vary(self) -> Iterator[Axis]:
        for name, tree in _entries(self.sections.get("vary")):
            key, values = self._key(name, tree), self._listed(self.block.vary[name], tree)
            if key is not None and values:
                self._remember(key, values)
                yield Axis((key,), tuple((value,) for value in values))

    def _zip(self) -> Iterator[Axis]:
        tree, found = self.sections.get("zip"), self.block.zip
        if isinstance(found, dict):
            yield from self._columns(tree, found)
        elif tree is not None and isinstance(tree.value, list):
            for one, columns in zip(tree.value, found, strict=True):
                yield from self._columns(one, columns)

    def _columns(self, tree: Tree | None, columns: Mapping[str, Any]) -> Iterator[Axis]:
        """One group of keys that are walked in step."""
        keys: list[Key] = []
        lists: list[list[Tree]] = []
        for name, listed in _entries(tree):
            if name in self.keys:
                self._fault(listed, f"`{name}` is varied already", "name it once")
                continue
            key, values = self._key(name, listed), self._listed(columns[name], listed)
            if key is not None and values:
                self._remember(key, values)
                keys.append(key)
                lists.append(values)
                if len(values) != len(lists[0]):
                    counts = f"{len(values)} here, {len(lists[0])} of `{keys[0].name}`"
                    self._fault(listed, f"lists that are walked in step are as long: {counts}")
        if keys and len({len(values) for values in lists}) == 1:
            yield Axis(tuple(keys), tuple(zip(*lists, strict=True)))

    def _listed(self, values: Any, tree: Tree) -> list[Tree]:
        """The values as trees; those of a spacing stand where it does."""
        if not isinstance(values, list):
            return [Tree(value, tree.mark, tree.key) for value in values.values()]
        if not values:
            self.problems.add(tree.mark, "an empty list: there is no value to try")
        assert isinstance(tree.value, list)
        return tree.value

    def _remember(self, key: Key, values: list[Tree]) -> None:
        self.keys[key.name] = key
        self.values[key.name] = list(map(plain, values))

    def _key(self, name: str, tree: Tree) -> Key | None:
        """The key in steps, each with its place; None, with the mistake recorded."""
        mark, parts = tree.key or tree.mark, name.split(".")
        quotes = mark.width - len(name)
        steps, column = [], mark.column + quotes // 2
        for part in parts:
            here = replace(mark, column=column, width=max(len(part), 1))
            steps.append(PathStep(part, here if quotes in (0, 2) else mark))
            column += len(part) + 1
        if not all(part.strip() == part and part for part in parts):
            message = "a key is written as in an override: `train.epochs`"
            self.problems.add(mark, message)
            return None
        if parts[0] in UNVARIED:
            self.problems.add(mark, f"`{parts[0]}` cannot be varied", UNVARIED[parts[0]])
            return None
        return Key(name, mark, tuple(steps))

    # --- when, exclude, include -------------------------------------------------------------

    def _when(self) -> dict[str, Mapping[str, Any]]:
        """The conditions, if there is nothing wrong with them."""
        tree, start = self.sections.get("when"), len(self.problems)
        for name, conditions in _entries(tree):
            if name not in self.keys:
                self._unvaried(name, conditions)
                continue
            if not conditions.value:
                message = f"a condition is missing: when is `{name}` varied?"
                self.problems.add(conditions.mark, message)
            for other, pattern in _entries(conditions):
                self._check_pattern(other, pattern)
        for circle in self._circles():
            first = next(t for n, t in _entries(tree) if n == circle[0])
            self._fault(first, f"`when` goes in a circle: {' → '.join(circle)}")
        return {} if len(self.problems) > start else dict(self.block.when)

    def _circles(self) -> Iterator[list[str]]:
        """Keys whose conditions lead back to themselves, each circle once."""
        seen: set[str] = set()
        for start in self.block.when:
            trail, waiting = [start], [iter(self.block.when[start])]
            while waiting and start not in seen:
                name = next(waiting[-1], None)
                if name is None:
                    waiting.pop()
                    trail.pop()
                elif name == start:
                    yield [*trail, start]
                    seen |= set(trail)
                elif name not in trail and name in self.block.when:
                    trail.append(name)
                    waiting.append(iter(self.block.when[name]))

    def _exclude(self) -> Iterator[Mapping[str, Any]]:
        """What is excluded, where there is nothing wrong with it."""
        tree = self.sections.get("exclude")
        listed = tree.value if tree is not None and isinstance(tree.value, list) else []
        for pairs, found in zip(listed, self.block.exclude, strict=True):
            start = len(self.problems)
            if not pairs.value:
                self.problems.add(pairs.mark, "this would exclude every setting")
            for name, pattern in _entries(pairs):
                self._check_pattern(name, pattern)
            if len(self.problems) == start:
                yield found

    def _check_pattern(self, name: str, pattern: Tree) -> None:
        """The key must be varied, and the value among those that it takes."""
        if name not in self.keys:
            self._unvaried(name, pattern)
            return
        wanted, values = plain(pattern), self.values[name]
        for one in _alternatives(wanted, values):
            if not any(matches(one, value) for value in values):
                shown = ", ".join(f"`{one_line(value, 30)}`" for value in values[:SHOWN])
                more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
                message = f"`{name}` is never `{one_line(one)}`"
                self.problems.add(pattern.mark, message, f"its values: {shown}{more}")

    def _unvaried(self, name: str, tree: Tree) -> None:
        message = f"`{name}` is not varied, so this decides nothing"
        self._fault(tree, message, spelling_hint(name, list(self.keys), "varied"))

    def _include(self) -> Iterator[Assignment]:
        tree = self.sections.get("include")
        varied = dict(self.keys)
        for pairs in tree.value if tree and isinstance(tree.value, list) else []:
            keys = {name: varied.get(name) or self._key(name, t) for name, t in _entries(pairs)}
            if not keys:
                self.problems.add(pairs.mark, "a setting without a value is the file itself")
            sound = {name: key for name, key in keys.items() if key is not None}
            self.keys |= {name: key for name, key in sound.items() if name not in self.keys}
            if keys and len(sound) == len(keys):
                yield dict(_entries(pairs))

    def _fault(self, tree: Tree, message: str, advice: str = "") -> None:
        mark: Mark = tree.key or tree.mark
        self.problems.add(mark, message, advice)


def _entries(tree: Tree | None) -> list[tuple[str, Tree]]:
    return list(tree.value.items()) if tree is not None and isinstance(tree.value, dict) else []


def _alternatives(wanted: Any, values: list[Any]) -> list[Any]:
    """The patterns of a list, unless the list itself is a value."""
    if isinstance(wanted, list) and not any(same(wanted, value) for value in values):
        return wanted
    return [wanted]
