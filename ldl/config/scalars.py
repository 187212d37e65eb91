"""Unquoted scalars by the core schema of YAML 1.2: `1e-3` is a float, `no` a text, `017` is 17.

Source: YAML 1.2.2, section 10.3.2.
"""

from __future__ import annotations

import math
import re

from ldl.config.tree import Scalar

_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INF = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = frozenset({".nan", ".NaN", ".NAN"})
_WORDS: dict[str, Scalar] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_MAX_DIGITS = 400


class NumberError(ValueError):
    """A number that no float can hold; the argument is the message."""


def resolve(text: str) -> Scalar:
    """The value of an unquoted scalar. Raises NumberError for a number that no float can hold."""
    if text in _WORDS:
        return _WORDS[text]
    if not (text[0].isdigit() or text[0] in "+-."):
        return text
    number = _number(text)
    return text if number is None else number


def _number(text: str) -> int | float | None:
    whole, base = _INT.fullmatch(text), 10
    if not whole and text.startswith("0o"):
        whole, base = _OCTAL.fullmatch(text), 8
    elif not whole and text.startswith("0x"):
        whole, base = _HEX.fullmatch(text), 16
    if whole or _FLOAT.fullmatch(text):
        if len(text) > _MAX_DIGITS:
            raise NumberError("a number of too many digits")
        if not whole:
            return _finite(float(text))
        return int(text[2:], base) if base != 10 else int(text)
    if _INF.fullmatch(text):
        return float("-inf" if text[0] == "-" else "inf")
    return float("nan") if text in _NAN else None


def _finite(number: float) -> float:
    if math.isinf(number):
        raise NumberError("a number too large for a float")
    return number
