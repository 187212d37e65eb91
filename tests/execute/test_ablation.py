"""The ablation of losses and optimizers, on whole runs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ldl.execute import prepare, train
from ldl.runs import RunFolder, read_json

TEXT = """\
name: flowers
data: {source: iris, scale: standard}
network: [{linear: 8}, tanh, linear]
train: {epochs: 3, batch_size: 16}
"""


def completed_run(folder: Path, text: str) -> RunFolder:
    """A completed run of a configuration."""
    (folder / "flowers.yaml").write_text(text)
    return train(prepare(folder / "flowers.yaml"), folder / "runs")


def test_a_table_of_losses_and_optimizers(tmp_path: Path) -> None:
    """The run's loss and optimizer give the run's accuracy; gd takes the full batch."""
    run = completed_run(
        tmp_path,
        TEXT + "evaluate: [classification, {ablation: {losses: {ce: cross_entropy, hinge: hinge}, "
        "optimizers: {adam: adam, gd: {gd: 0.1}, wild: {sgd: 1e38}}}}]\n",
    )
    results = read_json(run.results)
    table = results["matrix"]["accuracy"]
    assert table["ce"]["adam"] == results["classification"]["accuracy"]
    assert table.keys() == {"ce", "hinge"} and table["hinge"].keys() >= {"adam", "gd"}
    assert any("wild" in note for note in results["matrix"]["notes"])
    with (run.plots / "matrix.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][:3] == ["loss", "optimizer", "accuracy"] and len(rows) == 7


MATRIX = (
    "evaluate: [{classification: PART}, {matrix: {part: PART, optimizers: {adam: adam}LOSS}}]\n"
)


@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize("loss", ["", ", losses: {own: cross_entropy}"])
def test_every_split_is_evaluated_as_the_run_evaluates_it(
    tmp_path: Path, part: str, loss: str
) -> None:
    """With the same noise, and with the node that the run's loss reads."""
    text = TEXT.replace(
        "scale: standard", "scale: standard, noise: {gaussian: 0.3}, fresh_noise: true"
    )
    text = text.replace(
        "linear]", "{linear: 3, as: a}, {linear: 4}, tanh]\nloss: {cross_entropy: {}, from: a}"
    )
    run = completed_run(tmp_path, text + MATRIX.replace("PART", part).replace("LOSS", loss))
    results = read_json(run.results)
    accuracy = results[f"matrix-{part}"]["accuracy"]["own"]["adam"]
    assert accuracy == results[f"classification-{part}"]["accuracy"]


def test_an_autoencoders_other_losses_keep_its_target(tmp_path: Path) -> None:
    """It does not become a classifier."""
    text = TEXT.replace("[{linear: 8}, tanh, linear]", "[{linear: 2}, linear]")
    loss = "loss: {mse: {}, target: inputs}\n"
    matrix = "evaluate: [{ablation: {optimizers: {adam: adam}, losses: {mae: mae}}}]\n"
    assert "mse" in read_json(completed_run(tmp_path, text + loss + matrix).results)["matrix"]
