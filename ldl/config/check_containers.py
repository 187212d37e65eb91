"""Checks containers: lists, tuples, mappings, dataclasses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ldl.config.suggest import nearest, spelling_hint
from ldl.config.tree import INVALID, KeyPath, Mark, Tree, child
from ldl.config.type_rules import DictOf, Field, Fixed, ListOf, Record, fields_of
from ldl.errors import SettingError

if TYPE_CHECKING:
    from ldl.config.checker import Checker

BESIDE = ("as", "from")  # what layers and losses bear beside their settings, not among them


def list_of(checker: Checker, tree: Tree, rule: ListOf, path: KeyPath) -> Any:
    """A list; one choice alone may stand for a list of it."""
    single = isinstance(tree.value, str | dict) and checker.grammar.takes_one(rule)
    if not isinstance(tree.value, list) and not single:
        advice = "" if tree.value is None else "put it in brackets: `[…]`"
        return checker.unexpected(tree, rule, "" if isinstance(tree.value, dict) else advice)
    trees = tree.value if isinstance(tree.value, list) else [tree]
    items = [checker.check(item, rule.item, child(path, i)) for i, item in enumerate(trees)]
    if any(item is INVALID for item in items):
        return INVALID
    return tuple(items) if rule.as_tuple else items


def fixed(checker: Checker, tree: Tree, rule: Fixed, path: KeyPath) -> Any:
    """A tuple of a given length."""
    if not isinstance(tree.value, list):
        return checker.unexpected(tree, rule)
    if len(tree.value) != len(rule.items):
        message = f"expected {len(rule.items)} items, found {len(tree.value)}"
        return checker.reject(tree.mark, message)
    pairs = enumerate(zip(tree.value, rule.items, strict=True))
    items = tuple(checker.check(item, of, child(path, i)) for i, (item, of) in pairs)
    return INVALID if any(item is INVALID for item in items) else items


def dict_of(checker: Checker, tree: Tree, rule: DictOf, path: KeyPath) -> Any:
    """A mapping from any text."""
    if not isinstance(tree.value, dict):
        return checker.unexpected(tree, rule)
    made = {k: checker.check(item, rule.item, child(path, k)) for k, item in tree.value.items()}
    return INVALID if any(item is INVALID for item in made.values()) else made


def record(checker: Checker, tree: Tree, rule: Record, path: KeyPath) -> Any:
    """A dataclass; `train:` with nothing under it is its defaults."""
    if tree.value is not None and not isinstance(tree.value, dict):
        return checker.unexpected(tree, rule, _as_mapping(checker, tree, fields_of(rule.cls)))
    where = f"`{path[-1]}`" if path else "the configuration"
    return fill(checker, tree, rule.cls, path, where)


def _as_mapping(checker: Checker, tree: Tree, fields: tuple[Field, ...]) -> str:
    """Advice: the mapping that was meant, where the value is a name that a field knows."""
    for field in fields:
        if isinstance(tree.value, str) and tree.value in checker.grammar.words(field.rule):
            return f"write `{{{field.key}: {tree.value}}}`"
    return f"write `{{{fields[0].key}: …}}`" if fields else ""


def fill(checker: Checker, tree: Tree, cls: type, path: KeyPath, where: str) -> Any:
    """The dataclass from a mapping of its settings; `where` is what messages call it."""
    fields = fields_of(cls)
    entries = tree.value if isinstance(tree.value, dict) else {}
    start = len(checker.problems)
    keys = [*(field.key for field in fields), *(() if path else checker.ignored_sections)]
    meant = {_unknown(checker, key, value, keys, where) for key, value in entries.items()}
    values = {}
    for field in fields:
        if field.key in entries:
            value = checker.check(entries[field.key], field.rule, child(path, field.key))
            values[field.name] = value
        elif field.required:
            values[field.name] = INVALID
    lacking = [f"`{f.key}`" for f in fields if f.required and f.key not in {*entries, *meant}]
    if lacking and not checker.partial:
        checker.reject(tree.key or tree.mark, f"{where} needs {' and '.join(lacking)}")
    if len(checker.problems) > start or any(value is INVALID for value in values.values()):
        return INVALID
    return make(checker, cls, values, path, tree.key or tree.mark)


def _unknown(checker: Checker, key: str, value: Tree, keys: list[str], where: str) -> str | None:
    """Record a key that is no field; returns the one that was meant, so that it is not missed."""
    if key in keys:
        return None
    advice = spelling_hint(key, keys) if keys else "it has no settings"
    if key in BESIDE and where.startswith("`"):
        advice = f"`{key}` stands beside it: `{{{where.strip('`')}: …, {key}: …}}`"
    checker.reject(value.key or value.mark, f"unknown key `{key}` in {where}", advice)
    return nearest(key, keys)


def make(checker: Checker, cls: type, values: dict[str, Any], path: KeyPath, mark: Mark) -> Any:
    """The dataclass; what its own checks refuse is recorded at that setting's place."""
    try:
        return cls(**values)
    except SettingError as error:
        steps = [step.rstrip("_") for step in error.setting.split(".") if step]
        place = next(
            (checker.marks[p] for p in _prefixes(child(path, *steps)) if p in checker.marks), mark
        )
        return checker.reject(place, f"{error.setting.rstrip('_')}: {error.reason}")


def _prefixes(path: KeyPath) -> list[KeyPath]:
    return [path[:length] for length in range(len(path), -1, -1)]
