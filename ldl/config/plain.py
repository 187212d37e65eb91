"""Typed value → plain data with every default filled in: the resolved configuration."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

from ldl.config.rules import (
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
    arms_of,
    fields_of,
    rule_of,
    siblings_choice,
)
from ldl.config.tree import Block, Item, Kinds


def plain(value: Any, kinds: Kinds) -> Any:
    """Mappings, lists and scalars that read back as `value`; choices as {name: {settings}}.

    An entry without settings is its bare name. `value` is a dataclass that was loaded, or one
    made by hand from the same types. Raises TypeError for what the language cannot write.
    """
    return plain_by_rule(value, Anything() if isinstance(value, dict | list) else None, kinds)


def plain_by_rule(value: Any, rule: Rule | None, kinds: Kinds) -> Any:
    """`plain` of a value in the place of `rule`."""
    if rule is None:
        rule = rule_of(type(value))
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | float):
        return _number(value, rule)
    if isinstance(value, Item):
        return _item(value, kinds)
    if isinstance(value, list | tuple):
        return _list(value, rule, kinds)
    if isinstance(value, dict):
        return _dict(value, rule, kinds)
    if is_dataclass(value) or value.__class__.__module__ != "builtins":
        return _entry(value, rule, kinds)
    raise TypeError(f"the configuration language cannot write {value!r}")


def _number(value: int | float, rule: Rule) -> int | float:
    """A float's default may be written as an int in Python; it reads back as a float."""
    arms = [arm for arm in arms_of(rule) if isinstance(arm, Number)]
    return float(value) if arms and not any(arm.whole for arm in arms) else value


def _list(value: list[Any] | tuple[Any, ...], rule: Rule, kinds: Kinds) -> list[Any]:
    for arm in arms_of(rule):
        if isinstance(arm, Layers) and all(isinstance(item, Item) for item in value):
            return [_item(item, kinds) for item in value]
        if isinstance(arm, ListOf) and not (value and isinstance(value[0], Item)):
            return [plain_by_rule(item, arm.item, kinds) for item in value]
        if isinstance(arm, Fixed) and len(arm.items) == len(value):
            pairs = zip(value, arm.items, strict=True)
            return [plain_by_rule(item, of, kinds) for item, of in pairs]
    return [plain_by_rule(item, Anything(), kinds) for item in value]


def _dict(value: dict[str, Any], rule: Rule, kinds: Kinds) -> dict[str, Any]:
    items = [arm.item for arm in arms_of(rule) if isinstance(arm, DictOf)]
    item: Rule = items[0] if items else Anything()
    return {key: plain_by_rule(part, item, kinds) for key, part in value.items()}


def _entry(value: Any, rule: Rule, kinds: Kinds) -> Any:
    """A dataclass: a section by its own rule, or an entry of a registry by its name."""
    arms = rule.arms if isinstance(rule, AnyOf) else (rule,)
    for arm in arms:
        if isinstance(arm, Record) and arm.cls is type(value):
            choice = siblings_choice(arm.cls)
            return _fields(value, kinds) if choice is None else _term(value, choice, kinds)
    for arm in arms:
        if isinstance(arm, ChoiceOf):
            name = _name(value, arm.kind, kinds)
            if name is not None:
                return _chosen(name, value, kinds)
    raise TypeError(f"the configuration language cannot write {value!r} here")


def _name(value: Any, kind: str, kinds: Kinds) -> str | None:
    return next((name for name, cls in kinds[kind].items() if cls is type(value)), None)


def _chosen(name: str, value: Any, kinds: Kinds) -> Any:
    return {name: _fields(value, kinds)} if fields_of(type(value)) else name


def _fields(value: Any, kinds: Kinds, siblings: bool = True) -> dict[str, Any]:
    return {
        field.key: plain_by_rule(getattr(value, field.name), field.rule, kinds)
        for field in fields_of(type(value))
        if siblings or not field.siblings
    }


def _term(value: Any, choice: ChoiceOf, kinds: Kinds) -> dict[str, Any]:
    """A dataclass whose choice stands beside its other fields."""
    field = next(field for field in fields_of(type(value)) if field.siblings)
    chosen = plain_by_rule(getattr(value, field.name), choice, kinds)
    named = {chosen: {}} if isinstance(chosen, str) else chosen
    return {**named, **_fields(value, kinds, siblings=False)}


def _item(item: Item, kinds: Kinds) -> Any:
    beside: dict[str, Any] = {}
    if item.same is not None:
        beside["same"] = item.same
    if item.name is not None:
        beside["as"] = item.name
    if item.inputs is not None:
        beside["from"] = item.inputs[0] if len(item.inputs) == 1 else list(item.inputs)
    if item.layer is None:
        return beside
    if isinstance(item.layer, Block):
        chosen: Any = item.layer.name
    else:
        chosen = _chosen(_layer_name(item.layer, kinds), item.layer, kinds)
    if not beside:
        return chosen
    return {**({chosen: {}} if isinstance(chosen, str) else chosen), **beside}


def _layer_name(layer: Any, kinds: Kinds) -> str:
    name = _name(layer, "layer", kinds)
    if name is None:
        raise TypeError(f"no layer is called by the class {type(layer).__name__}")
    return name
