"""The reported setup beside the configuration: what agrees, what differs, what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ldl.errors import ConfigError
from ldl.execute import prepare
from ldl.report.setup import ReportedSetting, compare_setup

EXPERIMENT = """\
data: {source: digits, scale: minmax}
network: [{linear: 64}, tanh, linear]
loss: mse
optimizer: {sgd: {learning_rate: 0.001, momentum: 0.9}}
train: {epochs: 5, batch_size: 64}
claim:
  id: a1
  what: x
  setup:
"""


def compared(folder: Path, *lines: str, overrides: tuple[str, ...] = ()) -> list[ReportedSetting]:
    """The settings of a file with these lines in its setup."""
    path = folder / "x.yaml"
    path.write_text(EXPERIMENT + "".join(f"    {line}\n" for line in lines))
    return list(compare_setup(prepare(path, overrides)))


@pytest.mark.parametrize(
    "line",
    [
        "train.epochs: 5",
        "optimizer.sgd.learning_rate: 1e-3",
        "optimizer: sgd",
        "optimizer: {sgd: 0.001}",
        "optimizer.sgd: {momentum: 0.9}",
        "loss: mse",
        "network: [{linear: 64}, tanh, linear]",
        "network.0.linear: 64",
        "network.0.linear.units: 64.0",
        "data.source: digits",
        "data.scale: minmax",
        "network: [{linear: 64}, tanh, {linear: 10}]",
        "network.2.linear.units: 10",
        "optimizer.sgd.nesterov: false",
    ],
)
def test_the_same_setting(line: str, tmp_path: Path) -> None:
    """Values are compared as the language reads them; what is not reported is free."""
    (setting,) = compared(tmp_path, line)
    assert not setting.differs


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        ("train.epochs: 1000", 5),
        ("optimizer.sgd.learning_rate: 1e-2", 0.001),
        ("optimizer.sgd.momentum: 0", 0.9),
        ("train.early_stopping.patience: 5", None),
        ("train.shuffle: false", True),
    ],
)
def test_another_setting(line: str, ours: Any, tmp_path: Path) -> None:
    """Ours is given beside the reported one."""
    (setting,) = compared(tmp_path, line)
    assert setting.differs and setting.ours == ours


@pytest.mark.parametrize(
    "line",
    [
        "optimizer: adam",
        "optimizer.adam.learning_rate: 0.001",
        "schedule.exponential.gamma: 0.95",
        "loss: bce",
        "network: [{linear: 64}, relu, linear]",
        "network: [{linear: 64}, tanh, {linear: 32}, tanh, linear]",
        "network.7.linear.units: 3",
        "network.1: relu",
        "network.2.linear.units: 11",
        "data.source: {line: {samples: 30}}",
        "data.source.line.samples: 30",
        "data.scale: {reported: null, because: b}",
    ],
)
def test_something_that_the_file_has_not(line: str, tmp_path: Path) -> None:
    """Another choice, a setting of one, another layer: a difference, no error."""
    assert compared(tmp_path, line)[0].differs


def test_a_difference_on_purpose(tmp_path: Path) -> None:
    """It says why; null reports nothing; overrides are compared too."""
    line = 'train.epochs: {reported: 1000, because: "it converges"}'
    (setting,) = compared(tmp_path, line, "train.batch_size: null")
    assert setting == ReportedSetting("train.epochs", 1000, 5, True, "it converges")
    (setting,) = compared(tmp_path, "train.epochs: 5", overrides=("train.epochs=1",))
    assert setting.differs and setting.ours == 1


def test_all_errors_have_positions(tmp_path: Path) -> None:
    """Unknown paths, values of another type, a difference without a reason: at once."""
    lines = (
        "train.epoch: 5",
        "optimizer.adam.learning_rat: 1",
        "train.epochs: many",
        "loss: {reported: mse}",
        "loss.mse.reduction: {reported: sum, because: b, why: c}",
        "optimizer: sgdd",
        "network.0.units: 3",
    )
    with pytest.raises(ConfigError) as caught:
        compared(tmp_path, *lines)
    messages = [(problem.line, problem.message) for problem in caught.value.problems]
    expected = ["`epoch`", "`learning_rat`", "'many'", "because", "because", "`sgdd`", "`units`"]
    assert [line for line, _ in messages] == list(range(10, 17))
    assert all(word in text for word, (_, text) in zip(expected, messages, strict=True)), messages


def test_an_inherited_setting_is_replaced(tmp_path: Path) -> None:
    """Entry by entry: a choice of another name does not stand beside the inherited one."""
    compared(tmp_path, "optimizer: {sgd: 0.1}", "train.epochs: 5")
    over = tmp_path / "over.yaml"
    over.write_text("extends: x.yaml\nclaim: {setup: {optimizer: {adam: 0.1}}}\n")
    settings = compare_setup(prepare(over))
    assert {setting.path: setting.differs for setting in settings} == {
        "optimizer": True,
        "train.epochs": False,
    }
