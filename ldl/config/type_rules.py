"""Type hints compiled into rules, which checking, merging and the JSON Schema follow."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from ldl.config.tree import Siblings
from ldl.fields import AddedLater, Alias, Choice, Doc, DottedKeys, FilePath, LayerList, Range


@dataclass(frozen=True)
class Null:
    """`null`, `~` or nothing."""


@dataclass(frozen=True)
class Bool:
    """`true` or `false`."""


@dataclass(frozen=True)
class Number:
    """A number within `limits`; a whole number if `whole`."""

    whole: bool
    limits: Range | None = None


@dataclass(frozen=True)
class Text:
    """Text; if `file`, the name of a file, relative to the file that contains it."""

    file: bool = False


@dataclass(frozen=True)
class OneOf:
    """One of several words or numbers."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class ListOf:
    """A list of any length; a tuple in Python if `as_tuple`."""

    item: Rule
    as_tuple: bool


@dataclass(frozen=True)
class Fixed:
    """A tuple of a fixed length, each item with its own rule."""

    items: tuple[Rule, ...]


@dataclass(frozen=True)
class DictOf:
    """A mapping from any text; its keys are dotted key paths if `dotted`."""

    item: Rule
    dotted: bool = False


@dataclass(frozen=True)
class Record:
    """A dataclass, written as a mapping of its fields."""

    cls: type


@dataclass(frozen=True)
class ChoiceOf:
    """An entry of a registry."""

    kind: str


@dataclass(frozen=True)
class Layers:
    """A network's layers."""


@dataclass(frozen=True)
class AnyOf:
    """The first of several rules that accepts the value."""

    variants: tuple[Rule, ...]


@dataclass(frozen=True)
class Anything:
    """Any data."""


Rule = (
    Null | Bool | Number | Text | OneOf | ListOf | Fixed | DictOf | Record | ChoiceOf | Layers
    | AnyOf | Anything
)  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One field of a dataclass: a setting.

    `key` is its name in YAML (`from_` is written `from`), `aliases` are its former names, oldest
    first, `doc` is its meaning in one line. A field that `has_siblings` is the choice beside
    which the other fields are written. Content keys leave out the default of one `added_later`.
    """

    name: str
    key: str
    rule: Rule
    required: bool
    has_siblings: bool
    make_default: Callable[[], Any]
    doc: str
    aliases: tuple[str, ...] = ()
    added_later: bool = False


def fields_of(cls: type) -> tuple[Field, ...]:
    """The settings of a dataclass, in order; none for any other class."""
    return _fields_of(cls)


@cache
def _fields_of(cls: type) -> tuple[Field, ...]:
    if not is_dataclass(cls):
        return ()
    hints = get_type_hints(cls, include_extras=True)
    return tuple(_field(f, hints[f.name]) for f in fields(cls) if f.init)


def _field(field: Any, hint: Any) -> Field:
    rule, make = rule_of(hint), _default_maker(field)
    required = field.default is MISSING and field.default_factory is MISSING
    if field.default is None and not isinstance(rule, Anything):
        rule = any_of((Null(), rule))
    marks = getattr(hint, "__metadata__", ())
    has_siblings = any(isinstance(m, Siblings) for m in marks)
    doc = next((m.text for m in marks if isinstance(m, Doc)), "")
    aliases = tuple(m.name for m in marks if isinstance(m, Alias))
    key = field.name.rstrip("_")
    added_later = any(isinstance(m, AddedLater) for m in marks)
    return Field(field.name, key, rule, required, has_siblings, make, doc, aliases, added_later)


def _default_maker(field: Any) -> Callable[[], Any]:
    if field.default_factory is not MISSING:
        factory: Callable[[], Any] = field.default_factory
        return factory
    return lambda: field.default


def siblings_choice(cls: type) -> ChoiceOf | None:
    """The choice beside whose name the other fields of the dataclass are written, if any."""
    for field in fields_of(cls):
        if field.has_siblings:
            return next((v for v in variants_of(field.rule) if isinstance(v, ChoiceOf)), None)
    return None


def variants_of(rule: Rule) -> tuple[Rule, ...]:
    """The variants of a union; of another rule the rule itself."""
    return rule.variants if isinstance(rule, AnyOf) else (rule,)


def any_of(rules: tuple[Rule, ...]) -> Rule:
    """The union of several rules, flattened and without repetition."""
    flat = tuple(dict.fromkeys(variant for rule in rules for variant in variants_of(rule)))
    if any(isinstance(variant, Anything) for variant in flat):
        return Anything()
    return flat[0] if len(flat) == 1 else AnyOf(flat)


_SCALAR_RULES: dict[Any, Rule] = {
    None: Null(),
    type(None): Null(),
    bool: Bool(),
    int: Number(True),
    float: Number(False),
    str: Text(),
    Any: Anything(),
    object: Anything(),
}


def rule_of(hint: Any) -> Rule:
    """The rule of a type hint. Raises TypeError for a type that the language cannot express."""
    if isinstance(hint, type) and is_dataclass(hint):
        return Record(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin is None:
        if hint in _SCALAR_RULES:
            return _SCALAR_RULES[hint]
    elif origin is Annotated:
        return _annotated(rule_of(args[0]), args[1:])
    elif origin in (Union, types.UnionType):
        return any_of(tuple(rule_of(arg) for arg in args))
    elif origin is Literal:
        words = tuple(arg for arg in args if arg is not None)
        nulls = (Null(),) if None in args else ()
        return any_of((*((OneOf(words),) if words else ()), *nulls))
    elif origin is list:
        return ListOf(rule_of(args[0]), as_tuple=False)
    elif origin is tuple and args[-1] is Ellipsis:
        return ListOf(rule_of(args[0]), as_tuple=True)
    elif origin is tuple:
        return Fixed(tuple(rule_of(arg) for arg in args))
    elif origin is dict and args[0] is str:
        return DictOf(rule_of(args[1]))
    raise TypeError(f"the configuration language cannot express {hint!r}")


def _annotated(rule: Rule, marks: tuple[Any, ...]) -> Rule:
    chosen: list[Rule] = [ChoiceOf(m.kind) for m in marks if isinstance(m, Choice)]
    chosen += [Layers() for m in marks if isinstance(m, LayerList)]
    if chosen:
        rest = () if isinstance(rule, Anything) else variants_of(rule)
        return any_of((*chosen, *rest))
    limits = next((m for m in marks if isinstance(m, Range)), None)
    file = any(isinstance(m, FilePath) for m in marks)
    dotted = any(isinstance(m, DottedKeys) for m in marks)
    variants: list[Rule] = []
    for variant in variants_of(rule):
        if isinstance(variant, Number) and limits is not None:
            variants.append(Number(variant.whole, limits))
        elif isinstance(variant, DictOf) and dotted:
            variants.append(DictOf(variant.item, dotted=True))
        else:
            variants.append(Text(file=True) if file and isinstance(variant, Text) else variant)
    return any_of(tuple(variants))
