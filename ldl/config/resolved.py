"""Typed value → plain data with every default filled in: the resolved configuration."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

from ldl.config.tree import BlockUse, Item, Registries
from ldl.config.type_rules import (
    AnyOf,
    Anything,
    ChoiceOf,
    DictOf,
    Fixed,
    Layers,
    ListOf,
    Number,
    Record,
    Rule,
    fields_of,
    rule_of,
    siblings_choice,
    variants_of,
)


def to_builtins(value: Any, registries: Registries) -> Any:
    """Mappings, lists and scalars that read back as `value`; choices as {name: {settings}}.

    An entry without settings is its bare name. `value` is a dataclass that was loaded, or one
    made by hand from the same types. Raises TypeError for what the language cannot write.
    """
    return to_builtins_by_rule(
        value, Anything() if isinstance(value, dict | list) else None, registries
    )


def to_builtins_by_rule(value: Any, rule: Rule | None, registries: Registries) -> Any:
    """`plain` of a value in the place of `rule`."""
    if rule is None:
        rule = rule_of(type(value))
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | float):
        return _number(value, rule)
    if isinstance(value, Item):
        return _item(value, registries)
    if isinstance(value, list | tuple):
        return _list(value, rule, registries)
    if isinstance(value, dict):
        return _dict(value, rule, registries)
    if is_dataclass(value) or value.__class__.__module__ != "builtins":
        return _entry(value, rule, registries)
    raise TypeError(f"the configuration language cannot write {value!r}")


def _number(value: int | float, rule: Rule) -> int | float:
    """A float's default may be written as an int in Python; it reads back as a float."""
    variants = [variant for variant in variants_of(rule) if isinstance(variant, Number)]
    return float(value) if variants and not any(variant.whole for variant in variants) else value


def _list(value: list[Any] | tuple[Any, ...], rule: Rule, registries: Registries) -> list[Any]:
    for variant in variants_of(rule):
        if isinstance(variant, Layers) and all(isinstance(item, Item) for item in value):
            return [_item(item, registries) for item in value]
        if isinstance(variant, ListOf) and not (value and isinstance(value[0], Item)):
            return [to_builtins_by_rule(item, variant.item, registries) for item in value]
        if isinstance(variant, Fixed) and len(variant.items) == len(value):
            pairs = zip(value, variant.items, strict=True)
            return [to_builtins_by_rule(item, of, registries) for item, of in pairs]
    return [to_builtins_by_rule(item, Anything(), registries) for item in value]


def _dict(value: dict[str, Any], rule: Rule, registries: Registries) -> dict[str, Any]:
    items = [variant.item for variant in variants_of(rule) if isinstance(variant, DictOf)]
    item: Rule = items[0] if items else Anything()
    return {key: to_builtins_by_rule(part, item, registries) for key, part in value.items()}


def _entry(value: Any, rule: Rule, registries: Registries) -> Any:
    """A dataclass: a section by its own rule, or an entry of a registry by its name."""
    variants = rule.variants if isinstance(rule, AnyOf) else (rule,)
    for variant in variants:
        if isinstance(variant, Record) and variant.cls is type(value):
            choice = siblings_choice(variant.cls)
            return (
                _fields(value, registries) if choice is None else _term(value, choice, registries)
            )
    for variant in variants:
        if isinstance(variant, ChoiceOf):
            name = _name(value, variant.kind, registries)
            if name is not None:
                return _chosen(name, value, registries)
    raise TypeError(f"the configuration language cannot write {value!r} here")


def _name(value: Any, kind: str, registries: Registries) -> str | None:
    return next((name for name, cls in registries[kind].items() if cls is type(value)), None)


def _chosen(name: str, value: Any, registries: Registries) -> Any:
    return {name: _fields(value, registries)} if fields_of(type(value)) else name


def _fields(value: Any, registries: Registries, siblings: bool = True) -> dict[str, Any]:
    return {
        field.key: to_builtins_by_rule(getattr(value, field.name), field.rule, registries)
        for field in fields_of(type(value))
        if siblings or not field.siblings
    }


def _term(value: Any, choice: ChoiceOf, registries: Registries) -> dict[str, Any]:
    """A dataclass whose choice stands beside its other fields."""
    field = next(field for field in fields_of(type(value)) if field.siblings)
    chosen = to_builtins_by_rule(getattr(value, field.name), choice, registries)
    named = {chosen: {}} if isinstance(chosen, str) else chosen
    return {**named, **_fields(value, registries, siblings=False)}


def _item(item: Item, registries: Registries) -> Any:
    beside: dict[str, Any] = {}
    if item.same is not None:
        beside["same"] = item.same
    if item.name is not None:
        beside["as"] = item.name
    if item.inputs is not None:
        beside["from"] = item.inputs[0] if len(item.inputs) == 1 else list(item.inputs)
    if item.layer is None:
        return beside
    if isinstance(item.layer, BlockUse):
        chosen: Any = item.layer.name
    else:
        chosen = _chosen(_layer_name(item.layer, registries), item.layer, registries)
    if not beside:
        return chosen
    return {**({chosen: {}} if isinstance(chosen, str) else chosen), **beside}


def _layer_name(layer: Any, registries: Registries) -> str:
    name = _name(layer, "layer", registries)
    if name is None:
        raise TypeError(f"no layer is called by the class {type(layer).__name__}")
    return name
