"""`ldl verify`: a replay finds nothing in an honest run, and the epoch where one was changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldl.errors import RunFolderError
from ldl.execute import SILENT, prepare, train, verify
from ldl.runs import RunFolder

TEXT = """\
name: flowers
data: {source: iris, scale: standard, noise: {gaussian: 0.1}, fresh_noise: true}
network: [{linear: 5}, tanh, {dropout: 0.1}, linear]
train: {epochs: 4}
"""


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A finished run."""
    (tmp_path / "flowers.yaml").write_text(TEXT)
    return train(prepare(tmp_path / "flowers.yaml"), tmp_path / "runs")


def test_an_honest_run_comes_out_the_same(run: RunFolder) -> None:
    """Rows and weights, bit for bit; nothing is left beside the run, and the run is untouched."""
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    verdict = verify(run, SILENT)
    assert verdict.identical and verdict.weights and verdict.epochs == 4
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before
    assert [path.name for path in run.path.parent.iterdir()] == [run.name]


def test_the_first_epoch_that_differs_is_named(run: RunFolder) -> None:
    """A figure changed in the third row is found there."""
    lines = run.metrics.read_text().splitlines()
    cells = lines[3].split(",")
    cells[1] = repr(float(cells[1]) + 1e-15)
    lines[3] = ",".join(cells)
    run.metrics.write_text("\n".join(lines) + "\n")
    verdict = verify(run, SILENT)
    assert not verdict.identical
    assert (verdict.epoch, verdict.column, verdict.before) == (3, "train_loss", float(cells[1]))


def test_rows_too_many_and_too_few_are_seen(run: RunFolder) -> None:
    """The first epoch that only one of the two has."""
    lines = run.metrics.read_text().splitlines()
    more = lines[-1].split(",")
    more[0] = "5"
    run.metrics.write_text("\n".join([*lines, ",".join(more)]) + "\n")
    verdict = verify(run, SILENT)
    assert not verdict.identical and verdict.epoch == 5
    run.metrics.write_text("\n".join(lines[:-1]) + "\n")
    verdict = verify(run, SILENT)
    assert not verdict.identical and verdict.epoch == 4


def test_changed_weights_are_seen(run: RunFolder) -> None:
    """Rows that agree do not vouch for the weights."""
    data = bytearray(run.model.read_bytes())
    data[-1] ^= 1
    run.model.write_bytes(data)
    verdict = verify(run, SILENT)
    assert verdict.epoch is None and verdict.weights is False and not verdict.identical


def test_an_interrupted_run_is_held_against_the_rows_it_has(run: RunFolder) -> None:
    """Two rows of four are enough to agree."""
    lines = run.metrics.read_text().splitlines()
    run.metrics.write_text("\n".join(lines[:3]) + "\n")
    run.set_status("interrupted")
    verdict = verify(run, SILENT)
    assert verdict.identical and verdict.epochs == 2 and verdict.weights is None


def test_nothing_to_hold_against(run: RunFolder) -> None:
    """A run without a finished epoch."""
    run.metrics.write_text(run.metrics.read_text().splitlines()[0] + "\n")
    with pytest.raises(RunFolderError, match="no finished epoch"):
        verify(run, SILENT)
