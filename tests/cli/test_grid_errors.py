"""Errors in grid blocks: message, position, exit code 2, and no files written.

A `«` marks the position that the message must name; it is removed before the file is written.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Ldl
from .test_config_errors import problems, write_config

BASE = """\
data: {source: digits, scale: minmax}
network: [{linear: 8}, tanh, linear]
optimizer: {adam: {learning_rate: 0.01}}
train: {epochs: 3}
"""
AUTO = """\
data: {source: digits, scale: minmax}
network: {encoder: [{linear: 2}], decoder: mirror}
"""
LINE = "data: {source: line}\nnetwork: [linear]\n"
BY_LOSS = "objective: validation.loss\n  "
SIZES = "train.batch_size: [16, 32]"
RATES = "optimizer.adam.learning_rate: [0.1, 0.01]"


def grid(block: str, base: str = BASE) -> str:
    """A configuration with a grid block of these lines."""
    return f"{base}grid:\n  {block}\n"


# name: (configuration, words of the message or its hint)
WORDS = {
    "no block": ("«" + BASE, ["no `grid` block", "ldl explain grid"]),
    "an empty block": (BASE + "«grid:\n", ["needs `objective`"]),
    "a block of text": (BASE + "grid: «fast\n", ["mapping", "fast"]),
    "no objective": (BASE + "«grid: {vary: {train.epochs: [1, 2]}}\n", ["needs `objective`"]),
    "misspelt key": (grid(BY_LOSS + f"«vari: {{{SIZES}}}"), ["vari", "did you mean `vary`"]),
    "misspelt section": (BASE + f"«gird: {{vary: {{{SIZES}}}}}\n", ["did you mean `grid`"]),
    "no seeds": (grid(BY_LOSS + f"seeds: «0\n  vary: {{{SIZES}}}"), ["at least 1"]),
    "seeds of text": (grid(BY_LOSS + f"seeds: «many\n  vary: {{{SIZES}}}"), ["whole number"]),
    "goal of text": (grid(BY_LOSS + f"goal: «up\n  vary: {{{SIZES}}}"), ["`min` or `max`"]),
    "unknown search": (
        grid(BY_LOSS + f"search: «randm\n  vary: {{{SIZES}}}"),
        ["did you mean `random`"],
    ),
    "random without trials": (
        grid(BY_LOSS + f"search: «random\n  vary: {{{SIZES}}}"),
        ["needs `trials`"],
    ),
    "eta of one": (
        grid(BY_LOSS + f"search: {{halving: {{eta: «1}}}}\n  vary: {{{SIZES}}}"),
        ["at least 2"],
    ),
    "alias in the block": (grid(BY_LOSS + "vary: {train.epochs: «*a}"), ["alias"]),
    "one key twice": (grid(BY_LOSS + f"vary: {{{SIZES}, «{SIZES}}}"), ["twice"]),
}
VALUES = {
    "one value": (grid(BY_LOSS + "vary: {train.epochs: «5}"), ["list"]),
    "no values": (grid(BY_LOSS + "vary: {train.epochs: «[]}"), ["empty"]),
    "values of text": (
        grid(BY_LOSS + "vary: {train.epochs: «all}"),
        ["a list of values", "brackets"],
    ),
    "a choice instead of values": (
        grid(BY_LOSS + "vary: {optimizer: «{sgd: 0.1}}"),
        ["a list of values"],
    ),
    "unknown spacing": (
        grid(BY_LOSS + "vary: {train.epochs: {«linspce: [1, 2, 3]}}"),
        ["did you mean `linspace`"],
    ),
    "two spacings": (
        grid(BY_LOSS + "vary: {train.epochs: {range: [1, 9, 2], «linspace: [1, 2, 3]}}"),
        ["range", "linspace"],
    ),
    "range of two numbers": (
        grid(BY_LOSS + "vary: {train.epochs: {range: «[1, 9]}}"),
        ["3 items", "2"],
    ),
    "range in the wrong direction": (
        grid(BY_LOSS + "vary: {train.epochs: {range: «[9, 1, 2]}}"),
        ["no value", "from 9 to 1"],
    ),
    "range without a step": (
        grid(BY_LOSS + "vary: {train.epochs: {range: «[1, 9, 0]}}"),
        ["no value"],
    ),
    "linspace of 0 values": (
        grid(BY_LOSS + "vary: {train.l1: {linspace: [0, 1, «0]}}"),
        ["at least 1"],
    ),
    "linspace of half a value": (
        grid(BY_LOSS + "vary: {train.l1: {linspace: [0, 1, «2.5]}}"),
        ["whole"],
    ),
    "logspace without exponents": (
        grid(BY_LOSS + "vary: {optimizer.adam.learning_rate: {logspace: «[1e-4, 1e-1, 4]}}"),
        ["exponents", "[-4, -1, 4]"],
    ),
    "invalid value": (
        grid(BY_LOSS + "vary: {optimizer.adam.learning_rate: [0.1, «-0.1]}"),
        ["above 0", "-0.1"],
    ),
    "value of another type": (grid(BY_LOSS + "vary: {train.epochs: [2, «many]}"), ["whole number"]),
    "fraction for a whole number": (
        grid(BY_LOSS + "vary: {train.epochs: «{linspace: [1, 2, 3]}}"),
        ["whole number", "1.5"],
    ),
    "unknown choice": (grid(BY_LOSS + "vary: {optimizer: [adam, «sdg]}"), ["did you mean `sgd`"]),
    "unknown setting in a choice": (
        grid(BY_LOSS + "vary: {optimizer: [adam, {sgd: {«momentun: 0.9}}]}"),
        ["did you mean `momentum`"],
    ),
    "invalid setting of a choice": (
        grid(BY_LOSS + "vary: {optimizer: [adam, {sgd: {nesterov: «true}}]}"),
        ["momentum"],
    ),
    "misspelt layer": (
        grid(BY_LOSS + "vary: {network.1: [tanh, «reluu]}"),
        ["did you mean `relu`"],
    ),
    "wrong shapes": (
        grid(BY_LOSS + "vary: {network.0: [{linear: 8}, {«reshape: [5]}]}"),
        ["(64)", "(5)", "in 1 of 2 settings, the first: network.0: {reshape: [5]}"],
    ),
}
PATHS = {
    "unknown section": (grid(BY_LOSS + "vary: {«trian.epochs: [1, 2]}"), ["did you mean `train`"]),
    "unknown key": (
        grid(BY_LOSS + "vary: {train.«epoch: [1, 2]}"),
        ["epoch", "did you mean `epochs`"],
    ),
    "quoted unknown key": (
        grid(BY_LOSS + "vary: {'train.«epoch': [1, 2]}"),
        ["did you mean `epochs`"],
    ),
    "unknown item": (grid(BY_LOSS + "vary: {network.«7: [tanh, relu]}"), ["0 to 2"]),
    "key below a number": (grid(BY_LOSS + "vary: {train.epochs.«most: [1, 2]}"), ["no parts"]),
    "empty key": (grid(BY_LOSS + "vary: {«train..epochs: [1, 2]}"), ["as in an override"]),
    "the seed": (grid(BY_LOSS + "vary: {«seed: [1, 2]}"), ["seeds: 3"]),
    "the name": (grid(BY_LOSS + "vary: {«name: [a, b]}"), ["changes nothing"]),
    "the grid": (grid(BY_LOSS + "vary: {«grid.seeds: [1, 2]}"), ["vary itself"]),
    "a key of another choice": (
        grid(BY_LOSS + "vary: {optimizer.«sgd.learning_rate: [0.1, 0.01]}"),
        ["`optimizer` is `adam`, not `sgd`", "never read", "`optimizer: {sgd: …}`"],
    ),
    "a key of another choice in some settings": (
        grid(
            BY_LOSS + "vary:\n    optimizer: [adam, sgd]\n    optimizer.«sgd.momentum: [0.0, 0.9]"
        ),
        ["never read", "when: {optimizer.sgd.momentum: {optimizer: sgd}}"],
    ),
    "a key of missing noise": (
        grid(BY_LOSS + "vary: {data.noise.«gaussian: [0.1, 0.2]}"),
        ["no noise is chosen", "never read"],
    ),
    "a key of noise missing in some settings": (
        grid(
            BY_LOSS
            + "vary: {data.noise: [null, {gaussian: 0.1}], data.noise.«gaussian: [0.1, 0.2]}"
        ),
        ["when: {data.noise.gaussian: {data.noise: gaussian}}"],
    ),
    "a block that no layer uses": (
        grid(
            BY_LOSS + "vary: {«blocks.b.0.linear: [4, 8]}",
            BASE + "blocks: {b: [{linear: 4}]}\n",
        ),
        ["no layer uses the block `b`", "never read"],
    ),
    "a block that some settings do not use": (
        grid(
            BY_LOSS + "vary: {network.0: [{linear: 3}, b], «blocks.b.0.linear: [4, 8]}",
            BASE + "blocks: {b: [{linear: 4}]}\n",
        ),
        ["no layer uses the block `b`", "in 2 of 4 settings"],
    ),
    "gd with batches": (
        grid(BY_LOSS + "vary: {optimizer: [adam, gd], train.batch_size: [16, «32]}"),
        ["whole set", "in 1 of 4 settings"],
    ),
}
PARTS = {
    "lists of unequal length": (
        grid(BY_LOSS + "zip: {train.epochs: [1, 2], «train.batch_size: [16, 32, 64]}"),
        ["3 here", "2 of `train.epochs`"],
    ),
    "unequal in the second group": (
        grid(BY_LOSS + f"zip: [{{{RATES}}}, {{train.epochs: [1, 2], «train.batch_size: [16]}}]"),
        ["1 here"],
    ),
    "varied and zipped": (
        grid(
            BY_LOSS
            + f"vary: {{{SIZES}}}\n  zip: {{«train.batch_size: [1, 2], train.epochs: [1, 2]}}"
        ),
        ["varied already"],
    ),
    "when of a key that is not varied": (
        grid(BY_LOSS + f"vary: {{{SIZES}}}\n  when: {{«train.epochs: {{train.batch_size: 16}}}}"),
        ["`train.epochs` is not varied"],
    ),
    "when on a key that is not varied": (
        grid(BY_LOSS + f"vary: {{{SIZES}}}\n  when: {{train.batch_size: {{«optimizer: sgd}}}}"),
        ["`optimizer` is not varied"],
    ),
    "when on a value that does not occur": (
        grid(
            BY_LOSS + "vary: {optimizer: [adam, sgd], train.epochs: [1, 2]}\n"
            "  when: {train.epochs: {optimizer: «rmsprop}}"
        ),
        ["never `rmsprop`", "its values: `adam`, `sgd`"],
    ),
    "when without a condition": (
        grid(BY_LOSS + f"vary: {{{SIZES}}}\n  when: {{train.batch_size: «{{}}}}"),
        ["condition is missing"],
    ),
    "when in a circle": (
        grid(
            BY_LOSS + "vary: {train.epochs: [1, 2], train.batch_size: [16, 32]}\n"
            "  when: {«train.epochs: {train.batch_size: 16}, train.batch_size: {train.epochs: 1}}"
        ),
        ["cycle", "train.epochs → train.batch_size → train.epochs"],
    ),
    "exclude of a key that is not varied": (
        grid(BY_LOSS + f"vary: {{{SIZES}}}\n  exclude: [{{«train.epochs: 3}}]"),
        ["`train.epochs` is not varied", "did you mean `train.batch_size`"],
    ),
    "exclude of a value that does not occur": (
        grid(BY_LOSS + f"vary: {{{SIZES}}}\n  exclude: [{{train.batch_size: «64}}]"),
        ["never `64`"],
    ),
    "one of several values that does not occur": (
        grid(BY_LOSS + f"vary: {{{SIZES}}}\n  exclude: [{{train.batch_size: «[16, 64]}}]"),
        ["never `64`"],
    ),
    "exclude of everything": (
        grid(BY_LOSS + f"vary: {{{SIZES}}}\n  exclude: «[{{train.batch_size: [16, 32]}}]"),
        ["empty grid"],
    ),
    "exclude of nothing": (
        grid(BY_LOSS + f"vary: {{{SIZES}}}\n  exclude: [«{{}}]"),
        ["exclude every setting"],
    ),
    "include of nothing": (
        grid(BY_LOSS + f"vary: {{{SIZES}}}\n  include: [«{{}}]"),
        ["file itself"],
    ),
    "include of an unknown key": (
        grid(BY_LOSS + f"vary: {{{SIZES}}}\n  include: [{{train.«epoch: 5}}]"),
        ["did you mean `epochs`"],
    ),
    "include of an invalid value": (
        grid(BY_LOSS + f"vary: {{{SIZES}}}\n  include: [{{train.epochs: «0}}]"),
        ["at least 1"],
    ),
    "an empty grid": (BASE + "«grid: {objective: validation.loss}\n", ["nothing is varied"]),
    "too many settings": (
        grid(
            BY_LOSS + "vary: «{optimizer.adam.learning_rate: {logspace: [-4, -1, 1000]}, "
            "train.epochs: {range: [1, 1001, 1]}}"
        ),
        ["1,000,000 combinations", "random"],
    ),
    "too many trials": (
        grid(
            BY_LOSS + "seeds: «10000\n  vary: {optimizer.adam.learning_rate: "
            "{logspace: [-4, -1, 51]}}"
        ),
        ["510,000 trials", "random"],
    ),
    "epochs under halving": (
        grid(BY_LOSS + "search: halving\n  vary: {«train.epochs: [9, 27, 81]}"),
        ["sets the epochs itself"],
    ),
    "halving with one round": (
        grid(BY_LOSS + f"search: «{{halving: {{epochs: 3, eta: 2}}}}\n  vary: {{{SIZES}}}"),
        ["not fewer", "3"],
    ),
    "halving of two": (
        grid(BY_LOSS + f"search: «halving\n  vary: {{{SIZES}}}"),
        ["of 3 one goes on"],
    ),
}
OBJECTIVES = {
    "metric of the test split": (
        grid(f"objective: «test.accuracy\n  vary: {{{SIZES}}}"),
        ["test split is for the winner", "did you mean `validation.accuracy`"],
    ),
    "metric of an evaluation on the test split": (
        grid(f"objective: «test.classification.macro.f1\n  vary: {{{SIZES}}}"),
        ["test split", "`validation.classification.macro.f1`"],
    ),
    "unknown metric": (
        grid(f"objective: «validation.los\n  vary: {{{SIZES}}}"),
        [
            "did you mean `validation.loss`",
            "`train.accuracy`",
            "`validation.classification.macro.f1`",
        ],
    ),
    "column's name": (
        grid(f"objective: «validation_loss\n  vary: {{{SIZES}}}"),
        ["did you mean `validation.loss`"],
    ),
    "a bare word": (
        grid(f"objective: «accuracy\n  vary: {{{SIZES}}}"),
        ["did you mean `validation.accuracy`"],
    ),
    "unknown metric of an evaluation": (
        grid(f"objective: «validation.classification.f1\n  vary: {{{SIZES}}}"),
        ["no metric `f1`", "`validation.classification.macro.f1`"],
    ),
    "metric of an unknown form": (
        grid(f"objective: «validation.decision_regions.x\n  vary: {{{SIZES}}}"),
        ["goal: max"],
    ),
    "accuracy of an autoencoder": (
        grid(f"objective: «validation.accuracy\n  vary: {{{SIZES}}}", AUTO),
        ["learns classes", "reconstruction"],
    ),
    "R² of a classifier": (
        grid(f"objective: «validation.r2\n  vary: {{{SIZES}}}"),
        ["learns values"],
    ),
    "evaluation for another task": (
        grid(f"objective: «validation.reconstruction.mse\n  vary: {{{SIZES}}}"),
        ["reconstructs its input", "classification"],
    ),
    "evaluation that needs classes": (
        grid(
            f"objective: «validation.denoising.accuracy.denoised\n  vary: {{{SIZES}}}",
            "data: {source: diabetes}\nnetwork: {encoder: [{linear: 2}], decoder: mirror}\n",
        ),
        ["no classes"],
    ),
    "no validation split": (
        grid(
            f"objective: «validation.loss\n  vary: {{{SIZES}}}",
            BASE.replace("minmax}", "minmax, split: {validation: 0}}"),
        ),
        ["no validation split"],
    ),
    "training metric of averaged weights": (
        grid(
            f"objective: «train.loss\n  vary: {{{SIZES}}}",
            BASE.replace("train: {", "train: {average: ema, keep: average, "),
        ),
        ["trained weights alone", "keep: average"],
    ),
    "kept average without an average in some settings": (
        grid(
            "vary: {train.average: [ema, «null]}\n  search: {halving: {eta: 2}}",
            BASE.replace("train: {", "train: {average: ema, keep: average, "),
        ),
        ["needs an average"],
    ),
    "no validation split in some settings": (
        grid("objective: «validation.loss\n  vary: {data.split.validation: [0, 0.1, 0.2]}"),
        ["no validation split", "in 1 of 3 settings, the first: data.split.validation: 0"],
    ),
}
CASES = {**WORDS, **VALUES, **PATHS, **PARTS, **OBJECTIVES}
WHOLE_FILE = ("no block",)
ONLY_GRID = (*WHOLE_FILE, "misspelt section")  # a file without a grid is valid for `ldl check`


@pytest.mark.parametrize("name", CASES)
def test_an_invalid_grid_block(name: str, ldl: Ldl, tmp_path: Path) -> None:
    """Position, caret, message; exit 2; nothing on stdout, no run folder."""
    text, words = CASES[name]
    file, line, column = write_config(tmp_path, text)
    result = ldl("grid", file, "--runs", tmp_path / "runs")
    assert result.code == 2, result.err
    assert result.out == "" and "Traceback" not in result.err
    assert not (tmp_path / "runs").exists()
    if name not in WHOLE_FILE:
        positions = [(int(m["line"]), int(m["column"])) for m in problems(result)]
        assert (line, column) in positions, result.err
        assert len(positions) == len(set(positions))
    assert [word for word in words if word not in result.err] == [], result.err


@pytest.mark.parametrize("name", [name for name in CASES if name not in ONLY_GRID])
def test_check_prints_the_same(name: str, ldl: Ldl, tmp_path: Path) -> None:
    """`ldl check` checks the grid block too."""
    file, _, _ = write_config(tmp_path, CASES[name][0])
    by_check, by_grid = ldl("check", file), ldl("grid", file, "--dry-run")
    assert (by_check.code, by_check.err) == (by_grid.code, by_grid.err)


def test_the_number_of_cases() -> None:
    """No case is lost."""
    assert len(CASES) >= 75


# --- all at once ----------------------------------------------------------------------------


def test_errors_of_the_file_and_of_the_block_at_once(ldl: Ldl, tmp_path: Path) -> None:
    """In the order of the file, each once, however many settings have it."""
    text = BASE.replace("epochs", "epoch") + (
        "grid:\n  objective: test.loss\n  seeds: none\n  serch: grid\n  vary:\n"
        "    optimizer.sgd.momentum: [0.0, 0.9]\n    train.batch_size: [16, 0]\n"
        "    train.epochs: 3\n    network.1: [tanh, relu]\n    networc.1: [tanh]\n"
        "  exclude: [{loss: mse}]\n"
    )
    file, _, _ = write_config(tmp_path, text + "«")
    result = ldl("check", file)
    assert [int(m["line"]) for m in problems(result)] == [4, 6, 7, 8, 10, 11, 12, 14, 15]


def test_an_error_of_the_base_is_reported_once(ldl: Ldl, tmp_path: Path) -> None:
    """The message does not count the settings: all have it."""
    text = grid(BY_LOSS + f"vary: {{{SIZES}}}", BASE.replace("linear: 8}, tanh", "linear: 8}, add"))
    file, _, _ = write_config(tmp_path, text + "«")
    result = ldl("grid", file)
    assert len(problems(result)) == 1 and "settings" not in result.err


def test_errors_in_overrides_of_the_block(ldl: Ldl, tmp_path: Path) -> None:
    """Each error names its override."""
    file, _, _ = write_config(tmp_path, grid(BY_LOSS + f"vary: {{{SIZES}}}") + "«")
    result = ldl("grid", file, "grid.seeds=0", "grid.vary.train.epoch=[1, 2]", "grid.sedes=3")
    assert [m["file"] for m in problems(result)] == ["command line"] * 3
    assert [m["line"] for m in problems(result)] == ["1", "2", "3"]


def test_an_error_in_a_block_that_is_extended(ldl: Ldl, tmp_path: Path) -> None:
    """The error names the file in which the value is written."""
    (tmp_path / "base.yaml").write_text(grid(BY_LOSS + "vary:\n    train.batch_size: [16, -1]"))
    file, _, _ = write_config(tmp_path, "extends: base.yaml\ngrid: {seeds: 2}\n«")
    result = ldl("grid", file)
    assert [(Path(m["file"]).name, m["line"]) for m in problems(result)] == [("base.yaml", "8")]


def test_hundreds_of_settings_with_one_error(ldl: Ldl, tmp_path: Path) -> None:
    """One message with their number."""
    text = grid(
        BY_LOSS
        + "vary:\n    loss: [cross_entropy, bce]\n    train.batch_size: {range: [1, 201, 1]}"
    )
    file, _, _ = write_config(tmp_path, text + "«")
    result = ldl("grid", file)
    assert len(problems(result)) == 1 and "in 200 of 400 settings" in result.err
