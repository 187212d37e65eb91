"""Values of varied keys as text: on one line, short, and still distinct."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ldl.config.emit import flow

DIGITS: Final = 4  # significant digits of a number
MAX_DIGITS: Final = 17  # any two floats differ in these


def one_line(value: Any, length: int = 40) -> str:
    """The value in YAML's flow style, cut to `length` characters."""
    return _cut(flow(value), length)


def describe_values(values: Mapping[str, Any], length: int = 30) -> str:
    """All keys with their values: "loss: mse, train.batch_size: 64"."""
    return ", ".join(f"{key}: {one_line(value, length)}" for key, value in values.items())


def short_texts(values: Sequence[Any]) -> list[str]:
    """A text for each value; numbers have four digits, or as many as keep the texts distinct."""
    distinct = len({_text(value) for value in values})
    texts: list[str] = []
    for digits in range(DIGITS, MAX_DIGITS + 1):
        texts = [_text(_rounded(value, digits)) for value in values]
        if len(set(texts)) == distinct:
            break
    return texts


def choice_labels(values: Sequence[Any]) -> list[str]:
    """`short_texts`, but a choice by its name, or by its settings where others share the name.

    `{sgd: {momentum: 0.9}}` is "sgd" beside `adam`, and "momentum: 0.9" beside `sgd`.
    """
    texts = short_texts(values)
    names = [_choice_name(value) or text for value, text in zip(values, texts, strict=True)]
    settings = [_choice_settings(value) or text for value, text in zip(values, texts, strict=True)]
    name_counts, settings_counts = Counter(names), Counter(settings)
    return [
        name if name_counts[name] == 1 else inner if settings_counts[inner] == 1 else text
        for name, inner, text in zip(names, settings, texts, strict=True)
    ]


def table_cells(
    rows: Sequence[Mapping[str, Any]], keys: Sequence[str], length: int
) -> list[list[str]]:
    """The cells of a table with a column for each key, cut to `length` characters.

    A cell is empty where its row lacks the key. Numbers of a column have as many digits as keep
    them distinct.
    """
    table: list[list[str]] = [[] for _ in rows]
    for key in keys:
        texts = iter(short_texts([values[key] for values in rows if key in values]))
        for cells, values in zip(table, rows, strict=True):
            cells.append(_cut(next(texts), length) if key in values else "")
    return table


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else flow(value)


def _rounded(value: Any, digits: int) -> Any:
    """The value with all fractions inside it rounded."""
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{digits}g}")
    if isinstance(value, Mapping):
        return {key: _rounded(part, digits) for key, part in value.items()}
    return [_rounded(part, digits) for part in value] if isinstance(value, list) else value


def _choice_name(value: Any) -> str | None:
    """The name of a choice that is written with its settings."""
    return next(iter(value)) if isinstance(value, Mapping) and len(value) == 1 else None


def _choice_settings(value: Any) -> str | None:
    """The settings of a choice, without braces."""
    settings = next(iter(value.values())) if _choice_name(value) is not None else None
    if not isinstance(settings, Mapping) or not settings:
        return None
    return short_texts([settings])[0][1:-1]
