"""What a configuration is made of: values with the place where each one stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

KeyPath = tuple[str | int, ...]
"""A place in the resolved configuration: ("network", 0, "linear", "units")."""

Registries = Mapping[str, Mapping[str, type]]
"""The registries: kind -> name -> dataclass."""

COMMAND_LINE: Final = "command line"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; line and column count from 1, `width` is how much the caret underlines."""

    file: str
    line: int
    column: int
    width: int = 1


NOWHERE: Final = Mark("", 0, 0)


class Invalid:
    """The value of a place whose mistake has been reported: nothing more is said about it."""


INVALID: Final = Invalid()

Scalar = None | bool | int | float | str


@dataclass(slots=True)
class Tree:
    """A value as it is written, and where; `key` is the place of its key in a mapping."""

    value: Scalar | Invalid | list[Tree] | dict[str, Tree]
    mark: Mark
    key: Mark | None = None


@dataclass(frozen=True)
class BlockUse:
    """A name from `blocks:` used as a layer."""

    name: str


@dataclass(frozen=True)
class Item:
    """One item of a list of layers: an entry of the registry "layer", a `BlockUse`, or `same`.

    `layer` is None exactly when `same` names the layer to apply again. Two items are equal when
    they say the same, wherever they stand.
    """

    layer: Any
    name: str | None = None
    inputs: tuple[str, ...] | None = None
    same: str | None = None
    path: KeyPath = field(default=(), compare=False)
    mark: Mark = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Siblings:
    """Marks a dataclass's one Choice field whose entry is written beside the other fields.

    With `Term(loss: Annotated[Any, Choice("loss"), Siblings()], weight: float = 1.0)` a Term is
    written `mse`, `{mse: {}, weight: 0.3}` or `{mse: {reduction: sum}, weight: 0.3}`.
    """


def child(path: KeyPath, *steps: str | int) -> KeyPath:
    """`path` with `steps` added."""
    return (*path, *steps)


def dotted(path: KeyPath) -> str:
    """The path as an override writes it."""
    return ".".join(map(str, path))
