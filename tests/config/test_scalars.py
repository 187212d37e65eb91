from __future__ import annotations

import math

import pytest

from ldl.config.scalars import NumberError, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E+3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0.0", -0.0),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0x1F", "-0x1F"),
        ("0b101", "0b101"),
        ("12:30", "12:30"),
        ("12:30:45", "12:30:45"),
        ("2001-12-14", "2001-12-14"),
        ("1_000", "1_000"),
        ("+12", 12),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("+.Inf", math.inf),
        ("inf", "inf"),
        ("nan", "nan"),
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("none", "none"),
        ("None", "None"),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("9" * 300, int("9" * 300)),
        ("-", "-"),
        (".", "."),
        ("e3", "e3"),
        ("1e", "1e"),
        ("१", "१"),
        ("1٢", "1٢"),
    ],
)
def test_core_schema(text: str, value: object) -> None:
    actual = resolve(text)
    assert (actual, type(actual)) == (value, type(value))


def test_nan() -> None:
    actual = resolve(".nan")
    assert isinstance(actual, float)
    assert math.isnan(actual)


@pytest.mark.parametrize("text", ["9" * 500, "0x" + "f" * 9999, "0." + "1" * 500, "1e400"])
def test_numbers_that_nothing_can_hold(text: str) -> None:
    with pytest.raises(NumberError):
        resolve(text)
