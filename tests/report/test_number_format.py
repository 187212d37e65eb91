"""Numbers, durations and names as a page shows them."""

from __future__ import annotations

import math

import pytest

from ldl.report.number_format import (
    format_duration,
    format_mean_std,
    format_number,
    readable_name,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (1.0, "1"),
        (300, "300"),
        (435536, "435\u202f536"),
        (26341.7, "26\u202f342"),
        (-0.5, "−0.5"),
        (1.5e-7, "1.5e−07"),
        (None, "–"),
        (True, "yes"),
        (math.inf, "∞"),
        ("word", "word"),
    ],
)
def test_numbers(value: object, text: str) -> None:
    """Four significant digits, a true minus."""
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (0.96412, 0.0063, "0.9641 ± 0.0063"),
        (12.3, 4.56, "12.3 ± 4.6"),
        (123.4, 45.0, "123 ± 45"),
        (0.9, None, "0.9"),
        (1.0, 0.0, "1"),
        (None, None, "–"),
        (-1.25, 0.1, "−1.25 ± 0.10"),
    ],
)
def test_mean_and_deviation(mean: float | None, std: float | None, text: str) -> None:
    """The mean has as many places as the deviation with two significant digits."""
    assert format_mean_std(mean, std).replace("\u202f", " ") == text


def test_durations_and_names() -> None:
    """Durations in the unit that suits them; names with their acronyms."""
    texts = [format_duration(s).replace("\u202f", " ") for s in (0.04, 9.96, 59.6, 200, 7500)]
    assert texts == ["0.0 s", "10 s", "60 s", "3 min 20 s", "2 h 5 min"]
    assert readable_name("kl_divergence") == "KL divergence"
    assert readable_name("by_hand") == "consistency check"
