"""Checks of lists of layers, with their names and references, and of named blocks."""

from __future__ import annotations

import re
from typing import Any

from ldl.config.check_choices import check_entry, require_choice
from ldl.config.checker import Checker
from ldl.config.describe import describe_value
from ldl.config.grammar import LAYER_SIBLINGS, ParsedChoice
from ldl.config.suggest import listing
from ldl.config.tree import INVALID, BlockUse, Invalid, Item, KeyPath, Mark, Tree, Unchecked, child
from ldl.config.type_rules import DictOf, Layers, fields_of, variants_of
from ldl.cycles import find_cycles

_NAME = re.compile(r"[^\W\d][\w-]*")
_NAME_HINT = "a name begins with a letter and holds letters, digits, `_` and `-`"


def check_layers(checker: Checker, tree: Tree, rule: Layers, path: KeyPath) -> Any:
    """A tuple of Items, from a list of items or from one item."""
    if isinstance(tree.value, str | dict):
        trees = [tree]
    elif isinstance(tree.value, list):
        trees = tree.value
    else:
        return checker.reject_type(tree, rule)
    items = [_check_item(checker, item, child(path, i)) for i, item in enumerate(trees)]
    if checker.partly:
        items = [
            _unchecked(trees[i], child(path, i)) if item is INVALID else item
            for i, item in enumerate(items)
        ]
    return INVALID if any(item is INVALID for item in items) else tuple(items)


def _unchecked(tree: Tree, path: KeyPath) -> Item:
    """What stands for a wrong item: its value has the name that the item gives it."""
    name = tree.value.get("as") if isinstance(tree.value, dict) else None
    return Item(
        Unchecked(), name.value if name and isinstance(name.value, str) else None, path=path
    )


def _check_item(checker: Checker, tree: Tree, path: KeyPath) -> Any:
    """One Item: a layer, a block or `same`, with its sibling keys."""
    if isinstance(tree.value, Invalid):
        return INVALID
    if not isinstance(tree.value, str | dict):
        return _reject_item(checker, tree)
    checker.marks[path] = tree.mark
    siblings: dict[str, Tree] = {}
    if isinstance(tree.value, dict):
        siblings = {key: tree.value[key] for key in LAYER_SIBLINGS if key in tree.value}
    name, inputs, same = (_check_sibling(checker, siblings, key, path) for key in LAYER_SIBLINGS)
    if "same" in siblings:
        return _check_same(checker, tree, name, inputs, same, path)
    choice = require_choice(checker, tree, "layer", checker.grammar.layers, LAYER_SIBLINGS)
    if choice is None:
        return INVALID
    layer = _check_layer(checker, choice, path)
    if any(value is INVALID for value in (layer, name, inputs)):
        return INVALID
    checker.marks[path] = choice.mark
    return Item(layer, name, inputs, None, path, choice.mark)


def _reject_item(checker: Checker, tree: Tree) -> Any:
    """Record why a value cannot be an item of a list of layers."""
    if isinstance(tree.value, list):
        names = checker.grammar.names("layer")
        composites = [name for name, cls in names.items() if _contains_layers(cls)]
        hint = "take the inner brackets away"
        if composites:
            hint += f", or name what holds the list: {listing(composites)}"
        return checker.reject(tree.mark, "a list inside a list of layers", hint)
    if tree.value is None:
        return checker.reject(tree.mark, "a layer is missing here")
    return checker.reject(tree.mark, f"expected a layer, found {describe_value(tree)}")


def _contains_layers(cls: type) -> bool:
    """Whether a setting of the entry takes a list of layers."""
    return any(isinstance(v, Layers) for field in fields_of(cls) for v in variants_of(field.rule))


