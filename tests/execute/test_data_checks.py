"""Checks of loaded data: targets outside the range of a loss, values without an embedding row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ldl.errors import ConfigError
from ldl.execute import Callbacks, prepare, train
from ldl.execute.data_checks import data_warnings
from ldl.runs import read_json

REGRESSION = """\
data: {source: diabetes, scale: standard, scale_targets: SCALE}
network: [linear, sigmoid]
loss: bce
"""
EMBEDDING = """\
data: {source: {npz: {path: words.npz}}, scale: SCALE}
network: [{embedding: {units: 3, entries: ENTRIES}}, flatten, linear]
"""


def test_bce_needs_targets_from_0_to_1(tmp_path: Path) -> None:
    """Targets from 25 to 346 are refused; minmax scales them to 0 to 1."""
    file = tmp_path / "values.yaml"
    file.write_text(REGRESSION.replace("SCALE", "null"))
    with pytest.raises(ConfigError, match=r"from 0 to 1.*use `data.scale_targets: minmax`"):
        prepare(file).data()
    file.write_text(REGRESSION.replace("SCALE", "minmax"))
    assert prepare(file).data().target_scaler is not None


def test_bce_on_inputs_names_the_scaling_of_the_inputs(tmp_path: Path) -> None:
    """The targets of an autoencoder are its inputs."""
    file = tmp_path / "inputs.yaml"
    file.write_text(
        "data: {source: diabetes}\n"
        "network: {encoder: [{linear: 2}], decoder: [linear, sigmoid]}\nloss: bce\n"
    )
    with pytest.raises(ConfigError, match=r"from 0 to 1.*use `data.scale: minmax`"):
        prepare(file).data()


def test_an_autoencoder_is_evaluated_in_the_units_of_its_inputs(tmp_path: Path) -> None:
    """The scaling of targets that it does not learn changes nothing."""
    text = "network: {encoder: [{linear: 6}], decoder: [linear]}\ntrain: {epochs: 2}\n"
    errors = []
    for i, more in enumerate(("", ", scale_targets: standard")):
        file = tmp_path / f"{i}.yaml"
        file.write_text(f"data: {{source: diabetes, scale: minmax{more}}}\n{text}")
        run = train(prepare(file), tmp_path / "runs")
        errors.append(read_json(run.results)["reconstruction"]["mse"])
    assert errors[0] == errors[1] < 1.0


@pytest.mark.parametrize(
    ("entries", "scale", "message"),
    [
        ("9", "null", "embedding takes whole numbers from 0 to 8, and these go from 0 to 9"),
        ("10", "minmax", "fractions from 0 to 1; `data.scale`"),
        ("10", "null", ""),
    ],
)
def test_values_without_an_embedding_row_are_refused(
    entries: str, scale: str, message: str, tmp_path: Path
) -> None:
    """The problem has the location of the layer and is raised before training."""
    x = np.arange(200, dtype=np.float32).reshape(50, 4) % 10
    np.savez(tmp_path / "words.npz", x=x, y=np.arange(50) % 2)
    file = tmp_path / "words.yaml"
    file.write_text(EMBEDDING.replace("SCALE", scale).replace("ENTRIES", entries))
    if not message:
        assert prepare(file).data().train.inputs["x"].max() == 9
        return
    with pytest.raises(ConfigError, match=message) as raised:
        prepare(file).data()
    (problem,) = raised.value.problems
    assert (problem.line, problem.column) == (2, 12)


def test_samples_that_were_trained_on_too_give_a_warning(tmp_path: Path) -> None:
    """With their numbers; `together` keeps them in one split."""
    rows = [f"{i % 40},{'ab'[i % 2]}" for i in range(80)]
    (tmp_path / "twice.csv").write_text("\n".join(["x,kind", *rows]))
    file = tmp_path / "twice.yaml"
    file.write_text(
        "data: {source: {csv: {path: twice.csv, target: kind}}}\nnetwork: [linear]\n"
        "train: {epochs: 1}\n"
    )
    notes: list[str] = []
    run = train(prepare(file), tmp_path, Callbacks(note=notes.append))
    with np.load(run.path / "split.npz") as split:
        known = set(split["train"] % 40)
        counts = [sum(i % 40 in known for i in split[name]) for name in ("validation", "test")]
    assert notes[0].startswith(
        f"{counts[0]} of 8 validation samples and {counts[1]} of 16 test samples are equal to "
        "training samples, so figures on them are too good; `data.split.duplicates: together`"
    )
    prepared = prepare(file, ["data.split.duplicates=together"])
    assert data_warnings(prepared.experiment, prepared.data()) == []


@pytest.mark.parametrize(
    ("largest", "scale", "warned"),
    [(100, "null", False), (101, "null", True), (101, "standard", False)],
)
def test_large_targets_without_a_scale_are_noted(
    largest: int, scale: str, warned: bool, tmp_path: Path
) -> None:
    np.savez(tmp_path / "rows.npz", x=np.arange(40.0)[:, None], y=np.full(40, -1.0 * largest))
    file = tmp_path / "rows.yaml"
    source = f"{{npz: {{path: rows.npz}}}}, scale_targets: {scale}"
    file.write_text(f"data: {{source: {source}}}\nnetwork: [linear]\n")
    prepared = prepare(file)
    warnings = data_warnings(prepared.experiment, prepared.data())
    assert any(f"the targets go up to {largest}" in warning for warning in warnings) == warned
