"""Values in few letters: rounded, by name, and always told from one another."""

from __future__ import annotations

from ldl.grid.labels import choice_labels, short_texts, table_cells


def test_numbers_have_four_digits() -> None:
    """Within other values too; whole numbers and text stay."""
    assert short_texts([0.000316227766017, 123456, "tanh"]) == ["0.0003162", "123456", "tanh"]
    assert short_texts([{"sgd": {"learning_rate": 0.0316227766}}]) == [
        "{sgd: {learning_rate: 0.03162}}"
    ]


def test_more_digits_keep_them_apart() -> None:
    """As many as it takes."""
    assert short_texts([0.100001, 0.100002, 0.5]) == ["0.100001", "0.100002", "0.5"]


def test_choices_go_by_their_names() -> None:
    """By their settings where others have the name, and whole where these are the same too."""
    assert choice_labels(["adam", {"sgd": {"momentum": 0.9}}]) == ["adam", "sgd"]
    assert choice_labels(["sgd", {"sgd": {"momentum": 0.9}}]) == ["sgd", "momentum: 0.9"]
    twice = [{"a": {"x": 1}}, {"a": {"x": 2, "z": 3}}, {"b": {"x": 1}}]
    assert choice_labels(twice) == ["{a: {x: 1}}", "x: 2, z: 3", "b"]
    assert choice_labels([{"sgd": 0.5}, {"sgd": 0.1}]) == ["{sgd: 0.5}", "{sgd: 0.1}"]
    assert choice_labels([[64, 32], None]) == ["[64, 32]", "null"]


def test_cells_of_a_table() -> None:
    """Empty where a setting lacks the key, and cut where long."""
    settings = [{"a": 0.123456, "b": "long text"}, {"b": "short"}]
    assert table_cells(settings, ["a", "b"], 6) == [["0.1235", "long …"], ["", "short"]]
