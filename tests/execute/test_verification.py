"""`ldl verify`: a replay equals an unchanged run, and names the epoch of a change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ldl.errors import RunFolderError
from ldl.execute import NO_CALLBACKS, ReplayResult, prepare, train, verify
from ldl.runs import RunFolder, load_tensors, save_tensors
from ldl.runs.run_list import run_folders

TEXT = """\
name: flowers
data: {source: iris, scale: standard, noise: {gaussian: 0.1}, fresh_noise: true}
network: [{linear: 5}, tanh, {dropout: 0.1}, linear]
train: {epochs: 4}
"""


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A completed run."""
    (tmp_path / "flowers.yaml").write_text(TEXT)
    return train(prepare(tmp_path / "flowers.yaml"), tmp_path / "runs")


def test_an_unchanged_run_is_identical(run: RunFolder) -> None:
    """Rows and weights are equal bit for bit; the run is unchanged and no files are left."""
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    result = verify(run, NO_CALLBACKS)
    assert result.identical and result.weights and result.epochs == 4
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before
    assert run_folders(run.path.parent) == [run.path]


def test_the_first_epoch_that_differs_is_named(run: RunFolder) -> None:
    """A value was changed in the third row."""
    lines = run.metrics.read_text().splitlines()
    cells = lines[3].split(",")
    cells[1] = repr(float(cells[1]) + 1e-15)
    lines[3] = ",".join(cells)
    run.metrics.write_text("\n".join(lines) + "\n")
    result = verify(run, NO_CALLBACKS)
    assert not result.identical
    assert (result.epoch, result.column, result.before) == (3, "train_loss", float(cells[1]))
    assert result.variable == "train_loss" and result.now == pytest.approx(result.before, rel=1e-12)


def test_additional_and_missing_rows_are_detected(run: RunFolder) -> None:
    """The first epoch that only one of the two runs has is named."""
    lines = run.metrics.read_text().splitlines()
    more = lines[-1].split(",")
    more[0] = "5"
    run.metrics.write_text("\n".join([*lines, ",".join(more)]) + "\n")
    result = verify(run, NO_CALLBACKS)
    assert not result.identical and result.epoch == 5
    run.metrics.write_text("\n".join(lines[:-1]) + "\n")
    result = verify(run, NO_CALLBACKS)
    assert not result.identical and result.epoch == 4


def test_changed_weights_are_detected(run: RunFolder) -> None:
    """The rows are equal, the weights are not: the first value that differs is named."""
    arrays, metadata = load_tensors(run.model)
    now = float(str(arrays["linear1.weight"][1, 2]))
    arrays["linear1.weight"][1, 2:] += np.float32(0.5)
    before = float(str(arrays["linear1.weight"][1, 2]))
    save_tensors(run.model, arrays, metadata)
    result = verify(run, NO_CALLBACKS)
    assert result.epoch is None and result.weights is False and not result.identical
    assert (result.variable, result.before, result.now) == ("linear1.weight[1, 2]", before, now)
    run.model.write_bytes(b"no tensors")
    result = verify(run, NO_CALLBACKS)
    assert result.weights is False and result.variable is None


def test_an_interrupted_run_is_compared_up_to_its_last_row(run: RunFolder) -> None:
    """It has two of four rows."""
    lines = run.metrics.read_text().splitlines()
    run.metrics.write_text("\n".join(lines[:3]) + "\n")
    run.set_status("interrupted")
    result = verify(run, NO_CALLBACKS)
    assert result.identical and result.epochs == 2 and result.weights is None


def test_a_run_without_rows_is_refused(run: RunFolder) -> None:
    """No epoch is finished."""
    run.metrics.write_text(run.metrics.read_text().splitlines()[0] + "\n")
    with pytest.raises(RunFolderError, match="no finished epoch"):
        verify(run, NO_CALLBACKS)


def test_the_json_object_has_the_keys_that_scripts_read() -> None:
    """Attributes may be renamed, keys may not."""
    result = ReplayResult(4, None, None, None, None, True, ("blas",))
    assert result.to_dict() == {
        "same": True,
        "epochs": 4,
        "epoch": None,
        "column": None,
        "before": None,
        "now": None,
        "weights": True,
        "surroundings": ("blas",),
        "variable": None,
    }
