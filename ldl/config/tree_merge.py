"""Merging of configurations: `extends` and overrides lay one over another.

Two choices of the same name merge their settings; a choice of another name replaces. Mappings merge
key by key; lists and scalars replace. A list of choices that is written as one item merges as that
choice does.
"""

from __future__ import annotations

from ldl.config.grammar import (
    LAYER_SIBLINGS,
    Grammar,
    ParsedChoice,
    normalize_settings,
    rename_aliases,
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
    """`over` laid over `base`; every value keeps its mark."""
    match rule:
        case AnyOf():
            below, above = grammar.variants(rule, base)[:1], grammar.variants(rule, over)[:1]
            return merge(base, over, above[0], grammar) if above and above == below else over
        case ListOf(item=item) if grammar.takes_one(rule):
            return over if isinstance(over.value, list) else merge(base, over, item, grammar)
        case ChoiceOf(kind=kind):
            return _merge_choices(base, over, kind, (), None, grammar)
        case Layers():
            return _merge_choices(base, over, "layer", LAYER_SIBLINGS, None, grammar)
        case Record(cls=cls) if (choice := siblings_choice(cls)) is not None:
            return _merge_choices(base, over, choice.kind, sibling_keys(cls), cls, grammar)
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    match rule:
        case Record(cls=cls):
            fields = fields_of(cls)
            old = rename_aliases(base.value, fields)
            new = rename_aliases(over.value, fields)
            rules = {field.key: field.rule for field in fields}
            return Tree(_merge_entries(old, new, rules, None, grammar), over.mark, over.key)
        case DictOf(item=item, dotted=dotted):
            # Values of any kind at dotted keys are settings, whose rules are not known here.
            of_any_kind = dotted and isinstance(item, Anything)
            entry_rule = None if of_any_kind else item
            value = _merge_entries(base.value, over.value, {}, entry_rule, grammar)
            return Tree(value, over.mark, over.key)
        case Anything():
            value = _merge_entries(base.value, over.value, {}, Anything(), grammar)
            return Tree(value, over.mark, over.key)
    return over


def _merge_entries(
    base: dict[str, Tree],
    over: dict[str, Tree],
    rules: dict[str, Rule],
    default_rule: Rule | None,
    grammar: Grammar,
) -> dict[str, Tree]:
    """The entries of both; a key of both merges by its rule and replaces where it has none."""
    merged = dict(base)
    for key, value in over.items():
        rule = rules.get(key, default_rule)
        if key in merged and rule is not None:
            merged[key] = merge(merged[key], value, rule, grammar)
        else:
            merged[key] = value
    return merged


def _merge_choices(
    base: Tree, over: Tree, kind: str, siblings: tuple[str, ...], cls: type | None, grammar: Grammar
) -> Tree:
    """Two choices merged; `cls` is the dataclass whose fields their sibling keys are, if any."""
    below = grammar.parse_choice(base, kind, siblings)
    above = grammar.parse_choice(over, kind, siblings)
    if below is None or above is None or below.name != above.name:
        return over
    entry = grammar.entry_class(above.name, kind, siblings)
    settings = merge_settings(below, above, entry, grammar)
    rules = {} if cls is None else {field.key: field.rule for field in fields_of(cls)}
    beside = _merge_entries(below.siblings, above.siblings, rules, None, grammar)
    return Tree({above.name: settings, **beside}, over.mark, over.key)


def merge_settings(
    below: ParsedChoice, above: ParsedChoice, cls: type | None, grammar: Grammar
) -> Tree:
    """The settings of one registry entry laid over those of the same entry."""
    if cls is None or cls is BlockUse or not fields_of(cls):
        kept = above.settings or below.settings
        return kept if kept is not None else Tree(None, above.mark, above.mark)
    fields = fields_of(cls)
    base = normalize_settings(below.settings, fields, below.mark)
    over = normalize_settings(above.settings, fields, above.mark)
    merged = merge(base, over, Record(cls), grammar)
    return Tree(merged.value, merged.mark, above.mark)
