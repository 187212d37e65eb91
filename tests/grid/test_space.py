"""Search spaces against `itertools.product`, and the patterns of `when` and `exclude`."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from ldl.errors import ConfigError
from ldl.grid.space import SearchSpace, matches, to_plain

from .plans import RATES, SIZES, checked_grid


def values(space: SearchSpace) -> list[dict[str, Any]]:
    """All assignments as plain data."""
    return [{key: to_plain(tree) for key, tree in a.items()} for a in space.assignments()]


def test_vary_is_the_product(tmp_path: Path) -> None:
    """In its order: the last key changes fastest."""
    block = f"vary:\n  {SIZES}\n  {RATES}\n  network.1: [tanh, relu]"
    assignments = values(checked_grid(tmp_path, block).space)
    keys = ("train.batch_size", "optimizer.adam.learning_rate", "network.1")
    lists = ([8, 16, 32], [0.1, 0.01, 0.001], ["tanh", "relu"])
    assert assignments == [dict(zip(keys, row, strict=True)) for row in itertools.product(*lists)]


def test_numbers_and_rows(tmp_path: Path) -> None:
    """Combinations are numbered in the order of the product."""
    space = checked_grid(tmp_path, f"vary:\n  {SIZES}\n  {RATES}\n  network.1: [tanh, relu]").space
    rows = list(itertools.product(range(3), range(3), range(2)))
    assert [space.rows(number) for number in range(space.size)] == rows


def test_zip(tmp_path: Path) -> None:
    """Lists of a group change together; groups and varied keys are combined."""
    block = (
        f"vary: {{{SIZES}}}\n"
        "zip:\n"
        "  - {train.epochs: [1, 2], network.1: [tanh, relu]}\n"
        "  - {train.l1: [0.1, 0.2], train.l2: [0.3, 0.4]}"
    )
    assignments = values(checked_grid(tmp_path, block).space)
    expected = [
        {
            "train.batch_size": size, "train.epochs": epochs, "network.1": layer,
            "train.l1": l1, "train.l2": l2,
        }
        for size, (epochs, layer), (l1, l2) in itertools.product(
            [8, 16, 32], [(1, "tanh"), (2, "relu")], [(0.1, 0.3), (0.2, 0.4)]
        )
    ]  # fmt: skip
    assert assignments == expected


def test_when(tmp_path: Path) -> None:
    """Elsewhere the key keeps its value; a condition may depend on another."""
    block = (
        "vary:\n  optimizer: [adam, {sgd: 0.1}]\n  optimizer.sgd.momentum: [0.0, 0.9]\n"
        "  optimizer.sgd.nesterov: [true, false]\n"
        "when:\n  optimizer.sgd.momentum: {optimizer: sgd}\n"
        "  optimizer.sgd.nesterov: {optimizer.sgd.momentum: 0.9}"
    )
    sgd = {"optimizer": {"sgd": 0.1}}
    key, deeper = "optimizer.sgd.momentum", "optimizer.sgd.nesterov"
    assert values(checked_grid(tmp_path, block).space) == [
        {"optimizer": "adam"},
        {**sgd, key: 0.0},
        {**sgd, key: 0.9, deeper: True},
        {**sgd, key: 0.9, deeper: False},
    ]


def test_when_on_several_values(tmp_path: Path) -> None:
    """A list means any of them; two conditions mean both."""
    block = (
        f"vary:\n  {SIZES}\n  network.1: [tanh, relu]\n  train.epochs: [1, 2]\n"
        "when: {train.epochs: {train.batch_size: [8, 16], network.1: relu}}"
    )
    assignments = values(checked_grid(tmp_path, block).space)
    longer = [a for a in assignments if "train.epochs" in a]
    assert len(assignments) == 3 * 2 + 2 and len(longer) == 4
    assert {(a["train.batch_size"], a["network.1"]) for a in longer} == {(8, "relu"), (16, "relu")}


def test_exclude_and_include(tmp_path: Path) -> None:
    """All patterns of an item must match; `exclude` does not apply to `include`."""
    block = (
        f"vary:\n  {SIZES}\n  network.1: [tanh, relu]\n"
        "exclude: [{train.batch_size: [8, 16], network.1: relu}, {train.batch_size: 32}]\n"
        "include: [{train.batch_size: 32, train.epochs: 7}]"
    )
    assert values(checked_grid(tmp_path, block).space) == [
        {"train.batch_size": 8, "network.1": "tanh"},
        {"train.batch_size": 16, "network.1": "tanh"},
        {"train.batch_size": 32, "train.epochs": 7},
    ]


def test_exclude_of_an_inactive_key(tmp_path: Path) -> None:
    """A pattern does not match a key that `when` rules out."""
    block = (
        "vary: {optimizer: [adam, sgd], optimizer.sgd.momentum: [0.0, 0.9]}\n"
        "when: {optimizer.sgd.momentum: {optimizer: sgd}}\n"
        "exclude: [{optimizer.sgd.momentum: 0.0}]"
    )
    assert values(checked_grid(tmp_path, block).space) == [
        {"optimizer": "adam"},
        {"optimizer": "sgd", "optimizer.sgd.momentum": 0.9},
    ]


def test_seeds_alone(tmp_path: Path) -> None:
    """Without varied keys there is one candidate, the file itself."""
    assert values(checked_grid(tmp_path, "seeds: 3").space) == [{}]


@pytest.mark.parametrize(
    ("listed", "ordered"),
    [("[1, 2, 4]", True), ("[4, 2, 1]", True), ("[1, 4, 2]", False), ("[1, 1, 2]", False)],
)
def test_numbers_in_order(listed: str, ordered: bool, tmp_path: Path) -> None:
    """An axis is ordered if its values only grow or only fall."""
    (axis,) = checked_grid(tmp_path, f"vary: {{train.epochs: {listed}}}").space.axes
    assert axis.ordered is ordered


def test_one_key_within_another(tmp_path: Path) -> None:
    """An error at the second key if it overwrites a value of the first; else allowed."""
    vary = "vary:\n  network.0.linear: [4, 8]\n  network.0.linear.{}: [2, 3]"
    with pytest.raises(ConfigError) as caught:
        checked_grid(tmp_path, vary.format("units"))
    (problem,) = caught.value.problems
    assert "`network.0.linear.units` and `network.0.linear` set the same" in problem.message
    assert problem.line == 10
    biased = vary.format("bias").replace("[2, 3]", "[true, false]")
    assert len(values(checked_grid(tmp_path, biased).space)) == 4
    apart = (
        "vary:\n  optimizer: [{adam: 0.1}, VALUE]\n  optimizer.sgd.learning_rate: [0.1, 0.2]\n"
        "when: {optimizer.sgd.learning_rate: {optimizer: sgd}}"
    )
    assert len(values(checked_grid(tmp_path, apart.replace("VALUE", "sgd")).space)) == 3
    with pytest.raises(ConfigError, match="set the same value"):
        checked_grid(tmp_path, apart.replace("VALUE", "{sgd: {learning_rate: 1.0}}"))


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
def test_matches(pattern: Any, value: Any) -> None:
    """An equal value, an item of a list, a choice's name or some of its settings."""
    assert matches(pattern, value)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (1, 2), (1, True), (True, 1), (0, False), ("1", 1), (None, 0), (None, False),
        ("adam", SGD), ({"sgd": {"momentum": 0.5}}, SGD), ({"adam": {}}, SGD), (SGD, "sgd"),
        ([64], [64, 32]), ([64, 32], [32, 64]), ([], 1), ([], SGD), ("momentum", SGD),
    ],
)  # fmt: skip
def test_does_not_match(pattern: Any, value: Any) -> None:
    """Another value, another type, other settings."""
    assert not matches(pattern, value)


@pytest.mark.parametrize(
    ("count", "more"), [(6, "`6`"), (7, "`6` and 1 more"), (9, "`6` and 3 more")]
)
def test_a_pattern_that_matches_no_value_lists_six_of_them(
    count: int, more: str, tmp_path: Path
) -> None:
    sizes = [*range(1, count + 1)]
    block = f"vary: {{train.batch_size: {sizes}}}\nexclude: [{{train.batch_size: 99}}]"
    with pytest.raises(ConfigError) as raised:
        checked_grid(tmp_path, block)
    (problem,) = raised.value.problems
    assert problem.message == "`train.batch_size` is never `99`"
    assert problem.hint == f"its values: `1`, `2`, `3`, `4`, `5`, {more}"