def _check_layer(checker: Checker, choice: ParsedChoice, path: KeyPath) -> Any:
    """The layer of an item, or the use of a block, which has no settings."""
    cls = checker.grammar.layers[choice.name]
    if cls is not BlockUse:
        return check_entry(checker, choice, cls, path)
    checker.marks[child(path, choice.name)] = choice.mark
    if path[0] == "blocks" and len(path) > 1:
        checker.block_uses.append((str(path[1]), choice.name, choice.mark))
    settings = choice.settings
    if settings is not None and settings.value not in ({}, INVALID):
        return checker.reject(settings.mark, f"the block `{choice.name}` has no settings")
    return BlockUse(choice.name)


def _check_same(
    checker: Checker, tree: Tree, name: Any, inputs: Any, same: Any, path: KeyPath
) -> Any:
    """An item that applies another item's layer again: `same` and no layer of its own."""
    entries = tree.value if isinstance(tree.value, dict) else {}
    for key, value in entries.items():
        if key not in LAYER_SIBLINGS:
            message = f"`same` applies a layer again, so `{key}` cannot stand beside it"
            return checker.reject(value.key or value.mark, message, "keep one of the two")
    if any(value is INVALID for value in (name, inputs, same)):
        return INVALID
    return Item(None, name, inputs, same, path, tree.mark)


def _check_sibling(checker: Checker, siblings: dict[str, Tree], key: str, path: KeyPath) -> Any:
    """The value of `as`, `from` or `same`: None if absent, INVALID if wrong."""
    if key not in siblings:
        return None
    tree = siblings[key]
    checker.marks[child(path, key)] = tree.mark
    if key != "from":
        return _check_name(checker, tree, is_new=key == "as")
    trees = tree.value if isinstance(tree.value, list) else [tree]
    names = [_check_name(checker, name) for name in trees]
    if not names:
        return checker.reject(tree.mark, "`from` needs at least one name")
    return INVALID if any(name is INVALID for name in names) else tuple(names)


def _check_name(checker: Checker, tree: Tree, is_new: bool = False) -> Any:
    """The name of a value; a new one must have the form of a name."""
    if isinstance(tree.value, Invalid):
        return INVALID
    if not isinstance(tree.value, str) or not tree.value:
        message = f"expected a name, found {describe_value(tree)}"
        return checker.reject(tree.mark, message, _NAME_HINT)
    if is_new and not _NAME.fullmatch(tree.value):
        return checker.reject(tree.mark, f"`{tree.value}` cannot be a name", _NAME_HINT)
    return tree.value


def block_names(tree: Tree, root: type) -> dict[str, Mark]:
    """The names in the top-level `blocks:` mapping and where they stand; none without blocks."""
    has_blocks = any(f.key == "blocks" and is_blocks(f.rule) for f in fields_of(root))
    blocks = tree.value.get("blocks") if has_blocks and isinstance(tree.value, dict) else None
    if blocks is None or not isinstance(blocks.value, dict):
        return {}
    return {name: block.key or block.mark for name, block in blocks.value.items()}


def is_blocks(rule: Any) -> bool:
    """Whether the rule is that of named blocks: a mapping of lists of layers."""
    return any(isinstance(v, DictOf) and v.item == Layers() for v in variants_of(rule))


def check_blocks(checker: Checker) -> None:
    """Record blocks that are named like a layer and blocks that contain themselves."""
    layers = checker.grammar.names("layer") if checker.grammar.blocks else {}
    for name, mark in checker.grammar.blocks.items():
        if name in layers or name in LAYER_SIBLINGS:
            message = f"a block cannot be called `{name}`: a layer or key has that name"
            checker.reject(mark, message, "choose another name")
        elif not _NAME.fullmatch(name):
            checker.reject(mark, f"`{name}` cannot be a name", _NAME_HINT)
    uses: dict[str, dict[str, Mark]] = {}
    for user, used, mark in checker.block_uses:
        uses.setdefault(user, {}).setdefault(used, mark)
    for cycle in find_cycles(uses):
        message = f"the block `{cycle[-1]}` contains itself: {' → '.join(cycle)}"
        checker.reject(uses[cycle[-2]][cycle[-1]], message)
