"""The consistency check: three ways of training that give the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ldl.errors import ConfigError
from ldl.execute import consistency, prepare, train
from ldl.runs import RunFolder, read_json

TEXT = """\
name: flowers
data: {source: iris, scale: standard}
network: [{linear: 8}, tanh, linear]
train: {epochs: 1, batch_size: 16}
"""
LAYERS = "[{linear: 8}, tanh, linear]"


def completed_run(folder: Path, text: str) -> RunFolder:
    """A completed run of a configuration."""
    (folder / "flowers.yaml").write_text(text)
    return train(prepare(folder / "flowers.yaml"), folder / "runs")


@pytest.mark.parametrize(
    ("change", "size"),
    [
        ("", 16),
        ("optimizer: {sgd: 0.05}\n", 1),
        ("optimizer: {adamw: 0.01}\n", 16),
        ("optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}\n", 16),
    ],
)
def test_loop_graph_and_single_layers_give_the_same_bits(
    tmp_path: Path, change: str, size: int
) -> None:
    text = TEXT.replace("batch_size: 16", f"batch_size: {size}")
    run = completed_run(tmp_path, text + change + "evaluate: [{consistency_check: 20}]\n")
    result = read_json(run.results)["by_hand-train"]
    assert result["identical"] is True
    assert result["graph"] == 0.0 and result["hand"] == 0.0


def test_an_input_that_is_read_again_is_checked_too(tmp_path: Path) -> None:
    """No gradient flows to the inputs, so nothing is added up."""
    layers = "[{linear: 4}, {concat: {}, from: [x, linear1]}, tanh, linear]"
    run = completed_run(tmp_path, TEXT.replace(LAYERS, layers) + "evaluate: [by_hand]\n")
    assert read_json(run.results)["by_hand-train"]["identical"] is True


def test_a_difference_is_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One weight differs by the least possible amount."""
    train_by_graph = consistency._train_by_graph

    def train_with_difference(*arguments: object) -> dict[str, np.ndarray]:
        weights = {name: array.copy() for name, array in train_by_graph(*arguments).items()}
        first = next(iter(weights.values())).reshape(-1)
        first[0] = np.nextafter(first[0], np.float32(9))
        return weights

    monkeypatch.setattr(consistency, "_train_by_graph", train_with_difference)
    run = completed_run(tmp_path, TEXT + "evaluate: [by_hand]\n")
    assert read_json(run.results)["by_hand-train"]["identical"] is False


@pytest.mark.parametrize(
    "layers",
    [
        "[{linear: 8}, {dropout: 0.5}, linear]",
        "[{linear: 4, as: a}, {linear: 4, as: b}, {add: {}, from: [a, b]}, linear]",
        "[{linear: 4, as: a}, {linear: 4, as: b}, {add: {}, from: [b, a]}, linear]",
        "[{linear: 4, as: a}, {add: {}, from: [a, a]}, linear]",
        "[{linear: 4}, {linear: 4, as: a}, tanh, {same: a}, linear]",
    ],
)
def test_networks_that_are_not_chains_are_refused_before_training(
    tmp_path: Path, layers: str
) -> None:
    """Random draws, a value with two consumers, the same value twice, shared weights."""
    with pytest.raises(ConfigError, match="chain of layers"):
        completed_run(tmp_path, TEXT.replace(LAYERS, layers) + "evaluate: [by_hand]\n")


def test_optimizers_that_need_a_closure_are_refused(tmp_path: Path) -> None:
    """L-BFGS evaluates the loss several times per step."""
    with pytest.raises(ConfigError, match="one gradient per step"):
        completed_run(
            tmp_path,
            TEXT.replace(", batch_size: 16", "") + "optimizer: lbfgs\nevaluate: [by_hand]\n",
        )
