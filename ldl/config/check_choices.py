"""Checks of choices: a name, a name with its main value, a name with its settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ldl.config.check_containers import construct, fill
from ldl.config.checker import Checker
from ldl.config.describe import describe_value
from ldl.config.grammar import ParsedChoice, normalize_settings, sibling_keys
from ldl.config.suggest import article, cut, listing, nearest, plural, spelling_hint
from ldl.config.tree import INVALID, KeyPath, Mark, Tree, child
from ldl.config.type_rules import ChoiceOf, Field, Layers, ListOf, fields_of, variants_of


def check_choice(checker: Checker, tree: Tree, rule: ChoiceOf, path: KeyPath) -> Any:
    """An entry of a registry."""
    names = checker.grammar.names(rule.kind)
    choice = require_choice(checker, tree, rule.kind, names, ())
    if choice is None:
        return INVALID
    return check_entry(checker, choice, names[choice.name], path)


def check_with_siblings(
    checker: Checker, tree: Tree, cls: type, rule: ChoiceOf, path: KeyPath
) -> Any:
    """A dataclass with one choice, beside whose name the other fields are written."""
    names, siblings = checker.grammar.names(rule.kind), sibling_keys(cls)
    start = len(checker.problems)
    choice = require_choice(checker, tree, rule.kind, names, siblings)
    values: dict[str, Any] = {}
    for field in fields_of(cls):
        if field.has_siblings:
            value = check_entry(checker, choice, names[choice.name], path) if choice else INVALID
            values[field.name] = value
        elif isinstance(tree.value, dict) and field.key in tree.value:
            entry = tree.value[field.key]
            values[field.name] = checker.check(entry, field.rule, child(path, field.key))
        elif field.required and choice is not None:
            checker.reject(choice.mark, f"`{choice.name}` needs `{field.key}` beside it")
    if len(checker.problems) > start or any(value is INVALID for value in values.values()):
        return INVALID
    return construct(checker, cls, values, path, tree.mark)


def require_choice(
    checker: Checker, tree: Tree, kind: str, names: Mapping[str, type], siblings: Collection[str]
) -> ParsedChoice | None:
    """The choice that `tree` writes, by its documented name; None with the problem recorded."""
    if isinstance(tree.value, str):
        name = _documented(checker, tree.value, kind, tree.mark)
        choice = ParsedChoice(name, tree.mark, None, {})
        return choice if _is_known(checker, choice, kind, names) else None
    if not isinstance(tree.value, dict) or not tree.value:
        content = "an empty mapping" if tree.value == {} else describe_value(tree)
        message = f"expected {article(kind)}, found {content}"
        checker.reject(tree.mark, message, f"known: {listing(names)}")
        return None
    entries = {key: value for key, value in tree.value.items() if key not in siblings}
    if not entries:
        first = next(iter(tree.value))
        checker.reject(tree.mark, f"{article(kind)} is missing beside `{first}`")
        return None
    key = next((k for k in entries if checker.grammar.documented_name(kind, k) in names), None)
    if key is None:
        _reject_all(checker, entries, kind, names, siblings)
        return None
    settings = entries.pop(key)
    mark = settings.key or settings.mark
    name = _documented(checker, key, kind, mark)
    _reject_others(checker, name, entries, kind, names, siblings)
    return ParsedChoice(name, mark, None if settings.value is None else settings, {})


def _documented(checker: Checker, name: str, kind: str, mark: Mark) -> str:
    """The documented name of an entry; warns where `name` is a former one."""
    documented = checker.grammar.documented_name(kind, name)
    if documented != name:
        checker.warn_former_name(mark, name, documented)
    return documented


def _is_known(checker: Checker, choice: ParsedChoice, kind: str, names: Mapping[str, type]) -> bool:
    """Whether the registry has the entry; records an unknown one."""
    if choice.name in names:
        return True
    hint = spelling_hint(choice.name, names, "known")
    checker.reject(choice.mark, f"unknown {kind} `{cut(choice.name)}`", hint)
    return False


def _reject_all(
    checker: Checker,
    entries: Mapping[str, Tree],
    kind: str,
    names: Mapping[str, type],
    siblings: Collection[str],
) -> None:
    """Record unknown keys; one that resembles a sibling key is reported as a misspelt sibling."""
    for key, value in entries.items():
        mark = value.key or value.mark
        near = nearest(key, siblings) if len(entries) > 1 and not nearest(key, names) else None
        if near is not None:
            checker.reject(mark, f"unknown key `{key}`", f"did you mean `{near}`?")
        else:
            _is_known(checker, ParsedChoice(key, mark, None, {}), kind, names)


def _reject_others(
    checker: Checker,
    name: str,
    entries: Mapping[str, Tree],
    kind: str,
    names: Mapping[str, type],
    siblings: Collection[str],
) -> None:
    """Record the keys beside the choice that are no sibling keys."""
    settings = [field.key for field in fields_of(names[name])]
    for key, value in entries.items():
        mark = value.key or value.mark
        if key in settings:
            hint = f"write `{name}: {{{key}: …}}`, with the other settings in the same braces"
            checker.reject(mark, f"`{key}` is a setting of `{name}`", hint)
        elif checker.grammar.documented_name(kind, key) in names:
            hint = f"write each {kind} as a list item of its own" if siblings else "keep one"
            message = f"two {plural(kind)} where one belongs: `{name}` and `{key}`"
            checker.reject(mark, message, hint)
        else:
            hint = spelling_hint(key, [*siblings, *settings])
            checker.reject(mark, f"unknown key `{key}` beside `{name}`", hint)


def check_entry(checker: Checker, choice: ParsedChoice, cls: type, path: KeyPath) -> Any:
    """The registry entry `cls` with the settings of the choice."""
    path = child(path, choice.name)
    checker.marks[path] = choice.mark
    fields, settings = fields_of(cls), choice.settings
    if settings is not None and settings.value is INVALID:
        return INVALID
    if settings is not None and not isinstance(settings.value, dict) and not fields:
        return checker.reject(settings.mark, f"`{choice.name}` has no settings")
    if settings is not None and _is_main_value_in_braces(checker, settings, fields):
        first = fields[0].key
        hint = f"write `{choice.name}: [{{…}}]` or `{choice.name}: {{{first}: …}}`"
        return checker.reject(settings.mark, f"these are no settings of `{choice.name}`", hint)
    mapping = normalize_settings(settings, fields, choice.mark)
    return fill(checker, mapping, cls, path, f"`{choice.name}`")


def _is_main_value_in_braces(checker: Checker, settings: Tree, fields: tuple[Field, ...]) -> bool:
    """Whether the braces contain what the main value takes (`residual: {linear: 3}`)."""
    if not isinstance(settings.value, dict) or not settings.value or not fields:
        return False
    if not any(isinstance(v, ChoiceOf | Layers | ListOf) for v in variants_of(fields[0].rule)):
        return False
    words = checker.grammar.words(fields[0].rule)
    keys = [key for field in fields for key in (field.key, *field.aliases)]
    return not any(key in keys for key in settings.value) and any(
        key in words for key in settings.value
    )
