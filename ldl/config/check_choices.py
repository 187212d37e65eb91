"""Checks choices: a name, a name with its main value, a name with its settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from ldl.config import check_containers
from ldl.config.describe import found
from ldl.config.grammar import ParsedChoice, normalize_settings, sibling_keys
from ldl.config.suggest import article, cut, listing, nearest, plural, spelling_hint
from ldl.config.tree import INVALID, KeyPath, Tree, child
from ldl.config.type_rules import ChoiceOf, Field, Layers, ListOf, fields_of, variants_of

if TYPE_CHECKING:
    from ldl.config.checker import Checker


def choice(checker: Checker, tree: Tree, rule: ChoiceOf, path: KeyPath) -> Any:
    """An entry of a registry."""
    known = checker.grammar.names(rule.kind)
    picked = take(checker, tree, rule.kind, known, ())
    if picked is None:
        return INVALID
    return entry(checker, picked, known[picked.name], path)


def with_siblings(checker: Checker, tree: Tree, cls: type, rule: ChoiceOf, path: KeyPath) -> Any:
    """A dataclass one of whose fields is a choice that the other fields stand beside."""
    known, beside = checker.grammar.names(rule.kind), sibling_keys(cls)
    start = len(checker.problems)
    picked = take(checker, tree, rule.kind, known, beside)
    fields = fields_of(cls)
    values: dict[str, Any] = {}
    for field in fields:
        if field.siblings:
            value = entry(checker, picked, known[picked.name], path) if picked else INVALID
            values[field.name] = value
        elif isinstance(tree.value, dict) and field.key in tree.value:
            place = child(path, field.key)
            values[field.name] = checker.check(tree.value[field.key], field.rule, place)
        elif field.required and picked is not None:
            checker.reject(picked.mark, f"`{picked.name}` needs `{field.key}` beside it")
    if len(checker.problems) > start or any(value is INVALID for value in values.values()):
        return INVALID
    return check_containers.make(checker, cls, values, path, tree.mark)


def take(
    checker: Checker, tree: Tree, kind: str, known: Mapping[str, type], beside: Collection[str]
) -> ParsedChoice | None:
    """The choice written in `tree`; None, with the mistake recorded, where there is none."""
    if isinstance(tree.value, str):
        picked = ParsedChoice(tree.value, tree.mark, None, {})
        return picked if _known(checker, picked, kind, known) else None
    if not isinstance(tree.value, dict) or not tree.value:
        what = "an empty mapping" if tree.value == {} else found(tree)
        message = f"expected {article(kind)}, found {what}"
        checker.reject(tree.mark, message, f"known: {listing(known)}")
        return None
    names = {key: value for key, value in tree.value.items() if key not in beside}
    if not names:
        first = next(iter(tree.value))
        checker.reject(tree.mark, f"{article(kind)} is missing beside `{first}`")
        return None
    name = next((key for key in names if key in known), None)
    if name is None:
        _none_known(checker, names, kind, known, beside)
        return None
    _refuse_others(checker, name, names, kind, known, beside)
    settings = names[name]
    bare = settings.value is None
    return ParsedChoice(name, settings.key or settings.mark, None if bare else settings, {})


def _known(checker: Checker, picked: ParsedChoice, kind: str, known: Mapping[str, type]) -> bool:
    if picked.name in known:
        return True
    checker.reject(
        picked.mark,
        f"unknown {kind} `{cut(picked.name)}`",
        spelling_hint(picked.name, known, "known"),
    )
    return False


def _none_known(
    checker: Checker,
    names: Mapping[str, Tree],
    kind: str,
    known: Mapping[str, type],
    beside: Collection[str],
) -> None:
    """Of several unknown keys, those that resemble a neighbour's name are taken for it."""
    for key, value in names.items():
        mark = value.key or value.mark
        near = nearest(key, beside) if len(names) > 1 and not nearest(key, known) else None
        if near is not None:
            checker.reject(mark, f"unknown key `{key}`", f"did you mean `{near}`?")
        else:
            _known(checker, ParsedChoice(key, mark, None, {}), kind, known)


def _refuse_others(
    checker: Checker,
    name: str,
    names: Mapping[str, Tree],
    kind: str,
    known: Mapping[str, type],
    beside: Collection[str],
) -> None:
    settings = [field.key for field in fields_of(known[name])]
    for key in (key for key in names if key != name):
        mark = names[key].key or names[key].mark
        if key in settings:
            advice = f"write `{name}: {{{key}: …}}`, with the other settings in the same braces"
            checker.reject(mark, f"`{key}` is a setting of `{name}`", advice)
        elif key in known:
            advice = f"write each {kind} as a list item of its own" if beside else "keep one"
            message = f"two {plural(kind)} where one belongs: `{name}` and `{key}`"
            checker.reject(mark, message, advice)
        else:
            advice = spelling_hint(key, [*beside, *settings])
            checker.reject(mark, f"unknown key `{key}` beside `{name}`", advice)


def entry(checker: Checker, picked: ParsedChoice, cls: type, path: KeyPath) -> Any:
    """The registry's entry with its settings."""
    place = child(path, picked.name)
    checker.marks[place] = picked.mark
    fields, settings = fields_of(cls), picked.settings
    if settings is not None and settings.value is INVALID:
        return INVALID
    if settings is not None and not isinstance(settings.value, dict) and not fields:
        return checker.reject(settings.mark, f"`{picked.name}` has no settings")
    if settings is not None and _braces_for_items(checker, settings, fields):
        first = fields[0].key
        advice = f"write `{picked.name}: [{{…}}]` or `{picked.name}: {{{first}: …}}`"
        return checker.reject(settings.mark, f"these are no settings of `{picked.name}`", advice)
    spelt = normalize_settings(settings, fields, picked.mark)
    return check_containers.fill(checker, spelt, cls, place, f"`{picked.name}`")


def _braces_for_items(checker: Checker, settings: Tree, fields: tuple[Field, ...]) -> bool:
    """Whether the braces hold what the main value takes (`residual: {linear: 3}`)."""
    if not isinstance(settings.value, dict) or not settings.value or not fields:
        return False
    takes = any(
        isinstance(variant, ChoiceOf | Layers | ListOf) for variant in variants_of(fields[0].rule)
    )
    words = checker.grammar.words(fields[0].rule)
    keys = [field.key for field in fields]
    return (
        takes
        and not any(k in keys for k in settings.value)
        and any(k in words for k in settings.value)
    )
