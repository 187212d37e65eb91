"""Evaluations that train again: losses by optimizers, and three ways to the same bits."""

from __future__ import annotations

import csv
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
train: {epochs: 3, batch_size: 16}
"""


def run(folder: Path, text: str) -> RunFolder:
    """A finished run of a configuration."""
    (folder / "flowers.yaml").write_text(text)
    return train(prepare(folder / "flowers.yaml"), folder / "runs")


def test_a_table_of_losses_and_optimizers(tmp_path: Path) -> None:
    """The run's own loss and optimizer give the run's own accuracy; gd takes the whole set."""
    made = run(
        tmp_path,
        TEXT + "evaluate: [classification, {matrix: {losses: {ce: cross_entropy, hinge: hinge}, "
        "optimizers: {adam: adam, gd: {gd: 0.1}, wild: {sgd: 1e38}}}}]\n",
    )
    results = read_json(made.results)
    table = results["matrix"]["accuracy"]
    assert table["ce"]["adam"] == results["classification"]["accuracy"]
    assert table.keys() == {"ce", "hinge"} and table["hinge"].keys() >= {"adam", "gd"}
    assert any("wild" in note for note in results["matrix"]["notes"])
    with (made.plots / "matrix.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][:3] == ["loss", "optimizer", "accuracy"] and len(rows) == 7


@pytest.mark.parametrize(
    ("change", "size"),
    [
        ("", 16),
        ("optimizer: {sgd: 0.05}\n", 1),
        ("optimizer: {adamw: 0.01}\n", 16),
        ("optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}\n", 16),
    ],
)
def test_the_loop_the_graph_and_layers_by_hand_are_one(
    tmp_path: Path, change: str, size: int
) -> None:
    """To the bit, whatever the optimizer."""
    text = TEXT.replace("batch_size: 16", f"batch_size: {size}")
    made = run(tmp_path, text + change + "evaluate: [{by_hand: 20}]\n")
    found = read_json(made.results)["by_hand-train"]
    assert found["identical"] is True
    assert found["graph"] == 0.0 and found["hand"] == 0.0


def test_a_difference_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One weight nudged by the least there is."""
    whole = consistency._graph

    def nudged(*arguments: object) -> dict[str, np.ndarray]:
        weights = {name: array.copy() for name, array in whole(*arguments).items()}
        first = next(iter(weights.values())).reshape(-1)
        first[0] = np.nextafter(first[0], np.float32(9))
        return weights

    monkeypatch.setattr(consistency, "_graph", nudged)
    made = run(tmp_path, TEXT + "evaluate: [by_hand]\n")
    assert read_json(made.results)["by_hand-train"]["identical"] is False


def test_what_is_no_chain_is_refused_before_training(tmp_path: Path) -> None:
    """Dropout draws; the evaluation's line is named."""
    text = TEXT.replace("tanh, linear]", "{dropout: 0.5}, linear]") + "evaluate: [by_hand]\n"
    with pytest.raises(ConfigError, match="chain of layers"):
        run(tmp_path, text)


MATRIX = (
    "evaluate: [{classification: PART}, {matrix: {part: PART, optimizers: {adam: adam}LOSS}}]\n"
)


@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize("loss", ["", ", losses: {own: cross_entropy}"])
def test_every_part_is_judged_as_the_run_judges_it(tmp_path: Path, part: str, loss: str) -> None:
    """On the same noise, and with the place that the run's loss reads."""
    text = TEXT.replace(
        "scale: standard", "scale: standard, noise: {gaussian: 0.3}, fresh_noise: true"
    )
    text = text.replace(
        "linear]", "{linear: 3, as: a}, {linear: 4}, tanh]\nloss: {cross_entropy: {}, from: a}"
    )
    made = run(tmp_path, text + MATRIX.replace("PART", part).replace("LOSS", loss))
    found = read_json(made.results)
    own = found[f"matrix-{part}"]["accuracy"]["own"]["adam"]
    assert own == found[f"classification-{part}"]["accuracy"]


def test_an_autoencoders_other_losses_keep_its_target(tmp_path: Path) -> None:
    """It does not become a classifier."""
    text = TEXT.replace("[{linear: 8}, tanh, linear]", "[{linear: 2}, linear]")
    loss = "loss: {mse: {}, target: inputs}\n"
    matrix = "evaluate: [{matrix: {optimizers: {adam: adam}, losses: {mae: mae}}}]\n"
    assert "mse" in read_json(run(tmp_path, text + loss + matrix).results)["matrix"]
