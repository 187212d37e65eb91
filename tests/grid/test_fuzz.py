"""Random changes of a grid block give problems with a line, never a crash."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from ldl.errors import ConfigError, Problem
from ldl.grid.planning import read_grid

from .plans import BASE

BLOCK = """\
grid:
  objective: validation.loss
  seeds: 2
  vary:
    optimizer: [adam, {sgd: {learning_rate: 0.1}}]
    optimizer.sgd.momentum: [0.0, 0.9]
    network.0.linear: {range: [2, 6, 2]}
  zip: [{train.l1: [0.0, 0.1], train.l2: [0.1, 0.2]}]
  when: {optimizer.sgd.momentum: {optimizer: sgd}}
  exclude: [{optimizer: adam, network.0.linear: [2]}]
  include: [{train.epochs: 7}]
  search: {random: {trials: 5}}
"""
WORDS = [
    "null", "true", "[]", "{}", "-1", "0", "1e400", "'x'", "sgd", "optimizer", "train.epochs",
    "[1, [2]]", "{range: [1, 3, 1]}", "{a: b}", "*x", "&y 3", "!!int 3", "grid", "network",
    "halving", "{halving: 2}", "{tpe: 3}", "test.loss", "blocks.b", "''", "☃",
    "{linspace: [0, 1, 3]}", "network.0", "seed", ".nan", "{logspace: [0.1, 0.2, 3]}", "- x",
    "99999999999999999999", "a..b", "\t",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_nonsense(seed: int, tmp_path: Path) -> None:
    """Words are replaced, doubled and removed; every problem has a line."""
    draw = random.Random(seed)
    file, sound = tmp_path / "f.yaml", 0
    for _ in range(15):
        words = re.findall(r"[\w.]+|\s+|.", BLOCK, re.S)
        for _ in range(draw.choice([1, 1, 2, 4])):
            place = draw.randrange(len(words))
            words[place] = draw.choice([*WORDS, "", words[place] * 2, draw.choice(words)])
        file.write_text(BASE + "".join(words), encoding="utf-8")
        problems = problems_of(file)
        sound += not problems
        assert all(problem.line or "no `grid` block" in problem.message for problem in problems), (
            problems
        )
    assert sound < 15


def problems_of(file: Path) -> tuple[Problem, ...]:
    """All problems of a file."""
    try:
        read_grid(file)
    except ConfigError as error:
        return error.problems
    return ()
