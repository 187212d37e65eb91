"""Rules and values in words, for messages."""

from __future__ import annotations

import math
from typing import Any

from ldl.config.suggest import article, cut, plural
from ldl.config.tree import Tree
from ldl.config.type_rules import (
    AnyOf,
    Bool,
    ChoiceOf,
    DictOf,
    Fixed,
    Layers,
    ListOf,
    Null,
    Number,
    OneOf,
    Record,
    Rule,
    Text,
    siblings_choice,
    variants_of,
)

_BOOLEAN_WORDS = {
    "yes": "true",
    "on": "true",
    "y": "true",
    "no": "false",
    "off": "false",
    "n": "false",
}


def describe_value(tree: Tree) -> str:
    """A value in words: "the text 'abc'", "the number 3", "a list", "nothing"."""
    value = tree.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, int | float):
        return f"the number {cut(repr(value), 24)}"
    if isinstance(value, str):
        return f"the text '{cut(value)}'"
    return "a list" if isinstance(value, list) else "a mapping"


def describe_rule(rule: Rule) -> str:
    """What a rule accepts: "a whole number or a list of whole numbers"."""
    variants = [variant for variant in variants_of(rule) if not isinstance(variant, Null)]
    words = list(dict.fromkeys(_singular(variant) for variant in variants))
    if {"a number", "a whole number"} <= set(words):
        words.remove("a whole number")
    if len(variants) < len(variants_of(rule)):
        words.append("nothing (`null`)" if not words else "`null`")
    return alternatives(words)


def conversion_hint(tree: Tree, rule: Rule) -> str:
    """What to write instead of a value that only looks like another type; else empty."""
    rule_types = {type(variant) for variant in variants_of(rule)}
    value = tree.value
    if isinstance(value, bool | int | float):
        return "put it in quotes to make it text" if Text in rule_types else ""
    if not isinstance(value, str):
        return ""
    if Bool in rule_types and value.lower() in _BOOLEAN_WORDS:
        return f"did you mean `{_BOOLEAN_WORDS[value.lower()]}`?"
    number = value.replace(",", ".").replace("_", "").strip()
    return (
        f"write `{number}`, without quotes" if Number in rule_types and _is_number(number) else ""
    )


def _is_number(text: str) -> bool:
    try:
        return text.isascii() and math.isfinite(float(text))
    except ValueError:
        return False


def alternatives(words: list[str]) -> str:
    """The words as "a, b or c"."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def _singular(rule: Rule) -> str:
    match rule:
        case Bool():
            return "`true` or `false`"
        case Number(whole=whole):
            return "a whole number" if whole else "a number"
        case Text(file=file):
            return "the name of a file" if file else "text"
        case OneOf(values=values):
            return literals(values)
        case ListOf(item=item):
            return f"a list of {_plural(item)}"
        case Fixed(items=items):
            return f"a list of {len(items)} {_plural(items[0]) if items else 'items'}"
        case ChoiceOf(kind=kind):
            return article(kind)
        case Layers():
            return "a list of layers"
        case Record(cls=cls) if (choice := siblings_choice(cls)) is not None:
            return article(choice.kind)
        case Record():
            return "a mapping of settings"
        case DictOf():
            return "a mapping"
        case _:
            return "a value"


def _plural(rule: Rule) -> str:
    match rule:
        case Number(whole=whole):
            return "whole numbers" if whole else "numbers"
        case Text(file=file):
            return "file names" if file else "texts"
        case ChoiceOf(kind=kind):
            return plural(kind)
        case Record(cls=cls) if (choice := siblings_choice(cls)) is not None:
            return plural(choice.kind)
        case AnyOf(variants=variants):
            return alternatives(list(dict.fromkeys(_plural(variant) for variant in variants)))
        case _:
            return "items"


def literals(values: tuple[Any, ...]) -> str:
    """The words of a Literal as "`a`, `b` or `c`"."""
    return alternatives([f"`{literal(value)}`" for value in values])


def literal(value: Any) -> str:
    """A word of a Literal as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
