"""Targets are judged as the loss sees them: scaled, where that is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldl.errors import ConfigError
from ldl.execute import prepare, train
from ldl.runs import read_json

TEXT = """\
data: {source: diabetes, scale: standard, scale_targets: SCALE}
network: [linear, sigmoid]
loss: bce
"""


def test_bce_takes_values_that_are_scaled_into_its_range(tmp_path: Path) -> None:
    """From 25 to 346 they are refused; minmax brings them to 0 to 1."""
    file = tmp_path / "values.yaml"
    file.write_text(TEXT.replace("SCALE", "null"))
    with pytest.raises(ConfigError, match=r"from 0 to 1.*`data.scale_targets: minmax` brings"):
        prepare(file).data()
    file.write_text(TEXT.replace("SCALE", "minmax"))
    assert prepare(file).data().target_scaler is not None


def test_an_autoencoder_is_judged_in_its_inputs_units(tmp_path: Path) -> None:
    """Whatever is done to a target that it does not learn."""
    text = "network: {encoder: [{linear: 6}], decoder: [linear]}\ntrain: {epochs: 2}\n"
    found = []
    for i, more in enumerate(("", ", scale_targets: standard")):
        file = tmp_path / f"{i}.yaml"
        file.write_text(f"data: {{source: diabetes, scale: minmax{more}}}\n{text}")
        run = train(prepare(file), tmp_path / "runs")
        found.append(read_json(run.results)["reconstruction"]["mse"])
    assert found[0] == found[1] < 1.0


def test_bce_on_inputs_says_which_scaling_they_need(tmp_path: Path) -> None:
    """Where the inputs are learnt, it is theirs."""
    file = tmp_path / "inputs.yaml"
    file.write_text(
        "data: {source: diabetes}\n"
        "network: {encoder: [{linear: 2}], decoder: [linear, sigmoid]}\nloss: bce\n"
    )
    with pytest.raises(ConfigError, match=r"from 0 to 1.*`data.scale: minmax` brings inputs"):
        prepare(file).data()
