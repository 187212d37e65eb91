"""Values as tables and pictures show them: short, and still told from one another."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ldl.config.emit import flow

DIGITS: Final = 4  # that count, of a number
MOST: Final = 17  # tell any two numbers apart


def brief(values: Sequence[Any]) -> list[str]:
    """Each on a line; numbers with four digits, or as many as keep them apart."""
    exact = len({_text(value) for value in values})
    found: list[str] = []
    for digits in range(DIGITS, MOST + 1):
        found = [_text(_rounded(value, digits)) for value in values]
        if len(set(found)) == exact:
            break
    return found


def names(values: Sequence[Any]) -> list[str]:
    """As `brief`, but a choice with settings by its name, or by these where others have the name.

    `{sgd: {momentum: 0.9}}` is "sgd" beside `adam`, and "momentum: 0.9" beside `sgd`.
    """
    whole = brief(values)
    short = [_name(value) or text for value, text in zip(values, whole, strict=True)]
    inner = [_inner(value) or text for value, text in zip(values, whole, strict=True)]
    once, inside = Counter(short), Counter(inner)
    return [
        name if once[name] == 1 else own if inside[own] == 1 else text
        for name, own, text in zip(short, inner, whole, strict=True)
    ]


def cells(settings: Sequence[Mapping[str, Any]], keys: Sequence[str], most: int) -> list[list[str]]:
    """A row of cells a setting, empty where it has no such key; what is longer than `most` is cut.

    Numbers of a column have as many digits as keep them apart.
    """
    rows: list[list[str]] = [[] for _ in settings]
    for key in keys:
        told = iter(brief([values[key] for values in settings if key in values]))
        for row, values in zip(rows, settings, strict=True):
            text = next(told) if key in values else ""
            row.append(text if len(text) <= most else text[: most - 1] + "…")
    return rows


def _text(value: Any) -> str:
    return value if isinstance(value, str) else flow(value)


def _rounded(value: Any, digits: int) -> Any:
    """The same with all fractions within rounded."""
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{digits}g}")
    if isinstance(value, Mapping):
        return {key: _rounded(part, digits) for key, part in value.items()}
    return [_rounded(part, digits) for part in value] if isinstance(value, list) else value


def _name(value: Any) -> str | None:
    """The name of a choice that is written with its settings."""
    return next(iter(value)) if isinstance(value, Mapping) and len(value) == 1 else None


def _inner(value: Any) -> str | None:
    """The settings of a choice, without braces."""
    settings = next(iter(value.values())) if _name(value) is not None else None
    if not isinstance(settings, Mapping) or not settings:
        return None
    return brief([settings])[0][1:-1]
