"""Follows a dotted key path into a configuration and writes a value at its end."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from ldl.config.describe import describe_rule
from ldl.config.grammar import (
    LAYER_SIBLINGS,
    Grammar,
    ParsedChoice,
    normalize_settings,
    rename_aliases,
    sibling_keys,
)
from ldl.config.resolved import to_builtins_by_rule
from ldl.config.suggest import article, spelling_hint
from ldl.config.tree import COMMAND_LINE, BlockUse, Invalid, Mark, Tree
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
    """One key of a path and its position."""

    name: str
    mark: Mark


class OverridePathError(Exception):
    """The path leads nowhere; the arguments are the mark, the message and the hint."""


class AbsentPath(OverridePathError):
    """The path leads to something that the configuration could have and has not.

    `depth` is the number of steps that lead to where it is absent.
    """

    def __init__(self, depth: int, mark: Mark, message: str, hint: str = "") -> None:
        super().__init__(mark, message, hint)
        self.depth = depth


def _in_long_form(tree: Tree | None, rule: AnyOf, variant: Rule) -> Tree | None:
    """A text that may stand for a section, as the section's first setting: PATH as {run: PATH}."""
    is_text = tree is not None and isinstance(tree.value, str)
    may_be_text = any(isinstance(v, Text) for v in rule.variants)
    if tree is None or not (is_text and may_be_text and isinstance(variant, Record)):
        return tree
    return Tree({fields_of(variant.cls)[0].key: tree}, tree.mark, tree.key)


