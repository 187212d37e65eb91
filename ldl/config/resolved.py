"""Typed values as mappings, lists and scalars with every default: the resolved configuration."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from typing import Any

from ldl.config.tree import BlockUse, Item, Registries
from ldl.config.type_rules import (
    Anything,
    ChoiceOf,
    DictOf,
    Field,
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
from ldl.fields import former_names


def to_builtins(value: Any, registries: Registries, for_key: bool = False) -> Any:
    """Mappings, lists and scalars that read back as `value`; choices as {name: {settings}}.

    An entry without settings becomes its bare name. `value` is a dataclass that was loaded or
    constructed. With `for_key`, settings and entries bear the first name that they ever had, and
    those that were added later are left out where they have their default, so that content keys
    stay valid. Raises TypeError for what the language cannot express.
    """
    rule = Anything() if isinstance(value, dict | list) else rule_of(type(value))
    return _Converter(registries, for_key).convert(value, rule)


def to_builtins_by_rule(
    value: Any, rule: Rule, registries: Registries, for_key: bool = False
) -> Any:
    """`to_builtins` of a value of a setting with this rule."""
    return _Converter(registries, for_key).convert(value, rule)


@dataclass(frozen=True)
class _Converter:
    """Converts values by their rules."""

    registries: Registries
    for_key: bool

    def convert(self, value: Any, rule: Rule) -> Any:
        """The value as mappings, lists and scalars."""
        if isinstance(value, bool | str) or value is None:
            return value
        if isinstance(value, int | float):
            return _number(value, rule)
        if isinstance(value, Item):
            return self._item(value)
        if isinstance(value, list | tuple):
            return self._list(value, rule)
        if isinstance(value, dict):
            item = next((v.item for v in variants_of(rule) if isinstance(v, DictOf)), Anything())
            return {key: self.convert(entry, item) for key, entry in value.items()}
        if is_dataclass(value) or value.__class__.__module__ != "builtins":
            return self._object(value, rule)
        raise TypeError(f"the configuration language cannot write {value!r}")

    def _list(self, value: list[Any] | tuple[Any, ...], rule: Rule) -> list[Any]:
        for variant in variants_of(rule):
            if isinstance(variant, Layers) and all(isinstance(item, Item) for item in value):
                return [self._item(item) for item in value]
            if isinstance(variant, ListOf) and not (value and isinstance(value[0], Item)):
                return [self.convert(item, variant.item) for item in value]
            if isinstance(variant, Fixed) and len(variant.items) == len(value):
                pairs = zip(value, variant.items, strict=True)
                return [self.convert(item, of) for item, of in pairs]
        return [self.convert(item, Anything()) for item in value]

    def _object(self, value: Any, rule: Rule) -> Any:
        """A dataclass: a section by its own rule, or an entry of a registry by its name."""
        for variant in variants_of(rule):
            if isinstance(variant, Record) and variant.cls is type(value):
                choice = siblings_choice(variant.cls)
                if choice is None:
                    return self._settings(value)
                return self._with_siblings(value, choice)
        for variant in variants_of(rule):
            if isinstance(variant, ChoiceOf):
                name = self._name(value, variant.kind)
                if name is not None:
                    return self._entry(name, value)
        raise TypeError(f"the configuration language cannot write {value!r} here")

    def _name(self, value: Any, kind: str) -> str | None:
        """The registry's name of the class of `value`; None if it has none."""
        names = self.registries[kind].items()
        name = next((name for name, cls in names if cls is type(value)), None)
        former = former_names(type(value)) if self.for_key else ()
        return former[0] if name is not None and former else name

    def _entry(self, name: str, value: Any) -> Any:
        return {name: self._settings(value)} if fields_of(type(value)) else name

    def _key(self, field: Field) -> str:
        return field.aliases[0] if self.for_key and field.aliases else field.key

    def _settings(self, value: Any, siblings: bool = True) -> dict[str, Any]:
        return {
            self._key(field): self.convert(getattr(value, field.name), field.rule)
            for field in fields_of(type(value))
            if siblings or not field.has_siblings
            if not (self.for_key and field.added_later and _is_default(field, value))
        }

    def _with_siblings(self, value: Any, choice: ChoiceOf) -> dict[str, Any]:
        """A dataclass whose choice stands beside its other fields."""
        field = next(field for field in fields_of(type(value)) if field.has_siblings)
        entry = self.convert(getattr(value, field.name), choice)
        named = {entry: {}} if isinstance(entry, str) else entry
        return {**named, **self._settings(value, siblings=False)}

    def _item(self, item: Item) -> Any:
        siblings: dict[str, Any] = {}
        if item.same is not None:
            siblings["same"] = item.same
        if item.name is not None:
            siblings["as"] = item.name
        if item.inputs is not None:
            siblings["from"] = item.inputs[0] if len(item.inputs) == 1 else list(item.inputs)
        if item.layer is None:
            return siblings
        layer = self._layer(item.layer)
        if not siblings:
            return layer
        return {**({layer: {}} if isinstance(layer, str) else layer), **siblings}

    def _layer(self, layer: Any) -> Any:
        if isinstance(layer, BlockUse):
            return layer.name
        name = self._name(layer, "layer")
        if name is None:
            raise TypeError(f"no layer has the class {type(layer).__name__}")
        return self._entry(name, layer)


def _is_default(field: Field, value: Any) -> bool:
    return bool(getattr(value, field.name) == field.make_default())


def _number(value: int | float, rule: Rule) -> int | float:
    """A float where the rule takes only floats; a default may be written as an int in Python."""
    numbers = [variant for variant in variants_of(rule) if isinstance(variant, Number)]
    return float(value) if numbers and not any(number.whole for number in numbers) else value
