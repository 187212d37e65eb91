"""The grammar of everything that can be chosen, as questions about a Tree.

A choice is a name `relu`, a name with its main value `linear: 64`, or a name with its settings
`linear: {units: 64}`. In lists of layers, and in dataclasses with a `Siblings` field, other keys
(`as`, `from`, `weight`, …) stand beside the name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ldl.config.suggest import nearest
from ldl.config.tree import BlockUse, Invalid, Mark, Registries, Tree
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
    variants_of,
)
from ldl.fields import former_names

LAYER_SIBLINGS = ("as", "from", "same")


@dataclass(frozen=True)
class ParsedChoice:
    """A choice in its parts: name, settings (None for a bare name), keys beside the name."""

    name: str
    mark: Mark
    settings: Tree | None
    siblings: dict[str, Tree]


def normalize_settings(settings: Tree | None, fields: tuple[Field, ...], mark: Mark) -> Tree:
    """Settings as a mapping with documented keys; a main value goes to the first field."""
    if settings is None:
        return Tree({}, mark, mark)
    if isinstance(settings.value, dict):
        return replace(settings, value=rename_aliases(settings.value, fields))
    if isinstance(settings.value, Invalid):
        return settings
    main = Tree(settings.value, settings.mark, settings.key)
    return Tree({fields[0].key: main} if fields else {}, settings.mark, settings.key)


def rename_aliases(entries: dict[str, Tree], fields: tuple[Field, ...]) -> dict[str, Tree]:
    """The entries with former names of settings replaced; each Tree keeps its own as `alias`.

    Where a setting is given by both names, the entry with the former one is left as it is.
    """
    documented = {alias: field.key for field in fields for alias in field.aliases}
    if not any(key in documented for key in entries):
        return dict(entries)
    renamed: dict[str, Tree] = {}
    for key, value in entries.items():
        name = documented.get(key, key)
        if name == key or name in entries or name in renamed:
            renamed[key] = value
        else:
            renamed[name] = replace(value, alias=key)
    return renamed


def sibling_keys(cls: type) -> tuple[str, ...]:
    """The keys that stand beside the choice of a dataclass with a Siblings field."""
    return tuple(field.key for field in fields_of(cls) if not field.has_siblings)


class Grammar:
    """The registries and the names of blocks; tells which rule a value is meant for."""

    def __init__(self, registries: Registries, blocks: Mapping[str, Mark] | None = None) -> None:
        self.registries = registries
        self.blocks = blocks or {}
        self._documented: dict[str, dict[str, str]] = {}

    @cached_property
    def layers(self) -> Mapping[str, type]:
        """All names that a list of layers may use; the class of a block's name is `BlockUse`."""
        return {**dict.fromkeys(self.blocks, BlockUse), **self.names("layer")}

    def names(self, kind: str) -> Mapping[str, type]:
        """The registry `kind`; an unknown kind is an error of the program."""
        return self.registries[kind]

    def entry_class(self, name: str, kind: str, siblings: Collection[str]) -> type | None:
        """The class of a registry entry; in lists of layers also `BlockUse`; None if unknown."""
        names = self.layers if siblings == LAYER_SIBLINGS else self.names(kind)
        return names.get(name)

    def documented_name(self, kind: str, name: str) -> str:
        """The name under which an entry is documented, for a former name of it; else `name`."""
        if kind not in self._documented:
            entries = self.names(kind).items()
            self._documented[kind] = {old: new for new, cls in entries for old in former_names(cls)}
        known = name in (self.layers if kind == "layer" else self.names(kind))
        return name if known else self._documented[kind].get(name, name)

    def parse_choice(self, tree: Tree, kind: str, siblings: Collection[str]) -> ParsedChoice | None:
        """The parts of a well-formed choice, by its documented name; None for anything else."""
        if isinstance(tree.value, str):
            return ParsedChoice(self.documented_name(kind, tree.value), tree.mark, None, {})
        if not isinstance(tree.value, dict):
            return None
        names = [key for key in tree.value if key not in siblings]
        if len(names) != 1:
            return None
        settings = tree.value[names[0]]
        rest = {key: value for key, value in tree.value.items() if key in siblings}
        mark = settings.key or settings.mark
        name = self.documented_name(kind, names[0])
        return ParsedChoice(name, mark, None if settings.value is None else settings, rest)

    def words(self, rule: Rule) -> list[str]:
        """The names and keys that may stand at the top of a value of the rule."""
        match rule:
            case ChoiceOf(kind=kind):
                return self._entry_names(kind)
            case Layers():
                return [*self.layers, *LAYER_SIBLINGS]
            case OneOf(values=values):
                return [value for value in values if isinstance(value, str)]
            case Record(cls=cls) if (choice := siblings_choice(cls)) is not None:
                return [*self.words(choice), *sibling_keys(cls)]
            case Record(cls=cls):
                return [key for field in fields_of(cls) for key in (field.key, *field.aliases)]
            case ListOf(item=item):
                return self.words(item) if self.takes_one(rule) else []
            case AnyOf(variants=variants):
                return [word for variant in variants for word in self.words(variant)]
            case _:
                return []

    def _entry_names(self, kind: str) -> list[str]:
        """The names of a registry, then the former ones."""
        names = self.names(kind)
        return [*names, *(old for cls in names.values() for old in former_names(cls))]

    def names_of(self, rule: Rule) -> list[str]:
        """The words that alone are a value of the rule."""
        match rule:
            case Layers():
                return list(self.layers)
            case Record(cls=cls):
                choice = siblings_choice(cls)
                return [] if choice is None else self.words(choice)
            case ListOf(item=item):
                return self.names_of(item) if self.takes_one(rule) else []
            case AnyOf(variants=variants):
                return [name for variant in variants for name in self.names_of(variant)]
            case _:
                return self.words(rule)

    def takes_one(self, rule: Rule) -> bool:
        """Whether one item may be written for a list: only for lists of choices."""
        return isinstance(rule, ListOf) and all(
            isinstance(variant, ChoiceOf)
            or (isinstance(variant, Record) and siblings_choice(variant.cls) is not None)
            for variant in variants_of(rule.item)
        )

    def variants(self, rule: Rule, tree: Tree) -> list[Rule]:
        """The variants of a rule that the value can be meant for, the most likely first."""
        if not isinstance(rule, AnyOf):
            return [rule]
        value = tree.value
        if isinstance(value, str):
            return self._variants_for_word(rule.variants, value)
        if isinstance(value, dict):
            return self._variants_for_mapping(rule.variants, value)
        ranked = [(_rank(variant, value), variant) for variant in rule.variants]
        ranked.sort(key=lambda pair: pair[0])
        return [variant for rank, variant in ranked if rank < _NO_MATCH]

    def _variants_for_word(self, variants: tuple[Rule, ...], word: str) -> list[Rule]:
        exact = [variant for variant in variants if word in self.names_of(variant)]
        texts = [variant for variant in variants if isinstance(variant, Text | Anything)]
        if exact or texts:
            return exact + texts
        with_names = [variant for variant in variants if self.names_of(variant)]
        near = [variant for variant in with_names if nearest(word, self.names_of(variant))]
        if len(near) == 1:
            return near
        scalars = any(isinstance(variant, Number | Bool) for variant in variants)
        return with_names if len(with_names) == 1 and not scalars else []

    def _variants_for_mapping(
        self, variants: tuple[Rule, ...], value: dict[str, Tree]
    ) -> list[Rule]:
        mappings = [v for v in variants if _takes_mappings(v) or self.takes_one(v)]

        def similarity(variant: Rule) -> tuple[int, int]:
            words = self.words(variant)
            matches = sum(key in words for key in value)
            return matches, sum(nearest(key, words) is not None for key in list(value)[:20])

        return sorted(mappings, key=similarity, reverse=True)[:1] if len(mappings) > 1 else mappings


_NO_MATCH = 9


def _takes_mappings(rule: Rule) -> bool:
    return isinstance(rule, Record | DictOf | ChoiceOf | Layers | Anything)


def _rank(rule: Rule, value: Any) -> int:
    """How well a list, or a scalar that is no text, matches a rule: 0 exactly, 9 not at all."""
    match rule:
        case Anything():
            return 5
        case OneOf(values=values):
            same = any(value == word and type(value) is type(word) for word in values)
            return 0 if same else _NO_MATCH
        case Null():
            return 0 if value is None else _NO_MATCH
        case Record(cls=cls) if value is None:
            return _NO_MATCH if any(field.required for field in fields_of(cls)) else 1
        case Bool():
            return 0 if isinstance(value, bool) else _NO_MATCH
        case Number(whole=whole) if isinstance(value, int | float) and not isinstance(value, bool):
            return 0 if whole == isinstance(value, int) else 1
        case ListOf() | Fixed() | Layers():
            return 1 if isinstance(value, list) else _NO_MATCH
        case _:
            return _NO_MATCH