class PathWriter:
    """Writes `value` at the end of `steps`; the trees that it is given stay unchanged."""

    def __init__(self, steps: tuple[PathStep, ...], value: Tree, grammar: Grammar) -> None:
        self._steps = steps
        self._value = value
        self._grammar = grammar

    def write(self, tree: Tree | None, rule: Rule, depth: int) -> Tree:
        """The tree with the value written at the steps from `depth` on.

        Raises OverridePathError.
        """
        if depth == len(self._steps):
            return self._merge_value(tree, rule)
        if tree is not None and isinstance(tree.value, Invalid):
            return tree
        if isinstance(rule, AnyOf):
            variant = self._choose_variant(rule, tree, depth)
            tree, rule = _in_long_form(tree, rule, variant), variant
        match rule:
            case Record(cls=cls) if (choice := siblings_choice(cls)) is not None:
                return self._write_choice(tree, choice.kind, sibling_keys(cls), cls, depth)
            case Record(cls=cls):
                return self._write_record(tree, cls, depth)
            case ChoiceOf(kind=kind):
                return self._write_choice(tree, kind, (), None, depth)
            case Layers() | ListOf() | Fixed():
                return self._write_list(tree, rule, depth)
            case DictOf(item=item, dotted=dotted):
                return self._write_mapping(tree, item, depth, dotted)
            case Anything() if tree is not None and isinstance(tree.value, list):
                return self._write_list(tree, rule, depth)
            case Anything():
                return self._write_mapping(tree, rule, depth)
        raise self._error(depth, f"`{self._path(depth)}` is {describe_rule(rule)} and has no parts")

    def _merge_value(self, tree: Tree | None, rule: Rule) -> Tree:
        return self._value if tree is None else merge(tree, self._value, rule, self._grammar)

    def _error(self, depth: int, message: str, hint: str = "") -> OverridePathError:
        return OverridePathError(self._steps[depth].mark, message, hint)

    def _absent(self, depth: int, message: str, hint: str) -> AbsentPath:
        return AbsentPath(depth, self._steps[depth].mark, message, hint)

    def _path(self, depth: int) -> str:
        return ".".join(step.name for step in self._steps[:depth])

    def _title(self, depth: int) -> str:
        return f"`{self._path(depth)}`" if depth else "the configuration"

    def _choose_variant(self, rule: AnyOf, tree: Tree | None, depth: int) -> Rule:
        """The variant that the present value has, or else one that knows the next step."""
        if tree is not None and tree.value is not None:
            variants = self._grammar.variants(rule, tree)
            if variants and not isinstance(variants[0], Text):
                return variants[0]
        name = self._steps[depth].name
        knowing = [v for v in rule.variants if name in self._grammar.words(v)]
        mappings = [v for v in rule.variants if isinstance(v, Record | ChoiceOf | Layers | DictOf)]
        not_null = [v for v in rule.variants if not isinstance(v, Null)]
        return (knowing + mappings + not_null)[0]

    def _write_record(self, tree: Tree | None, cls: type, depth: int) -> Tree:
        step, fields = self._steps[depth], fields_of(cls)
        field = next((f for f in fields if step.name in (f.key, *f.aliases)), None)
        if field is None:
            message = f"unknown key `{step.name}` in {self._title(depth)}"
            raise self._error(depth, message, spelling_hint(step.name, [f.key for f in fields]))
        if tree is None or tree.value is None:
            tree = Tree({}, step.mark, step.mark)
        if not isinstance(tree.value, dict):
            return tree
        entries = rename_aliases(tree.value, fields)
        below = entries.get(field.key)
        alias = "" if step.name == field.key else step.name
        if below is not None and below.mark.file == COMMAND_LINE and below.alias != alias:
            former = alias or below.alias
            message = f"`{former}` is the former name of `{field.key}`: both are given"
            raise self._error(depth, message, f"keep `{field.key}`")
        if below is None and depth + 1 < len(self._steps):
            below = self._default(field, step.mark)
        value = self.write(below, field.rule, depth + 1)
        entries[field.key] = replace(value, alias=alias)
        return Tree(entries, tree.mark, tree.key)

    def _default(self, field: Field, mark: Mark) -> Tree | None:
        """The default of a choice or a list, of which an override can change a part; else None."""
        default = None if field.required else field.make_default()
        if default is None or all(isinstance(v, Record) for v in variants_of(field.rule)):
            return None
        return to_tree(to_builtins_by_rule(default, field.rule, self._grammar.registries), mark)

    def _write_mapping(
        self, tree: Tree | None, item: Rule, depth: int, dotted: bool = False
    ) -> Tree:
        step, after = self._steps[depth], depth + 1
        if dotted:
            name = ".".join(step.name for step in self._steps[depth:])
            step, after = PathStep(name, step.mark), len(self._steps)
        if tree is None or tree.value is None:
            tree = Tree({}, step.mark, step.mark)
        if not isinstance(tree.value, dict):
            raise self._error(depth, f"{self._title(depth)} has no parts")
        value = self.write(tree.value.get(step.name), item, after)
        return Tree({**tree.value, step.name: value}, tree.mark, tree.key)

    def _write_list(self, tree: Tree | None, rule: Rule, depth: int) -> Tree:
        step, title = self._steps[depth], self._title(depth)
        number = int(step.name) if _INDEX.fullmatch(step.name) else None
        if tree is None or tree.value is None:
            raise self._absent(depth, f"{title} is empty", f"write `{self._path(depth)}=[…]`")
        if not isinstance(tree.value, list):
            return self._write_item(tree, rule, 0, depth + (number == 0))
        items = list(tree.value)
        if number is None and len(items) == 1 and not isinstance(rule, Anything):
            return Tree([self._write_item(items[0], rule, 0, depth)], tree.mark, tree.key)
        if number is None or number >= len(items):
            content = f"a list: its items are 0 to {len(items) - 1}" if items else "an empty list"
            raise self._absent(depth, f"{title} is {content}", self._index_hint(items, depth))
        items[number] = self._write_item(items[number], rule, number, depth + 1)
        return Tree(items, tree.mark, tree.key)

    def _index_hint(self, items: list[Tree], depth: int) -> str:
        """The path with the number of the first item that has the name of the step."""
        name = self._steps[depth].name
        for number, item in enumerate(items):
            names = item.value if isinstance(item.value, dict) else [item.value]
            if name in names:
                return f"did you mean `{self._path(depth)}.{number}.{name}`?".replace("`.", "`")
        return ""

    def _write_item(self, tree: Tree, rule: Rule, number: int, depth: int) -> Tree:
        match rule:
            case Layers():
                if depth == len(self._steps):
                    return self._merge_value(tree, rule)
                return self._write_choice(tree, "layer", LAYER_SIBLINGS, None, depth)
            case ListOf(item=item):
                return self.write(tree, item, depth)
            case Fixed(items=items):
                return self.write(tree, items[min(number, len(items) - 1)], depth)
            case _:
                return self.write(tree, rule, depth)

    def _write_choice(
        self, tree: Tree | None, kind: str, siblings: tuple[str, ...], cls: type | None, depth: int
    ) -> Tree:
        step = self._steps[depth]
        if tree is None or tree.value is None:
            hint = f"choose one: `{self._path(depth)}={{{step.name}: …}}`"
            raise self._absent(depth, f"no {kind} is chosen at {self._title(depth)}", hint)
        choice = self._grammar.parse_choice(tree, kind, siblings)
        if choice is None:
            return self._write_without_choice(tree, siblings, depth)
        if step.name in siblings:
            return self._write_sibling(tree, choice, cls, depth)
        entry = self._grammar.entry_class(choice.name, kind, siblings)
        if self._grammar.documented_name(kind, step.name) != choice.name:
            raise self._not_chosen(choice, entry, kind, siblings, depth)
        if entry is None:
            return tree
        settings = self._write_settings(choice, entry, depth + 1)
        return Tree({choice.name: settings, **choice.siblings}, tree.mark, tree.key)

    def _write_without_choice(self, tree: Tree, siblings: tuple[str, ...], depth: int) -> Tree:
        """A sibling key of `same: NAME`; anything malformed stays, and the check reports it."""
        step = self._steps[depth]
        if not isinstance(tree.value, dict) or "same" not in tree.value:
            return tree
        if step.name not in siblings:
            message = f"{self._title(depth)} applies a layer again and has no part `{step.name}`"
            raise self._error(depth, message, spelling_hint(step.name, siblings))
        value = self.write(tree.value.get(step.name), Anything(), depth + 1)
        return Tree({**tree.value, step.name: value}, tree.mark, tree.key)

    def _write_settings(self, choice: ParsedChoice, entry: type, depth: int) -> Tree:
        fields = fields_of(entry)
        if entry is BlockUse or not fields:
            if depth == len(self._steps) and self._value.value in (None, {}):
                return self._value
            message = f"`{choice.name}` has no settings"
            raise self._error(min(depth, len(self._steps) - 1), message)
        base = normalize_settings(choice.settings, fields, choice.mark)
        if depth < len(self._steps):
            return self._write_record(base, entry, depth)
        value = None if self._value.value is None else self._value
        over = normalize_settings(value, fields, self._value.mark)
        return merge(base, over, Record(entry), self._grammar)

    def _write_sibling(
        self, tree: Tree, choice: ParsedChoice, cls: type | None, depth: int
    ) -> Tree:
        step = self._steps[depth]
        fields = () if cls is None else fields_of(cls)
        rule = next((f.rule for f in fields if f.key == step.name), Anything())
        value = self.write(choice.siblings.get(step.name), rule, depth + 1)
        settings = choice.settings or Tree(None, choice.mark, choice.mark)
        entries = {choice.name: settings, **choice.siblings, step.name: value}
        return Tree(entries, tree.mark, tree.key)

    def _not_chosen(
        self,
        choice: ParsedChoice,
        entry: type | None,
        kind: str,
        siblings: tuple[str, ...],
        depth: int,
    ) -> OverridePathError:
        """The error of a step that is not the name of the present choice."""
        step, path, title = self._steps[depth], self._path(depth), self._title(depth)
        keys = [field.key for field in fields_of(entry)] if entry is not None else []
        if self._grammar.entry_class(step.name, kind, siblings) is not None:
            message = f"{title} is `{choice.name}`, not `{step.name}`"
            return self._absent(depth, message, f"to switch, write `{path}={{{step.name}: …}}`")
        if step.name in keys:
            message = f"{title} has no part `{step.name}`"
            return self._error(depth, message, f"did you mean `{path}.{choice.name}.{step.name}`?")
        message = f"{title} is {article(kind)}, `{choice.name}`; it has no part `{step.name}`"
        return self._error(depth, message, spelling_hint(step.name, [choice.name, *siblings]))


def to_tree(value: Any, mark: Mark) -> Tree:
    """Mappings, lists and scalars as a Tree at `mark`."""
    if isinstance(value, dict):
        return Tree({key: to_tree(item, mark) for key, item in value.items()}, mark, mark)
    if isinstance(value, list | tuple):
        return Tree([to_tree(item, mark) for item in value], mark, mark)
    return Tree(value, mark, mark)
