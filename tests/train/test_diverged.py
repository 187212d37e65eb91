"""Numbers that stop being finite: caught at once, said so, the last good state kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.errors import Diverged, RunFolderError
from ldl.execute import Callbacks, resume, train
from ldl.runs import RunFolder
from ldl.runs.run_list import list_runs, run_folders

from .helpers import CLASSES, prepared, rows

LINE = "data: {source: {line: {samples: 80}}}\nnetwork: [linear]\n"
EXPLODES = ("optimizer={sgd: 60}", "train={epochs: 50, batch_size: 10}")


def diverged(folder: Path, text: str, *overrides: str) -> tuple[RunFolder, str]:
    """The run of a configuration that diverges, and what was said."""
    with pytest.raises(Diverged) as caught:
        train(prepared(folder, text, *overrides), folder / "runs")
    assert caught.value.exit_code == 1
    (path,) = run_folders(folder / "runs")
    return RunFolder.open(path), str(caught.value)


def test_a_run_that_diverges_says_so(tmp_path: Path) -> None:
    """Status, reason and advice; the folder stays readable."""
    run, message = diverged(tmp_path, LINE, *EXPLODES)
    status = run.read_status()
    assert status.status == "diverged" and status.reason == message
    assert "epoch" in message and "learning_rate" in message
    (found,) = list_runs(tmp_path / "runs")
    assert found.status == "diverged"
    assert "diverge" in run.log.read_text() or message in run.log.read_text()


def test_only_finite_epochs_are_recorded(tmp_path: Path) -> None:
    """And no file pretends to be the finished network."""
    run, _ = diverged(tmp_path, LINE, *EXPLODES)
    for row in rows(run):
        assert all(np.isfinite(v) for v in row.values() if v is not None)
    assert not run.model.exists() and not run.results.exists()


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    """The checkpoint `best` holds those of the best finished epoch."""
    gentle = ("optimizer={sgd: 1.02}", "train={epochs: 2000, batch_size: full, keep: best}")
    run, _ = diverged(tmp_path, LINE, *gentle)
    found = run.load_checkpoint("best")
    assert found is not None
    arrays, state = found
    losses = [row["validation_loss"] for row in rows(run)]
    assert len(losses) > 1
    assert state["best"]["epoch"] == losses.index(min(losses)) + 1  # type: ignore[type-var]
    assert all(np.isfinite(a).all() for a in arrays.values())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("what", ["x", "target.labels"])
def test_the_step_is_named(
    bad: float, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value goes bad in the third batch of the second epoch; nothing is trained on it."""
    import ldl.train.loop as module

    steps: list[int] = []
    before: list[Array] = []
    original = module.TrainLoop.run_epoch

    def epoch(
        self: module.TrainLoop, number: int, totals: module.EpochMetrics, after: object
    ) -> None:
        def spoil(seen: module.EpochMetrics) -> None:
            steps.append(seen.batch)
            before[:] = [self.model.parameters.theta.copy()]
            if number == 2 and seen.batch == 2:
                self.arrays[what][...] = bad
            after(seen)  # type: ignore[operator]

        try:
            original(self, number, totals, spoil)
        except Diverged:
            np.testing.assert_array_equal(self.model.parameters.theta, before[0])
            raise

    monkeypatch.setattr(module.TrainLoop, "run_epoch", epoch)
    gentle = ("optimizer={sgd: 0.001}", "train={epochs: 9, batch_size: 10}")
    run, message = diverged(tmp_path, LINE, *gentle)
    assert "epoch 2, batch 3" in message
    assert len(steps) == len(rows(run)) * max(steps) + 2
    assert len(rows(run)) == 1


def test_the_last_step_counts_too(tmp_path: Path) -> None:
    """One step an epoch, one epoch, no validation: the weights are what went wrong."""
    settings = ("optimizer={gd: 1e300}", "train.epochs=1", "data.split.validation=0")
    run, _ = diverged(tmp_path, CLASSES, *settings)
    assert not run.model.exists()


def test_a_bad_validation_loss_counts_whatever_is_monitored(tmp_path: Path) -> None:
    """NaN has an accuracy."""
    stopping = "train={epochs: 1, early_stopping: {monitor: accuracy}}"
    run, _ = diverged(tmp_path, CLASSES, "optimizer={gd: 1e300}", stopping)
    assert not run.model.exists()


def test_resuming_a_diverged_run_is_refused(tmp_path: Path) -> None:
    """It would do the same; says what to do."""
    run, _ = diverged(tmp_path, LINE, *EXPLODES)
    with pytest.raises(RunFolderError, match="would diverge again"):
        resume(run)
    assert run.read_status().status == "diverged"


def test_weights_that_cannot_start(tmp_path: Path) -> None:
    """An initialiser beyond float32 is a divergence with no other noise."""
    text = LINE.replace("[linear]", "[{linear: {init: {normal: 1e300}}}]")
    run, message = diverged(tmp_path, text, "train.epochs=1")
    assert "epoch 1, batch 1" in message
    assert rows(run) == []


def test_a_judges_own_classifier_is_not_the_network(tmp_path: Path) -> None:
    """The training went well: the run failed in its evaluation and did not diverge."""
    text = (
        "data: {source: digits, scale: minmax, noise: {gaussian: 0.1}}\n"
        "network: {encoder: [{linear: 2}], decoder: mirror}\ntrain: {epochs: 1}\n"
        "evaluate: {denoising: {classifier: [{linear: 9}, relu, {linear: 9}, relu, linear],"
        " learning_rate: 1e30, epochs: 3}}\n"
    )
    stages: list[str] = []
    with pytest.raises(Exception, match="classifier"):
        train(prepared(tmp_path, text), tmp_path / "runs", Callbacks(stage=stages.append))
    assert stages == ["denoising"]
    (found,) = list_runs(tmp_path / "runs")
    assert found.status == "failed"
    json.loads((found.path / "status.json").read_text())
