"""The JSON Schema (draft 2020-12) of configurations, for completion and descriptions in editors.

It accepts every valid configuration. Shapes, references and blocks that contain themselves are
beyond it; `ldl check` finds those.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

from ldl.config.check_layers import is_blocks
from ldl.config.grammar import Grammar
from ldl.config.resolved import to_builtins_by_rule
from ldl.config.tree import Registries
from ldl.config.type_rules import (
    AnyOf,
    Anything,
    Bool,
    ChoiceOf,
    DictOf,
    Field,
    Fixed,
    Layers,
    ListOf,
    Null,
    Number,
    OneOf,
    Record,
    Rule,
    Text,
    fields_of,
    siblings_choice,
)
from ldl.fields import Range, former_names

Schema = dict[str, Any]


def json_schema(root: type, registries: Registries) -> Schema:
    """The schema of configurations of the dataclass `root`."""
    builder = _SchemaBuilder(registries, any(is_blocks(f.rule) for f in fields_of(root)))
    top = builder.record(root)
    name = {"type": "string", "description": "A file, relative to this one, that this one changes."}
    top["properties"]["extends"] = {"anyOf": [name, {"type": "array", "items": name}]}
    # The extended file may give what is required.
    top.pop("required", None)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **top}
    return {**schema, "$defs": dict(sorted(builder.defs.items()))}


def first_line(cls: type) -> str:
    """The first line of the class's own docstring."""
    lines = (cls.__dict__.get("__doc__") or "").strip().splitlines()
    # A dataclass without a docstring is given its signature.
    return "" if not lines or lines[0].startswith(f"{cls.__name__}(") else lines[0]


class _SchemaBuilder:
    """Builds the schema of rules; `defs` collects the named parts."""

    def __init__(self, registries: Registries, blocks: bool) -> None:
        self._registries = registries
        self._grammar = Grammar(registries)
        self._blocks = blocks
        self.defs: dict[str, Schema] = {}

    def rule(self, rule: Rule) -> Schema:
        """The schema of one rule."""
        match rule:
            case AnyOf(variants=variants):
                return {"anyOf": [self.rule(variant) for variant in variants]}
            case Number(whole=whole, limits=limits):
                return {"type": "integer" if whole else "number", **_limits(limits)}
            case OneOf(values=values):
                return {"enum": list(values)}
            case ListOf(item=item):
                items = {"type": "array", "items": self.rule(item)}
                one = self._grammar.takes_one(rule)
                return {"anyOf": [self.rule(item), items]} if one else items
            case Fixed(items=parts):
                size = {"minItems": len(parts), "maxItems": len(parts)}
                return {"type": "array", "prefixItems": [self.rule(p) for p in parts], **size}
            case DictOf(item=item):
                return {"type": "object", "additionalProperties": self.rule(item)}
            case Record(cls=cls):
                return self._define(f"section.{cls.__name__}", lambda: self._section(cls))
            case ChoiceOf(kind=kind):
                return self._define(kind, lambda: self._choice(kind, {}, []))
            case Layers():
                return self._define("layers", self._layers)
        return dict(_SIMPLE[type(rule)])

    def _define(self, name: str, make: Any) -> Schema:
        if name not in self.defs:
            self.defs[name] = {}  # a schema may contain itself
            self.defs[name] = make()
        return {"$ref": f"#/$defs/{name}"}

    def record(self, cls: type) -> Schema:
        """A dataclass as a mapping of its fields."""
        fields = fields_of(cls)
        schema: Schema = {"type": "object", "additionalProperties": False}
        if first_line(cls):
            schema["description"] = first_line(cls)
        schema["properties"] = {k: v for field in fields for k, v in self._properties(field)}
        required = [field.key for field in fields if field.required and not field.aliases]
        return {**schema, "required": required} if required else schema

    def _properties(self, field: Field) -> list[tuple[str, Schema]]:
        """The setting under its key, and as deprecated under each former name."""
        schema = self._field(field)
        former = {**schema, "description": f"Former name of {field.key}.", "deprecated": True}
        return [(field.key, schema), *((alias, former) for alias in field.aliases)]

    def _field(self, field: Field) -> Schema:
        schema = self.rule(field.rule)
        if field.required:
            return schema
        try:
            default = to_builtins_by_rule(field.make_default(), field.rule, self._registries)
        except (TypeError, KeyError):
            return schema
        return {**schema, "default": default}

    def _section(self, cls: type) -> Schema:
        choice = siblings_choice(cls)
        if choice is None:
            section = self.record(cls)
            # `train:` with nothing under it is its defaults.
            return section if "required" in section else {"anyOf": [section, {"type": "null"}]}
        siblings = [field for field in fields_of(cls) if not field.has_siblings]
        properties = {field.key: self._field(field) for field in siblings}
        return self._choice(choice.kind, properties, [f.key for f in siblings if f.required])

    def _choice(self, kind: str, siblings: Schema, required: list[str]) -> Schema:
        options: list[Schema] = []
        for name, cls in self._registries[kind].items():
            settings = self._define(f"{kind}.{name}", lambda cls=cls: self._settings(cls))
            described = {"description": first_line(cls)} if first_line(cls) else {}
            former = {"description": f"Former name of {name}.", "deprecated": True}
            for key in (name, *former_names(cls)):
                notes = described if key == name else former
                if not required:
                    options.append({"const": key, **notes})
                options.append(_one(key, {**settings, **notes}, siblings, required))
        return {"anyOf": options}

    def _settings(self, cls: type) -> Schema:
        options: list[Schema] = [{"type": "null"}, self.record(cls)]
        fields = fields_of(cls)
        if fields and is_dataclass(cls):
            options.insert(0, self.rule(fields[0].rule))
        return {"anyOf": options}

    def _layers(self) -> Schema:
        name = {"type": "string"}
        names = {"anyOf": [name, {"type": "array", "items": name, "minItems": 1}]}
        siblings = {"as": name, "from": names}
        item = self._choice("layer", siblings, [])
        same = {"type": "object", "properties": {**siblings, "same": name}, "required": ["same"]}
        item["anyOf"].append({**same, "additionalProperties": False})
        if self._blocks:
            bare = {"anyOf": [{"type": "null"}, {"type": "object", "maxProperties": 0}]}
            use = {"type": "object", "properties": siblings, "additionalProperties": bare}
            item["anyOf"] += [name, use]
        self.defs["item"] = item
        ref = {"$ref": "#/$defs/item"}
        return {"anyOf": [ref, {"type": "array", "items": ref}]}


def _one(name: str, settings: Schema, siblings: Schema, required: list[str]) -> Schema:
    """A choice by one name: a mapping of the name to its settings, with the sibling keys."""
    return {
        "type": "object",
        "properties": {name: settings, **siblings},
        "required": [name, *required],
        "additionalProperties": False,
    }


def _limits(limits: Range | None) -> Schema:
    if limits is None:
        return {}
    low = {"exclusiveMinimum" if limits.above else "minimum": limits.low}
    high = {"exclusiveMaximum" if limits.below else "maximum": limits.high}
    return {key: value for key, value in {**low, **high}.items() if value is not None}


_SIMPLE: dict[type, Schema] = {
    Null: {"type": "null"},
    Bool: {"type": "boolean"},
    Text: {"type": "string"},
    Anything: {},
}
