"""One configuration laid over another: what `extends` and overrides do.

The same choice by the same name merges its settings, another name replaces it; mappings merge key
by key; lists and scalars replace. One item alone in a list of choices merges as a choice does.
"""

from __future__ import annotations

from ldl.config.grammar import (
    LAYER_SIBLINGS,
    Grammar,
    ParsedChoice,
    normalize_settings,
    parse_choice,
    sibling_keys,
)
from ldl.config.tree import BlockUse, Tree
from ldl.config.type_rules import (
    AnyOf,
    Anything,
    ChoiceOf,
    DictOf,
    Layers,
    ListOf,
    Record,
    Rule,
    fields_of,
    siblings_choice,
)


def merge(base: Tree, over: Tree, rule: Rule, grammar: Grammar) -> Tree:
    """`over` laid over `base`; marks stay with the values."""
    match rule:
        case AnyOf():
            below, above = grammar.variants(rule, base)[:1], grammar.variants(rule, over)[:1]
            return merge(base, over, above[0], grammar) if above and above == below else over
        case ListOf(item=item) if grammar.takes_one(rule):
            return over if isinstance(over.value, list) else merge(base, over, item, grammar)
        case ChoiceOf(kind=kind):
            return _choice(base, over, kind, (), None, grammar)
        case Layers():
            return _choice(base, over, "layer", LAYER_SIBLINGS, None, grammar)
        case Record(cls=cls) if (choice := siblings_choice(cls)) is not None:
            return _choice(base, over, choice.kind, sibling_keys(cls), cls, grammar)
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    match rule:
        case Record(cls=cls):
            rules = {field.key: field.rule for field in fields_of(cls)}
            return _mappings(base, over, rules, None, grammar)
        case DictOf(item=item):
            return _mappings(base, over, {}, item, grammar)
        case Anything():
            return _mappings(base, over, {}, Anything(), grammar)
    return over


def _mappings(
    base: Tree, over: Tree, rules: dict[str, Rule], other: Rule | None, grammar: Grammar
) -> Tree:
    assert isinstance(base.value, dict)
    assert isinstance(over.value, dict)
    merged = dict(base.value)
    for key, value in over.value.items():
        rule = rules.get(key, other)
        if key in merged and rule is not None:
            value = merge(merged[key], value, rule, grammar)
        merged[key] = value
    return Tree(merged, over.mark, over.key)


def _choice(
    base: Tree, over: Tree, kind: str, beside: tuple[str, ...], cls: type | None, grammar: Grammar
) -> Tree:
    below, above = parse_choice(base, beside), parse_choice(over, beside)
    if below is None or above is None or below.name != above.name:
        return over
    settings = merge_settings(below, above, _class(above.name, kind, beside, grammar), grammar)
    rules = {} if cls is None else {field.key: field.rule for field in fields_of(cls)}
    merged = dict(below.beside)
    for key, value in above.beside.items():
        known = key in merged and key in rules
        merged[key] = merge(merged[key], value, rules[key], grammar) if known else value
    return Tree({above.name: settings, **merged}, over.mark, over.key)


def _class(name: str, kind: str, beside: tuple[str, ...], grammar: Grammar) -> type | None:
    if beside == LAYER_SIBLINGS:
        cls = grammar.layers.get(name)
        return None if cls is BlockUse else cls
    return grammar.names(kind).get(name)


def merge_settings(
    below: ParsedChoice, above: ParsedChoice, cls: type | None, grammar: Grammar
) -> Tree:
    """The settings of one entry laid over others of the same entry."""
    if cls is None or not fields_of(cls):
        kept = above.settings or below.settings
        return kept if kept is not None else Tree(None, above.mark, above.mark)
    fields = fields_of(cls)
    base = normalize_settings(below.settings, fields, below.mark)
    over = normalize_settings(above.settings, fields, above.mark)
    merged = merge(base, over, Record(cls), grammar)
    return Tree(merged.value, merged.mark, above.mark)
