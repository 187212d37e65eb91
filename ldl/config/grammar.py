"""The one grammar of everything that can be chosen, as questions about a Tree.

A bare name `relu`, a name with its main value `linear: 64`, a name with its settings
`linear: {units: 64}`; in lists of layers and in dataclasses with a `Siblings` field other keys
(`as`, `from`, `weight` …) stand beside the name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
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

LAYER_SIBLINGS = ("as", "from", "same")


@dataclass(frozen=True)
class ParsedChoice:
    """A choice taken apart: the name, its settings (None if bare) and the keys beside it."""

    name: str
    mark: Mark
    settings: Tree | None
    beside: dict[str, Tree]


def parse_choice(tree: Tree, beside: Collection[str] = ()) -> ParsedChoice | None:
    """The parts of a well-formed choice; None for anything else."""
    if isinstance(tree.value, str):
        return ParsedChoice(tree.value, tree.mark, None, {})
    if not isinstance(tree.value, dict):
        return None
    names = [key for key in tree.value if key not in beside]
    if len(names) != 1:
        return None
    settings = tree.value[names[0]]
    rest = {key: value for key, value in tree.value.items() if key in beside}
    mark = settings.key or settings.mark
    return ParsedChoice(names[0], mark, None if settings.value is None else settings, rest)


def normalize_settings(settings: Tree | None, fields: tuple[Field, ...], mark: Mark) -> Tree:
    """Settings as a mapping: a main value goes under the first field's name."""
    if settings is None:
        return Tree({}, mark, mark)
    if isinstance(settings.value, dict | Invalid):
        return settings
    main = Tree(settings.value, settings.mark, settings.key)
    return Tree({fields[0].key: main} if fields else {}, settings.mark, settings.key)


def sibling_keys(cls: type) -> tuple[str, ...]:
    """The keys that stand beside the choice of a dataclass with a Siblings field."""
    return tuple(field.key for field in fields_of(cls) if not field.siblings)


class Grammar:
    """The registries and the names of blocks; says which rule a value is meant for."""

    def __init__(self, registries: Registries, blocks: Mapping[str, Mark] | None = None) -> None:
        self.registries = registries
        self.blocks = blocks or {}

    @cached_property
    def layers(self) -> Mapping[str, type]:
        """All names that a list of layers may use; a block's class is `BlockUse`."""
        return {**dict.fromkeys(self.blocks, BlockUse), **self.names("layer")}

    def names(self, kind: str) -> Mapping[str, type]:
        """The registry `kind`; an unknown one is an error in the program."""
        return self.registries[kind]

    def words(self, rule: Rule) -> list[str]:
        """The names and keys that the rule knows at its top."""
        match rule:
            case ChoiceOf(kind=kind):
                return list(self.names(kind))
            case Layers():
                return [*self.layers, *LAYER_SIBLINGS]
            case OneOf(values=values):
                return [value for value in values if isinstance(value, str)]
            case Record(cls=cls) if (choice := siblings_choice(cls)) is not None:
                return [*self.words(choice), *sibling_keys(cls)]
            case Record(cls=cls):
                return [field.key for field in fields_of(cls)]
            case ListOf(item=item):
                return self.words(item) if self.takes_one(rule) else []
            case AnyOf(variants=variants):
                return [word for variant in variants for word in self.words(variant)]
            case _:
                return []

    def names_of(self, rule: Rule) -> list[str]:
        """The words that may stand alone as a value of the rule."""
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
        """Whether a single item may stand for a list: only for lists of choices."""
        return isinstance(rule, ListOf) and all(
            isinstance(variant, ChoiceOf)
            or (isinstance(variant, Record) and siblings_choice(variant.cls) is not None)
            for variant in variants_of(rule.item)
        )

    def variants(self, rule: Rule, tree: Tree) -> list[Rule]:
        """The alternatives that the value can be meant for, the likeliest first."""
        if not isinstance(rule, AnyOf):
            return [rule]
        value = tree.value
        if isinstance(value, str):
            return self._for_word(rule.variants, value)
        if isinstance(value, dict):
            return self._for_mapping(rule.variants, value)
        ranked = [(_rank(variant, value), variant) for variant in rule.variants]
        return [
            variant for rank, variant in sorted(ranked, key=lambda pair: pair[0]) if rank < _NEVER
        ]

    def _for_word(self, variants: tuple[Rule, ...], word: str) -> list[Rule]:
        knowing = [variant for variant in variants if word in self.names_of(variant)]
        texts = [variant for variant in variants if isinstance(variant, Text | Anything)]
        if knowing or texts:
            return knowing + texts
        naming = [variant for variant in variants if self.names_of(variant)]
        near = [variant for variant in naming if nearest(word, self.names_of(variant))]
        if len(near) == 1:
            return near
        scalars = any(isinstance(variant, Number | Bool) for variant in variants)
        return naming if len(naming) == 1 and not scalars else []

    def _for_mapping(self, variants: tuple[Rule, ...], value: dict[str, Tree]) -> list[Rule]:
        fitting = [
            variant for variant in variants if _takes_mappings(variant) or self.takes_one(variant)
        ]

        def fit(variant: Rule) -> tuple[int, int]:
            words = self.words(variant)
            known = sum(key in words for key in value)
            return known, sum(nearest(key, words) is not None for key in list(value)[:20])

        return sorted(fitting, key=fit, reverse=True)[:1] if len(fitting) > 1 else fitting


_NEVER = 9


def _takes_mappings(rule: Rule) -> bool:
    return isinstance(rule, Record | DictOf | ChoiceOf | Layers | Anything)


def _rank(rule: Rule, value: Any) -> int:
    """How well a scalar that is no text, or a list, fits a rule: 0 exactly, 9 not at all."""
    match rule:
        case Anything():
            return 5
        case OneOf(values=values):
            same = any(value == word and type(value) is type(word) for word in values)
            return 0 if same else _NEVER
        case Null():
            return 0 if value is None else _NEVER
        case Record(cls=cls) if value is None:
            return _NEVER if any(field.required for field in fields_of(cls)) else 1
        case Bool():
            return 0 if isinstance(value, bool) else _NEVER
        case Number(whole=whole) if isinstance(value, int | float) and not isinstance(value, bool):
            return 0 if whole == isinstance(value, int) else 1
        case ListOf() | Fixed() | Layers():
            return 1 if isinstance(value, list) else _NEVER
        case _:
            return _NEVER
