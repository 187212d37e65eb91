"""Checks lists of layers, their names and references, and named blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ldl.config import choices
from ldl.config.describe import found
from ldl.config.grammar import BESIDE_LAYER, Picked
from ldl.config.rules import DictOf, Layers, arms_of, fields_of
from ldl.config.suggest import listing
from ldl.config.tree import BROKEN, Block, Broken, Item, Mark, Path, Tree, child

if TYPE_CHECKING:
    from ldl.config.checker import Checker

_NAME = re.compile(r"[^\W\d][\w-]*")
_NAME_ADVICE = "a name begins with a letter and holds letters, digits, `_` and `-`"


def layers(checker: Checker, tree: Tree, rule: Layers, path: Path) -> Any:
    """A tuple of Items, from a list of items or one item alone."""
    if isinstance(tree.value, str | dict):
        items = [_item(checker, tree, child(path, 0))]
    elif isinstance(tree.value, list):
        items = [_item(checker, item, child(path, i)) for i, item in enumerate(tree.value)]
    else:
        return checker.unexpected(tree, rule)
    return BROKEN if any(item is BROKEN for item in items) else tuple(items)


def _item(checker: Checker, tree: Tree, path: Path) -> Any:
    if isinstance(tree.value, Broken):
        return BROKEN
    if isinstance(tree.value, list):
        holders = [name for name, cls in checker.grammar.names("layer").items() if _holds(cls)]
        advice = "take the inner brackets away"
        if holders:
            advice += f", or name what holds the list: {listing(holders)}"
        return checker.fault(tree.mark, "a list inside a list of layers", advice)
    if tree.value is None:
        return checker.fault(tree.mark, "a layer is missing here")
    if not isinstance(tree.value, str | dict):
        return checker.fault(tree.mark, f"expected a layer, found {found(tree)}")
    checker.marks[path] = tree.mark
    beside: dict[str, Tree] = {}
    if isinstance(tree.value, dict):
        beside = {key: tree.value[key] for key in BESIDE_LAYER if key in tree.value}
    name, inputs, same = (_beside(checker, beside, key, path) for key in BESIDE_LAYER)
    if "same" in beside:
        return _same(checker, tree, name, inputs, same, path)
    picked = choices.take(checker, tree, "layer", checker.grammar.layers, BESIDE_LAYER)
    if picked is None:
        return BROKEN
    layer = _layer(checker, picked, path)
    if any(value is BROKEN for value in (layer, name, inputs)):
        return BROKEN
    checker.marks[path] = picked.mark
    return Item(layer, name, inputs, None, path, picked.mark)


def _holds(cls: type) -> bool:
    return any(isinstance(arm, Layers) for field in fields_of(cls) for arm in arms_of(field.rule))


def _layer(checker: Checker, picked: Picked, path: Path) -> Any:
    cls = checker.grammar.layers[picked.name]
    if cls is not Block:
        return choices.entry(checker, picked, cls, path)
    checker.marks[child(path, picked.name)] = picked.mark
    if path[0] == "blocks" and len(path) > 1:
        checker.block_uses.append((str(path[1]), picked.name, picked.mark))
    settings = picked.settings
    if settings is not None and settings.value not in ({}, BROKEN):
        return checker.fault(settings.mark, f"the block `{picked.name}` has no settings")
    return Block(picked.name)


def _same(checker: Checker, tree: Tree, name: Any, inputs: Any, same: Any, path: Path) -> Any:
    entries = tree.value if isinstance(tree.value, dict) else {}
    for key, value in entries.items():
        if key not in BESIDE_LAYER:
            message = f"`same` applies a layer again, so `{key}` cannot stand beside it"
            return checker.fault(value.key or value.mark, message, "keep one of the two")
    if any(value is BROKEN for value in (name, inputs, same)):
        return BROKEN
    return Item(None, name, inputs, same, path, tree.mark)


def _beside(checker: Checker, beside: dict[str, Tree], key: str, path: Path) -> Any:
    """The value of `as`, `from` or `same`: None if absent, BROKEN if wrong."""
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
        return checker.fault(tree.mark, "`from` needs at least one name")
    return BROKEN if any(name is BROKEN for name in names) else tuple(names)


def _name(checker: Checker, tree: Tree, must_be_new: bool = False) -> Any:
    if isinstance(tree.value, Broken):
        return BROKEN
    if not isinstance(tree.value, str) or not tree.value:
        return checker.fault(tree.mark, f"expected a name, found {found(tree)}", _NAME_ADVICE)
    if must_be_new and not _NAME.fullmatch(tree.value):
        return checker.fault(tree.mark, f"`{tree.value}` cannot be a name", _NAME_ADVICE)
    return tree.value


def block_names(tree: Tree, root: type) -> dict[str, Mark]:
    """The names in the top-level `blocks:` mapping, where the root has one, and their places."""
    has = any(f.key == "blocks" and is_blocks(f.rule) for f in fields_of(root))
    blocks = tree.value.get("blocks") if has and isinstance(tree.value, dict) else None
    if blocks is None or not isinstance(blocks.value, dict):
        return {}
    return {name: block.key or block.mark for name, block in blocks.value.items()}


def is_blocks(rule: Any) -> bool:
    return any(isinstance(arm, DictOf) and arm.item == Layers() for arm in arms_of(rule))


def check_blocks(checker: Checker) -> None:
    """Record blocks that are named like a layer or that contain themselves."""
    known = checker.grammar.names("layer") if checker.grammar.blocks else {}
    for name, mark in checker.grammar.blocks.items():
        if name in known or name in BESIDE_LAYER:
            message = f"a block cannot be called `{name}`: a layer or key has that name"
            checker.fault(mark, message, "choose another name")
        elif not _NAME.fullmatch(name):
            checker.fault(mark, f"`{name}` cannot be a name", _NAME_ADVICE)
    _refuse_cycles(checker)


def _refuse_cycles(checker: Checker) -> None:
    uses: dict[str, dict[str, Mark]] = {}
    for user, used, mark in checker.block_uses:
        uses.setdefault(user, {}).setdefault(used, mark)
    for circle in _circles(uses):
        mark = uses[circle[-2]][circle[-1]]
        shown = " → ".join(circle)
        checker.fault(mark, f"the block `{circle[-1]}` contains itself: {shown}")


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
