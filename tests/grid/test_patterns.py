"""What `when` and `exclude` mean by a value."""

from __future__ import annotations

from typing import Any

import pytest

from ldl.grid.labels import describe_values, one_line
from ldl.grid.space import matches

SGD = {"sgd": {"learning_rate": 0.1, "momentum": 0.9}}


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (1, 1), (1, 1.0), (0.1, 0.1), ("adam", "adam"), (None, None), (True, True),
        ([64, 32], [64, 32]), ([[64, 32]], [64, 32]), (["adam", "sgd"], "sgd"), ([1, 2], 2),
        ("sgd", SGD), (SGD, SGD), ({"sgd": {"momentum": 0.9}}, SGD), (["adam", "sgd"], SGD),
        ({"sgd": {}}, SGD), ({"mlp": [64]}, {"mlp": [64]}), ([None, 1], None),
    ],
)  # fmt: skip
def test_what_matches(pattern: Any, value: Any) -> None:
    """The value itself, one of several, a choice by its name or by some of its settings."""
    assert matches(pattern, value)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (1, 2), (1, True), (True, 1), (0, False), ("1", 1), (None, 0), (None, False),
        ("adam", SGD), ({"sgd": {"momentum": 0.5}}, SGD), ({"adam": {}}, SGD), (SGD, "sgd"),
        ([64], [64, 32]), ([64, 32], [32, 64]), ([], 1), ([], SGD), ("momentum", SGD),
    ],
)  # fmt: skip
def test_what_does_not(pattern: Any, value: Any) -> None:
    """Another value, another kind of value, other settings."""
    assert not matches(pattern, value)


def test_a_setting_in_a_line() -> None:
    """As YAML has it, long values cut."""
    assert (
        describe_values({"loss": {"mse": "sum"}, "train.epochs": 5})
        == "loss: {mse: sum}, train.epochs: 5"
    )
    assert one_line([100] * 50, 10) == "[100, 100…"
