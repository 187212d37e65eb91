"""Checks lists of layers, their names and references, and named blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ldl.config import check_choices
from ldl.config.describe import found
from ldl.config.grammar import LAYER_SIBLINGS, ParsedChoice
from ldl.config.suggest import listing
from ldl.config.tree import INVALID, BlockUse, Invalid, Item, KeyPath, Mark, Tree, child
from ldl.config.type_rules import DictOf, Layers, fields_of, variants_of

if TYPE_CHECKING:
    from ldl.config.checker import Checker

_NAME = re.compile(r"[^\W\d][\w-]*")
_NAME_ADVICE = "a name begins with a letter and holds letters, digits, `_` and `-`"


def layers(checker: Checker, tree: Tree, rule: Layers, path: KeyPath) -> Any:
    """A tuple of Items, from a list of items or one item alone."""
    if isinstance(tree.value, str | dict):
        items = [_item(checker, tree, child(path, 0))]
    elif isinstance(tree.value, list):
        items = [_item(checker, item, child(path, i)) for i, item in enumerate(tree.value)]
    else:
        return checker.unexpected(tree, rule)
    return INVALID if any(item is INVALID for item in items) else tuple(items)


def _item(checker: Checker, tree: Tree, path: KeyPath) -> Any:
    if isinstance(tree.value, Invalid):
        return INVALID
    if isinstance(tree.value, list):
        holders = [name for name, cls in checker.grammar.names("layer").items() if _holds(cls)]
        advice = "take the inner brackets away"
        if holders:
            advice += f", or name what holds the list: {listing(holders)}"
        return checker.reject(tree.mark, "a list inside a list of layers", advice)
    if tree.value is None:
        return checker.reject(tree.mark, "a layer is missing here")
    if not isinstance(tree.value, str | dict):
        return checker.reject(tree.mark, f"expected a layer, found {found(tree)}")
    checker.marks[path] = tree.mark
    beside: dict[str, Tree] = {}
    if isinstance(tree.value, dict):
        beside = {key: tree.value[key] for key in LAYER_SIBLINGS if key in tree.value}
    name, inputs, same = (_beside(checker, beside, key, path) for key in LAYER_SIBLINGS)
    if "same" in beside:
        return _same(checker, tree, name, inputs, same, path)
    picked = check_choices.take(checker, tree, "layer", checker.grammar.layers, LAYER_SIBLINGS)
    if picked is None:
        return INVALID
    layer = _layer(checker, picked, path)
    if any(value is INVALID for value in (layer, name, inputs)):
        return INVALID
    checker.marks[path] = picked.mark
    return Item(layer, name, inputs, None, path, picked.mark)


def _holds(cls: type) -> bool:
    return any(
        isinstance(variant, Layers)
        for field in fields_of(cls)
        for variant in variants_of(field.rule)
    )


def _layer(checker: Checker, picked: ParsedChoice, path: KeyPath) -> Any:
    cls = checker.grammar.layers[picked.name]
    if cls is not BlockUse:
        return check_choices.entry(checker, picked, cls, path)
    checker.marks[child(path, picked.name)] = picked.mark
    if path[0] == "blocks" and len(path) > 1:
        checker.block_uses.append((str(path[1]), picked.name, picked.mark))
    settings = picked.settings
    if settings is not None and settings.value not in ({}, INVALID):
        return checker.reject(settings.mark, f"the block `{picked.name}` has no settings")
    return BlockUse(picked.name)


def _same(checker: Checker, tree: Tree, name: Any, inputs: Any, same: Any, path: KeyPath) -> Any:
    entries = tree.value if isinstance(tree.value, dict) else {}
    for key, value in entries.items():
        if key not in LAYER_SIBLINGS:
            message = f"`same` applies a layer again, so `{key}` cannot stand beside it"
            return checker.reject(value.key or value.mark, message, "keep one of the two")
    if any(value is INVALID for value in (name, inputs, same)):
        return INVALID
    return Item(None, name, inputs, same, path, tree.mark)


def _beside(checker: Checker, beside: dict[str, Tree], key: str, path: KeyPath) -> Any:
    """The value of `as`, `from` or `same`: None if absent, INVALID if wrong."""
    if key not in beside:
        return None
    tree, place = beside[key], child(path, key)
    checker.marks[place] = tree.mark
    if key != "from":
        return _name(checker, tree, must_be_new=key == "as")
    names = [
        _name(checker, one) for one in (tree.value if isinstance(tree.value, list) else [tree])
    ]
    if not names:
        return checker.reject(tree.mark, "`from` needs at least one name")
    return INVALID if any(name is INVALID for name in names) else tuple(names)


def _name(checker: Checker, tree: Tree, must_be_new: bool = False) -> Any:
    if isinstance(tree.value, Invalid):
        return INVALID
    if not isinstance(tree.value, str) or not tree.value:
        return checker.reject(tree.mark, f"expected a name, found {found(tree)}", _NAME_ADVICE)
    if must_be_new and not _NAME.fullmatch(tree.value):
        return checker.reject(tree.mark, f"`{tree.value}` cannot be a name", _NAME_ADVICE)
    return tree.value


def block_names(tree: Tree, root: type) -> dict[str, Mark]:
    """The names in the top-level `blocks:` mapping, where the root has one, and their places."""
    has = any(f.key == "blocks" and is_blocks(f.rule) for f in fields_of(root))
    blocks = tree.value.get("blocks") if has and isinstance(tree.value, dict) else None
    if blocks is None or not isinstance(blocks.value, dict):
        return {}
    return {name: block.key or block.mark for name, block in blocks.value.items()}


def is_blocks(rule: Any) -> bool:
    return any(
        isinstance(variant, DictOf) and variant.item == Layers() for variant in variants_of(rule)
    )


def check_blocks(checker: Checker) -> None:
    """Record blocks that are named like a layer or that contain themselves."""
    known = checker.grammar.names("layer") if checker.grammar.blocks else {}
    for name, mark in checker.grammar.blocks.items():
        if name in known or name in LAYER_SIBLINGS:
            message = f"a block cannot be called `{name}`: a layer or key has that name"
            checker.reject(mark, message, "choose another name")
        elif not _NAME.fullmatch(name):
            checker.reject(mark, f"`{name}` cannot be a name", _NAME_ADVICE)
    _refuse_cycles(checker)


def _refuse_cycles(checker: Checker) -> None:
    uses: dict[str, dict[str, Mark]] = {}
    for user, used, mark in checker.block_uses:
        uses.setdefault(user, {}).setdefault(used, mark)
    for circle in _circles(uses):
        mark = uses[circle[-2]][circle[-1]]
        shown = " → ".join(circle)
        checker.reject(mark, f"the block `{circle[-1]}` contains itself: {shown}")


def _circles(uses: dict[str, dict[str, Mark]]) -> Iterator[list[str]]:
    """The cycles that a depth-first walk closes, each once; a stack, for chains can be long."""
    done: set[str] = set()
    for start in uses:
        trail = {start: iter(uses[start])} if start not in done else {}
        while trail:
            name = next(reversed(trail))
            used = next(trail[name], None)
            if used is None:
                del trail[name]
                done.add(name)
            elif used in trail:
                names = list(trail)
                yield [*names[names.index(used) :], used]
            elif used in uses and used not in done:
                trail[used] = iter(uses[used])
