"""The settings of a block against `itertools.product`."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from ldl.errors import ConfigError
from ldl.grid.space import SearchSpace, to_plain

from .planned import RATES, SIZES, read


def values(space: SearchSpace) -> list[dict[str, Any]]:
    """All settings as plain data."""
    return [{key: to_plain(tree) for key, tree in each.items()} for each in space.assignments()]


def test_vary_is_the_product(tmp_path: Path) -> None:
    """In its order: the last key changes fastest."""
    block = f"vary:\n  {SIZES}\n  {RATES}\n  network.1: [tanh, relu]"
    found = values(read(tmp_path, block).space)
    keys = ("train.batch_size", "optimizer.adam.learning_rate", "network.1")
    lists = ([8, 16, 32], [0.1, 0.01, 0.001], ["tanh", "relu"])
    assert found == [dict(zip(keys, row, strict=True)) for row in itertools.product(*lists)]


def test_numbers_and_rows(tmp_path: Path) -> None:
    """A combination's number counts as the product does, and comes back."""
    space = read(tmp_path, f"vary:\n  {SIZES}\n  {RATES}\n  network.1: [tanh, relu]").space
    rows = list(itertools.product(range(3), range(3), range(2)))
    assert [space.rows(number) for number in range(space.size)] == rows
    assert [space.number(row) for row in rows] == list(range(18))


def test_zip_walks_in_step(tmp_path: Path) -> None:
    """Lists of one group together, groups and varied keys crossed."""
    block = (
        f"vary: {{{SIZES}}}\n"
        "zip:\n"
        "  - {train.epochs: [1, 2], network.1: [tanh, relu]}\n"
        "  - {train.l1: [0.1, 0.2], train.l2: [0.3, 0.4]}"
    )
    found = values(read(tmp_path, block).space)
    expected = [
        {
            "train.batch_size": size, "train.epochs": epochs, "network.1": layer,
            "train.l1": l1, "train.l2": l2,
        }
        for size, (epochs, layer), (l1, l2) in itertools.product(
            [8, 16, 32], [(1, "tanh"), (2, "relu")], [(0.1, 0.3), (0.2, 0.4)]
        )
    ]  # fmt: skip
    assert found == expected


def test_when_varies_only_there(tmp_path: Path) -> None:
    """Elsewhere the key is left as it is, once; conditions may follow one another."""
    block = (
        "vary:\n  optimizer: [adam, {sgd: 0.1}]\n  optimizer.sgd.momentum: [0.0, 0.9]\n"
        "  optimizer.sgd.nesterov: [true, false]\n"
        "when:\n  optimizer.sgd.momentum: {optimizer: sgd}\n"
        "  optimizer.sgd.nesterov: {optimizer.sgd.momentum: 0.9}"
    )
    sgd = {"optimizer": {"sgd": 0.1}}
    key, deeper = "optimizer.sgd.momentum", "optimizer.sgd.nesterov"
    assert values(read(tmp_path, block).space) == [
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
    found = values(read(tmp_path, block).space)
    longer = [each for each in found if "train.epochs" in each]
    assert len(found) == 3 * 2 + 2 and len(longer) == 4
    assert {(e["train.batch_size"], e["network.1"]) for e in longer} == {(8, "relu"), (16, "relu")}


def test_exclude_and_include(tmp_path: Path) -> None:
    """All words of one item must fit; what is included is not excluded again."""
    block = (
        f"vary:\n  {SIZES}\n  network.1: [tanh, relu]\n"
        "exclude: [{train.batch_size: [8, 16], network.1: relu}, {train.batch_size: 32}]\n"
        "include: [{train.batch_size: 32, train.epochs: 7}]"
    )
    assert values(read(tmp_path, block).space) == [
        {"train.batch_size": 8, "network.1": "tanh"},
        {"train.batch_size": 16, "network.1": "tanh"},
        {"train.batch_size": 32, "train.epochs": 7},
    ]


def test_exclude_of_a_key_that_is_out(tmp_path: Path) -> None:
    """What a setting does not have excludes nothing."""
    block = (
        "vary: {optimizer: [adam, sgd], optimizer.sgd.momentum: [0.0, 0.9]}\n"
        "when: {optimizer.sgd.momentum: {optimizer: sgd}}\n"
        "exclude: [{optimizer.sgd.momentum: 0.0}]"
    )
    assert values(read(tmp_path, block).space) == [
        {"optimizer": "adam"},
        {"optimizer": "sgd", "optimizer.sgd.momentum": 0.9},
    ]


def test_seeds_alone(tmp_path: Path) -> None:
    """Nothing varied: the file itself, with several seeds."""
    assert values(read(tmp_path, "seeds: 3").space) == [{}]


@pytest.mark.parametrize(
    ("listed", "ordered"),
    [("[1, 2, 4]", True), ("[4, 2, 1]", True), ("[1, 4, 2]", False), ("[1, 1, 2]", False)],
)
def test_numbers_in_order(listed: str, ordered: bool, tmp_path: Path) -> None:
    """Values that only grow or only fall have neighbours."""
    (axis,) = read(tmp_path, f"vary: {{train.epochs: {listed}}}").space.axes
    assert axis.ordered is ordered


def test_one_key_within_another(tmp_path: Path) -> None:
    """Refused where it overwrites what the other says, at the second; fine beside it."""
    vary = "vary:\n  network.0.linear: [4, 8]\n  network.0.linear.{}: [2, 3]"
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, vary.format("units"))
    (problem,) = caught.value.problems
    assert "`network.0.linear.units` and `network.0.linear` set the same" in problem.message
    assert problem.line == 10
    biased = vary.format("bias").replace("[2, 3]", "[true, false]")
    assert len(values(read(tmp_path, biased).space)) == 4
    apart = (
        "vary:\n  optimizer: [{adam: 0.1}, VALUE]\n  optimizer.sgd.learning_rate: [0.1, 0.2]\n"
        "when: {optimizer.sgd.learning_rate: {optimizer: sgd}}"
    )
    assert len(values(read(tmp_path, apart.replace("VALUE", "sgd")).space)) == 3
    with pytest.raises(ConfigError, match="set the same value"):
        read(tmp_path, apart.replace("VALUE", "{sgd: {learning_rate: 1.0}}"))
