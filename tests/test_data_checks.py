"""Checks of the data against the network: target ranges, scaled targets, embedding indices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ldl.errors import ConfigError
from ldl.execute import prepare, train
from ldl.runs import read_json

BCE_REGRESSION = """\
data: {source: diabetes, scale: standard, scale_targets: SCALE}
network: [linear, sigmoid]
loss: bce
"""
EMBEDDING = """\
data: {source: {npz: {path: words.npz}}, scale: SCALE}
network: [{embedding: {units: 3, entries: ENTRIES}}, flatten, linear]
"""


def test_bce_takes_values_that_are_scaled_into_its_range(tmp_path: Path) -> None:
    """Values from 25 to 346 are refused; minmax scales them to 0 to 1."""
    file = tmp_path / "values.yaml"
    file.write_text(BCE_REGRESSION.replace("SCALE", "null"))
    with pytest.raises(ConfigError, match=r"from 0 to 1.*`data.scale_targets: minmax` brings"):
        prepare(file).data()
    file.write_text(BCE_REGRESSION.replace("SCALE", "minmax"))
    assert prepare(file).data().target_scaler is not None


def test_an_autoencoder_is_evaluated_in_its_inputs_units(tmp_path: Path) -> None:
    """The scaling of targets that it does not learn changes no metric."""
    text = "network: {encoder: [{linear: 6}], decoder: [linear]}\ntrain: {epochs: 2}\n"
    errors = []
    for i, scale_targets in enumerate(("", ", scale_targets: standard")):
        file = tmp_path / f"{i}.yaml"
        file.write_text(f"data: {{source: diabetes, scale: minmax{scale_targets}}}\n{text}")
        run = train(prepare(file), tmp_path / "runs")
        errors.append(read_json(run.results)["reconstruction"]["mse"])
    assert errors[0] == errors[1] < 1.0


def test_bce_on_inputs_suggests_the_scaling_of_the_inputs(tmp_path: Path) -> None:
    """An autoencoder learns its inputs, so `data.scale` is the setting to change."""
    file = tmp_path / "inputs.yaml"
    file.write_text(
        "data: {source: diabetes}\n"
        "network: {encoder: [{linear: 2}], decoder: [linear, sigmoid]}\nloss: bce\n"
    )
    with pytest.raises(ConfigError, match=r"from 0 to 1.*`data.scale: minmax` brings inputs"):
        prepare(file).data()


@pytest.mark.parametrize(
    ("entries", "scale", "message"),
    [
        ("9", "null", "embedding takes whole numbers from 0 to 8, and these go from 0 to 9"),
        ("10", "minmax", "fractions from 0 to 1; `data.scale`"),
        ("10", "null", ""),
    ],
)
def test_indices_without_an_embedding_are_refused(
    entries: str, scale: str, message: str, tmp_path: Path
) -> None:
    """With the position of the layer, and before anything is trained."""
    x = np.arange(200, dtype=np.float32).reshape(50, 4) % 10
    np.savez(tmp_path / "words.npz", x=x, y=np.arange(50) % 2)
    file = tmp_path / "words.yaml"
    file.write_text(EMBEDDING.replace("SCALE", scale).replace("ENTRIES", entries))
    if not message:
        assert prepare(file).data().train.inputs["x"].max() == 9
        return
    with pytest.raises(ConfigError, match=message) as caught:
        prepare(file).data()
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (2, 12)
