"""Writes data as YAML that reads back as the same data, by YAML 1.1 and 1.2 alike."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from ldl.config.resolved import to_builtins
from ldl.config.tree import Registries

WIDTH: Final = 100

# Text that begins with a letter or `/` is no number in any YAML; the reserved words are below.
_SAFE = re.compile(r"[A-Za-z_/](?:[A-Za-z0-9_./+-]| (?=[A-Za-z0-9_./+]))*")
_RESERVED = frozenset(["null", "true", "false", "yes", "no", "on", "off", "y", "n"])


def to_yaml(value: Any, registries: Registries, header: str = "", for_key: bool = False) -> str:
    """The resolved configuration as text; `header` comes first as a comment.

    Loading the text gives an equal value, and `to_yaml` of that the same text. With `for_key` it is
    the text that content keys hash, which no renamed or added setting changes.
    """
    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    return comment + emit(to_builtins(value, registries, for_key))


def emit(data: Any) -> str:
    """The data as YAML: in brackets where it fits in 100 columns, else one entry a line."""
    if isinstance(data, dict) and data:
        return "\n".join(_entries(data, 0)) + "\n"
    if isinstance(data, list) and data:
        return "\n".join(_items(data, 0)) + "\n"
    return flow(data) + "\n"


def _entries(data: dict[str, Any], indent: int) -> list[str]:
    lines: list[str] = []
    for key, value in data.items():
        head = " " * indent + text(key) + ":"
        if _fits(head, value):
            lines.append(f"{head} {flow(value)}")
        else:
            block = _entries if isinstance(value, dict) else _items
            lines += [head, *block(value, indent + 2)]
    return lines


def _items(data: list[Any], indent: int) -> list[str]:
    lines: list[str] = []
    for value in data:
        head = " " * indent + "-"
        if _fits(head, value):
            lines.append(f"{head} {flow(value)}")
        else:
            block = _entries if isinstance(value, dict) else _items
            first, *rest = block(value, indent + 2)
            lines += [f"{head} {first.lstrip(' ')}", *rest]
    return lines


def _fits(head: str, value: Any) -> bool:
    if not isinstance(value, dict | list) or not value:
        return True
    return len(head) + 1 + len(flow(value)) <= WIDTH


def flow(data: Any) -> str:
    """The data as YAML on one line."""
    if isinstance(data, dict):
        return "{" + ", ".join(f"{text(k)}: {flow(v)}" for k, v in data.items()) + "}"
    if isinstance(data, list | tuple):
        return "[" + ", ".join(map(flow, data)) + "]"
    if isinstance(data, str):
        return text(data)
    if data is None:
        return "null"
    if isinstance(data, bool):
        return "true" if data else "false"
    return real(data) if isinstance(data, float) else str(data)


def real(value: float) -> str:
    """The shortest digits that read back as the same float, with a dot for YAML 1.1."""
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    digits, e, power = repr(float(value)).partition("e")
    return digits + ("" if "." in digits else ".0") + e + power


def text(value: str) -> str:
    """Text, in double quotes where YAML could read it as something else."""
    if _SAFE.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    return '"' + "".join(map(_escape, value)) + '"'


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable() and character != "\ufeff":
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
