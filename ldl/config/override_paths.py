"""Follows a dotted path into a configuration by its rules and puts a value at its end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ldl.config.describe import expected
from ldl.config.grammar import (
    LAYER_SIBLINGS,
    Grammar,
    ParsedChoice,
    normalize_settings,
    parse_choice,
    sibling_keys,
)
from ldl.config.resolved import to_builtins_by_rule
from ldl.config.suggest import article, spelling_hint
from ldl.config.tree import BlockUse, Invalid, Mark, Tree
from ldl.config.tree_merge import merge
from ldl.config.type_rules import (
    AnyOf,
    Anything,
    ChoiceOf,
    DictOf,
    Field,
    Fixed,
    Layers,
    ListOf,
    Null,
    Record,
    Rule,
    Text,
    fields_of,
    siblings_choice,
    variants_of,
)

_INDEX = re.compile("[0-9]{1,9}")


@dataclass(frozen=True)
class PathStep:
    """One key of a path and its place."""

    name: str
    mark: Mark


class OverridePathError(Exception):
    """The path leads nowhere; the arguments are the mark, the message and the advice."""


class PathWriter:
    """Puts `value` at the end of `steps`; nothing that it is given is changed in place."""

    def __init__(self, steps: tuple[PathStep, ...], value: Tree, grammar: Grammar) -> None:
        self._steps = steps
        self._value = value
        self._grammar = grammar

    def write(self, tree: Tree | None, rule: Rule, depth: int) -> Tree:
        """The tree with the value at the rest of the path. Raises OverridePathError."""
        if depth == len(self._steps):
            return self._laid_over(tree, rule)
        if tree is not None and isinstance(tree.value, Invalid):
            return tree
        if isinstance(rule, AnyOf):
            rule = self._arm(rule, tree, depth)
        match rule:
            case Record(cls=cls) if (choice := siblings_choice(cls)) is not None:
                return self._choice(tree, choice.kind, sibling_keys(cls), cls, depth)
            case Record(cls=cls):
                return self._record(tree, cls, depth)
            case ChoiceOf(kind=kind):
                return self._choice(tree, kind, (), None, depth)
            case Layers() | ListOf() | Fixed():
                return self._list(tree, rule, depth)
            case DictOf(item=item, dotted=dotted):
                return self._mapping(tree, item, depth, dotted)
            case Anything():
                whole = tree is not None and isinstance(tree.value, list)
                return self._list(tree, rule, depth) if whole else self._mapping(tree, rule, depth)
        raise self._bad(depth, f"`{self._path(depth)}` is {expected(rule)} and has no parts")

    def _laid_over(self, tree: Tree | None, rule: Rule) -> Tree:
        return self._value if tree is None else merge(tree, self._value, rule, self._grammar)

    def _bad(self, depth: int, message: str, advice: str = "") -> OverridePathError:
        return OverridePathError(self._steps[depth].mark, message, advice)

    def _path(self, depth: int) -> str:
        return ".".join(step.name for step in self._steps[:depth])

    def _where(self, depth: int) -> str:
        return f"`{self._path(depth)}`" if depth else "the configuration"

    def _arm(self, rule: AnyOf, tree: Tree | None, depth: int) -> Rule:
        """The alternative that stands there, or else one that knows the next step."""
        if tree is not None and tree.value is not None:
            variants = self._grammar.variants(rule, tree)
            if variants and not isinstance(variants[0], Text):
                return variants[0]
        name = self._steps[depth].name
        variants = [
            variant for variant in variants_of(rule) if name in self._grammar.words(variant)
        ]
        parted = [
            a for a in variants_of(rule) if isinstance(a, Record | ChoiceOf | Layers | DictOf)
        ]
        others = [variant for variant in variants_of(rule) if not isinstance(variant, Null)]
        return (variants + parted + others)[0]

    def _record(self, tree: Tree | None, cls: type, depth: int) -> Tree:
        step, fields = self._steps[depth], fields_of(cls)
        field = next((f for f in fields if f.key == step.name), None)
        if field is None:
            keys = [f.key for f in fields]
            message = f"unknown key `{step.name}` in {self._where(depth)}"
            raise self._bad(depth, message, spelling_hint(step.name, keys))
        if tree is None or tree.value is None:
            tree = Tree({}, step.mark, step.mark)
        if not isinstance(tree.value, dict):
            return tree
        below = tree.value.get(step.name)
        if below is None and depth + 1 < len(self._steps):
            below = self._default(field, step.mark)
        value = self.write(below, field.rule, depth + 1)
        return Tree({**tree.value, step.name: value}, tree.mark, tree.key)

    def _default(self, field: Field, mark: Mark) -> Tree | None:
        """The default that an override changes a part of, where that is a choice or a list."""
        default = None if field.required else field.make_default()
        if default is None or all(
            isinstance(variant, Record) for variant in variants_of(field.rule)
        ):
            return None
        return _tree(to_builtins_by_rule(default, field.rule, self._grammar.registries), mark)

    def _mapping(self, tree: Tree | None, item: Rule, depth: int, dotted: bool = False) -> Tree:
        step, after = self._steps[depth], depth + 1
        if dotted:
            name = ".".join(each.name for each in self._steps[depth:])
            step, after = PathStep(name, step.mark), len(self._steps)
        if tree is None or tree.value is None:
            tree = Tree({}, step.mark, step.mark)
        if not isinstance(tree.value, dict):
            raise self._bad(depth, f"{self._where(depth)} has no parts")
        value = self.write(tree.value.get(step.name), item, after)
        return Tree({**tree.value, step.name: value}, tree.mark, tree.key)

    def _list(self, tree: Tree | None, rule: Rule, depth: int) -> Tree:
        step, where = self._steps[depth], self._where(depth)
        number = int(step.name) if _INDEX.fullmatch(step.name) else None
        if tree is None or tree.value is None:
            raise self._bad(depth, f"{where} is empty", f"write `{self._path(depth)}=[…]`")
        if not isinstance(tree.value, list):
            return self._item(tree, rule, 0, depth + (number == 0))
        items = list(tree.value)
        if number is None and len(items) == 1 and not isinstance(rule, Anything):
            return Tree([self._item(items[0], rule, 0, depth)], tree.mark, tree.key)
        if number is None or number >= len(items):
            what = f"a list: its items are 0 to {len(items) - 1}" if items else "an empty list"
            raise self._bad(depth, f"{where} is {what}", self._index(items, depth))
        items[number] = self._item(items[number], rule, number, depth + 1)
        return Tree(items, tree.mark, tree.key)

    def _index(self, items: list[Tree], depth: int) -> str:
        """Advice: the number of the first item that has the name of the step."""
        name = self._steps[depth].name
        for number, item in enumerate(items):
            known = item.value if isinstance(item.value, dict) else [item.value]
            if name in known:
                return f"did you mean `{self._path(depth)}.{number}.{name}`?".replace("`.", "`")
        return ""

    def _item(self, tree: Tree, rule: Rule, number: int, depth: int) -> Tree:
        match rule:
            case Layers():
                if depth == len(self._steps):
                    return self._laid_over(tree, rule)
                return self._choice(tree, "layer", LAYER_SIBLINGS, None, depth)
            case ListOf(item=item):
                return self.write(tree, item, depth)
            case Fixed(items=items):
                return self.write(tree, items[min(number, len(items) - 1)], depth)
            case _:
                return self.write(tree, rule, depth)

    def _choice(
        self, tree: Tree | None, kind: str, beside: tuple[str, ...], cls: type | None, depth: int
    ) -> Tree:
        where, step = self._where(depth), self._steps[depth]
        if tree is None or tree.value is None:
            message = f"no {kind} is chosen at {where}"
            raise self._bad(depth, message, f"choose one: `{self._path(depth)}={{{step.name}: …}}`")
        picked = parse_choice(tree, beside)
        if picked is None:
            return self._without_choice(tree, beside, depth)
        if step.name in beside:
            return self._beside(tree, picked, cls, depth)
        if step.name != picked.name:
            raise self._not_chosen(picked, kind, beside, depth)
        entry = self._entry(picked.name, kind, beside)
        if entry is None:
            return tree
        settings = self._settings(picked, entry, depth + 1)
        return Tree({picked.name: settings, **picked.beside}, tree.mark, tree.key)

    def _without_choice(self, tree: Tree, beside: tuple[str, ...], depth: int) -> Tree:
        """`same: NAME` has no layer; anything else here is malformed, which the check says."""
        step = self._steps[depth]
        if not isinstance(tree.value, dict) or "same" not in tree.value:
            return tree
        if step.name not in beside:
            message = f"{self._where(depth)} applies a layer again and has no part `{step.name}`"
            raise self._bad(depth, message, spelling_hint(step.name, beside))
        value = self.write(tree.value.get(step.name), Anything(), depth + 1)
        return Tree({**tree.value, step.name: value}, tree.mark, tree.key)

    def _entry(self, name: str, kind: str, beside: tuple[str, ...]) -> type | None:
        if beside == LAYER_SIBLINGS:
            return self._grammar.layers.get(name)
        return self._grammar.names(kind).get(name)

    def _settings(self, picked: ParsedChoice, entry: type, depth: int) -> Tree:
        fields = fields_of(entry)
        if entry is BlockUse or not fields:
            if depth == len(self._steps) and self._value.value in (None, {}):
                return self._value
            message = f"`{picked.name}` has no settings"
            raise self._bad(min(depth, len(self._steps) - 1), message)
        old = normalize_settings(picked.settings, fields, picked.mark)
        if depth < len(self._steps):
            return self._record(old, entry, depth)
        value = None if self._value.value is None else self._value
        new = normalize_settings(value, fields, self._value.mark)
        return merge(old, new, Record(entry), self._grammar)

    def _beside(self, tree: Tree, picked: ParsedChoice, cls: type | None, depth: int) -> Tree:
        step = self._steps[depth]
        fields = () if cls is None else fields_of(cls)
        rule = next((f.rule for f in fields if f.key == step.name), Anything())
        value = self.write(picked.beside.get(step.name), rule, depth + 1)
        settings = picked.settings or Tree(None, picked.mark, picked.mark)
        parts = {picked.name: settings, **picked.beside, step.name: value}
        return Tree(parts, tree.mark, tree.key)

    def _not_chosen(
        self, picked: ParsedChoice, kind: str, beside: tuple[str, ...], depth: int
    ) -> OverridePathError:
        step, path, where = self._steps[depth], self._path(depth), self._where(depth)
        entry = self._entry(picked.name, kind, beside)
        keys = [field.key for field in fields_of(entry)] if entry is not None else []
        if self._entry(step.name, kind, beside) is not None:
            message = f"{where} is `{picked.name}`, not `{step.name}`"
            return self._bad(depth, message, f"to switch, write `{path}={{{step.name}: …}}`")
        if step.name in keys:
            message = f"{where} has no part `{step.name}`"
            return self._bad(depth, message, f"did you mean `{path}.{picked.name}.{step.name}`?")
        message = f"{where} is {article(kind)}, `{picked.name}`; it has no part `{step.name}`"
        parts = [picked.name, *beside]
        return self._bad(depth, message, spelling_hint(step.name, parts))


def _tree(value: Any, mark: Mark) -> Tree:
    """Plain data as a Tree that stands at `mark`."""
    if isinstance(value, dict):
        return Tree({key: _tree(item, mark) for key, item in value.items()}, mark, mark)
    if isinstance(value, list | tuple):
        return Tree([_tree(item, mark) for item in value], mark, mark)
    return Tree(value, mark, mark)
