"""Values as text: rounded, by name, and always distinct."""

from __future__ import annotations

from ldl.grid.labels import choice_labels, describe_values, one_line, short_texts, table_cells


def test_four_digits() -> None:
    """Of fractions, inside other values too; integers and text are unchanged."""
    assert short_texts([0.000316227766017, 123456, "tanh"]) == ["0.0003162", "123456", "tanh"]
    assert short_texts([{"sgd": {"learning_rate": 0.0316227766}}]) == [
        "{sgd: {learning_rate: 0.03162}}"
    ]


def test_more_digits() -> None:
    """As many as keep the texts distinct."""
    assert short_texts([0.100001, 0.100002, 0.5]) == ["0.100001", "0.100002", "0.5"]


def test_choices() -> None:
    """By name, by settings where names repeat, and whole where settings repeat too."""
    assert choice_labels(["adam", {"sgd": {"momentum": 0.9}}]) == ["adam", "sgd"]
    assert choice_labels(["sgd", {"sgd": {"momentum": 0.9}}]) == ["sgd", "momentum: 0.9"]
    choices = [{"a": {"x": 1}}, {"a": {"x": 2, "z": 3}}, {"b": {"x": 1}}]
    assert choice_labels(choices) == ["{a: {x: 1}}", "x: 2, z: 3", "b"]
    assert choice_labels([{"sgd": 0.5}, {"sgd": 0.1}]) == ["{sgd: 0.5}", "{sgd: 0.1}"]
    assert choice_labels([[64, 32], None]) == ["[64, 32]", "null"]


def test_table_cells() -> None:
    """A cell is empty where its row lacks the key; long texts are cut."""
    rows = [{"a": 0.123456, "b": "long text"}, {"b": "short"}]
    assert table_cells(rows, ["a", "b"], 6) == [["0.1235", "long …"], ["", "short"]]


def test_values_on_one_line() -> None:
    """In YAML's flow style; long values are cut."""
    assert (
        describe_values({"loss": {"mse": "sum"}, "train.epochs": 5})
        == "loss: {mse: sum}, train.epochs: 5"
    )
    assert one_line([100] * 50, 10) == "[100, 100…"
