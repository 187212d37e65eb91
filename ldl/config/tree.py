"""The parts of a configuration: values together with the position where each is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

KeyPath = tuple[str | int, ...]
"""The keys that lead to a value of the resolved file: ("network", 0, "linear", "units")."""

Registries = Mapping[str, Mapping[str, type]]
"""Kind of entry -> name -> dataclass."""

COMMAND_LINE: Final = "command line"


@dataclass(frozen=True, slots=True)
class Mark:
    """A position in a file; line and column count from 1, a caret underlines `width` characters."""

    file: str
    line: int
    column: int
    width: int = 1


NOWHERE: Final = Mark("", 0, 0)


class Invalid:
    """The type of INVALID, the value of what is wrong and has been reported."""


INVALID: Final = Invalid()

Scalar = None | bool | int | float | str


@dataclass(slots=True)
class Tree:
    """A value as it is written.

    `mark` is the position of the value, `key` that of its key in a mapping. `alias` is the former
    name of the setting, where the mapping that contains the value uses one.
    """

    value: Scalar | Invalid | list[Tree] | dict[str, Tree]
    mark: Mark
    key: Mark | None = None
    alias: str = ""


@dataclass(frozen=True)
class BlockUse:
    """A name from `blocks:` used as a layer."""

    name: str


@dataclass(frozen=True)
class Unchecked:
    """Stands for a layer with a problem that is reported already, in a partly checked file."""


@dataclass(frozen=True)
class Item:
    """One item of a list of layers: an entry of the registry "layer", a `BlockUse`, or `same`.

    In a partly checked file `layer` may be `Unchecked`. It is None exactly when `same` names the
    layer to apply again. Two items with the same content are equal, wherever they are written.
    """

    layer: Any
    name: str | None = None
    inputs: tuple[str, ...] | None = None
    same: str | None = None
    path: KeyPath = field(default=(), compare=False)
    mark: Mark = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Siblings:
    """Marks the one Choice field of a dataclass whose entry is written beside the other fields.

    With `Term(loss: Annotated[Any, Choice("loss"), Siblings()], weight: float = 1.0)` a Term is
    written `mse`, `{mse: {}, weight: 0.3}` or `{mse: {reduction: sum}, weight: 0.3}`.
    """


def child(path: KeyPath, *steps: str | int) -> KeyPath:
    """`path` with `steps` added."""
    return (*path, *steps)


def path_prefixes(path: KeyPath) -> list[KeyPath]:
    """`path` and all that leads to it, the longest first."""
    return [path[:length] for length in range(len(path), -1, -1)]
