"""Checks of lists, tuples, mappings and dataclasses."""

from __future__ import annotations

from typing import Any

from ldl.config.checker import Checker
from ldl.config.grammar import rename_aliases
from ldl.config.suggest import nearest, spelling_hint
from ldl.config.tree import INVALID, KeyPath, Mark, Tree, child, path_prefixes
from ldl.config.type_rules import DictOf, Field, Fixed, ListOf, Record, fields_of
from ldl.errors import SettingError

SIBLINGS = ("as", "from")  # keys of layers and losses that are no settings of theirs


def check_list(checker: Checker, tree: Tree, rule: ListOf, path: KeyPath) -> Any:
    """A list or tuple; a list of choices may be written as one choice."""
    single = isinstance(tree.value, str | dict) and checker.grammar.takes_one(rule)
    if not isinstance(tree.value, list) and not single:
        no_brackets = tree.value is not None and not isinstance(tree.value, dict)
        hint = "put it in brackets: `[…]`" if no_brackets else ""
        return checker.reject_type(tree, rule, hint)
    trees = tree.value if isinstance(tree.value, list) else [tree]
    items = [checker.check(item, rule.item, child(path, i)) for i, item in enumerate(trees)]
    if any(item is INVALID for item in items):
        return INVALID
    return tuple(items) if rule.as_tuple else items


def check_fixed(checker: Checker, tree: Tree, rule: Fixed, path: KeyPath) -> Any:
    """A tuple of a fixed length."""
    if not isinstance(tree.value, list):
        return checker.reject_type(tree, rule)
    if len(tree.value) != len(rule.items):
        message = f"expected {len(rule.items)} items, found {len(tree.value)}"
        return checker.reject(tree.mark, message)
    pairs = enumerate(zip(tree.value, rule.items, strict=True))
    items = tuple(checker.check(item, of, child(path, i)) for i, (item, of) in pairs)
    return INVALID if any(item is INVALID for item in items) else items


def check_dict(checker: Checker, tree: Tree, rule: DictOf, path: KeyPath) -> Any:
    """A mapping from any text."""
    if not isinstance(tree.value, dict):
        return checker.reject_type(tree, rule)
    entries = {
        key: checker.check(item, rule.item, child(path, key)) for key, item in tree.value.items()
    }
    return INVALID if any(item is INVALID for item in entries.values()) else entries


def check_record(checker: Checker, tree: Tree, rule: Record, path: KeyPath) -> Any:
    """A dataclass; an empty value (`train:`) means its defaults."""
    if tree.value is not None and not isinstance(tree.value, dict):
        return checker.reject_type(tree, rule, _mapping_hint(checker, tree, fields_of(rule.cls)))
    title = f"`{path[-1]}`" if path else "the configuration"
    return fill(checker, tree, rule.cls, path, title)


def _mapping_hint(checker: Checker, tree: Tree, fields: tuple[Field, ...]) -> str:
    """The mapping that was probably meant, where the value is a word that one field takes."""
    for field in fields:
        if isinstance(tree.value, str) and tree.value in checker.grammar.words(field.rule):
            return f"write `{{{field.key}: {tree.value}}}`"
    return f"write `{{{fields[0].key}: …}}`" if fields else ""


def fill(checker: Checker, tree: Tree, cls: type, path: KeyPath, title: str) -> Any:
    """The dataclass from a mapping of its settings; messages call it `title`."""
    fields = fields_of(cls)
    start = len(checker.problems)
    entries = _entries(checker, tree, fields)
    keys = [*(field.key for field in fields), *(() if path else checker.ignored_sections)]
    near = {_reject_unknown(checker, key, value, keys, title) for key, value in entries.items()}
    values = {}
    for field in fields:
        if field.key in entries:
            value = checker.check(entries[field.key], field.rule, child(path, field.key))
            values[field.name] = value
        elif field.required:
            values[field.name] = INVALID
    missing = [f"`{f.key}`" for f in fields if f.required and f.key not in {*entries, *near}]
    if missing and not checker.partial:
        checker.reject(tree.key or tree.mark, f"{title} needs {' and '.join(missing)}")
    if path in checker.partly:
        for field in fields:
            if values.get(field.name) is INVALID and not field.required:
                checker.dropped.add(child(path, field.key))
                del values[field.name]
    elif len(checker.problems) > start:
        return INVALID
    if any(value is INVALID for value in values.values()):
        return INVALID
    return construct(checker, cls, values, path, tree.key or tree.mark)


def _entries(checker: Checker, tree: Tree, fields: tuple[Field, ...]) -> dict[str, Tree]:
    """The entries of a mapping by documented names; warns of former ones, refuses both at once."""
    if not isinstance(tree.value, dict):
        return {}
    entries = rename_aliases(tree.value, fields)
    for field in fields:
        if field.key in entries and (former := entries[field.key].alias):
            mark = entries[field.key].key or entries[field.key].mark
            checker.warn_former_name(mark, former, field.key)
        for former in field.aliases:
            if former in entries:
                mark = entries[former].key or entries[former].mark
                message = f"`{former}` is the former name of `{field.key}`, which is given too"
                checker.reject(mark, message, f"keep `{field.key}`")
                del entries[former]
    return entries


def _reject_unknown(
    checker: Checker, key: str, value: Tree, keys: list[str], title: str
) -> str | None:
    """Record a key that is no field; returns the field that was probably meant."""
    if key in keys:
        return None
    hint = spelling_hint(key, keys) if keys else "it has no settings"
    if key in SIBLINGS and title.startswith("`"):
        hint = f"`{key}` stands beside it: `{{{title.strip('`')}: …, {key}: …}}`"
    checker.reject(value.key or value.mark, f"unknown key `{key}` in {title}", hint)
    return nearest(key, keys)


def construct(
    checker: Checker, cls: type, values: dict[str, Any], path: KeyPath, mark: Mark
) -> Any:
    """The dataclass; a SettingError of its own checks is recorded where that setting is written."""
    try:
        return cls(**values)
    except SettingError as error:
        steps = [step.rstrip("_") for step in error.setting.split(".") if step]
        prefixes = path_prefixes(child(path, *steps))
        nearest_mark = next((checker.marks[p] for p in prefixes if p in checker.marks), mark)
        return checker.reject(nearest_mark, f"{error.setting.rstrip('_')}: {error.reason}")
