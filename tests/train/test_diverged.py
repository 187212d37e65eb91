"""Values that stop being finite are reported at once, and the best weights kept."""

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
    """The run of a configuration that diverges, and the message."""
    with pytest.raises(Diverged) as caught:
        train(prepared(folder, text, *overrides), folder / "runs")
    assert caught.value.exit_code == 1
    (path,) = run_folders(folder / "runs")
    return RunFolder.open(path), str(caught.value)


def test_the_status_of_a_diverged_run(tmp_path: Path) -> None:
    """Status, reason and hint; the folder stays readable."""
    run, message = diverged(tmp_path, LINE, *EXPLODES)
    status = run.read_status()
    assert status.status == "diverged" and status.reason == message
    assert "epoch" in message and "learning_rate" in message
    (listed,) = list_runs(tmp_path / "runs")
    assert listed.status == "diverged"
    assert "diverge" in run.log.read_text() or message in run.log.read_text()


def test_only_finite_epochs_are_recorded(tmp_path: Path) -> None:
    """There is no file of the trained network."""
    run, _ = diverged(tmp_path, LINE, *EXPLODES)
    for row in rows(run):
        assert all(np.isfinite(v) for v in row.values() if v is not None)
    assert not run.model.exists() and not run.results.exists()


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    """The checkpoint `best` holds those of the best finished epoch."""
    settings = ("optimizer={sgd: 1.02}", "train={epochs: 2000, batch_size: full, keep: best}")
    run, _ = diverged(tmp_path, LINE, *settings)
    listed = run.load_checkpoint("best")
    assert listed is not None
    arrays, state = listed
    losses = [row["validation_loss"] for row in rows(run)]
    assert len(losses) > 1
    assert state["best"]["epoch"] == losses.index(min(losses)) + 1  # type: ignore[type-var]
    assert all(np.isfinite(a).all() for a in arrays.values())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("input_name", ["x", "target.labels"])
def test_the_step_is_reported(
    bad: float, input_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value becomes invalid in the third batch of the second epoch; no step uses it."""
    import ldl.train.loop as module

    steps: list[int] = []
    before: list[Array] = []
    original = module.TrainLoop.run_epoch

    def epoch(
        self: module.TrainLoop, number: int, metrics: module.EpochMetrics, after: object
    ) -> None:
        def spoil(metrics_so_far: module.EpochMetrics) -> None:
            steps.append(metrics_so_far.batch)
            before[:] = [self.model.parameters.theta.copy()]
            if number == 2 and metrics_so_far.batch == 2:
                self.arrays[input_name][...] = bad
            after(metrics_so_far)  # type: ignore[operator]

        try:
            original(self, number, metrics, spoil)
        except Diverged:
            np.testing.assert_array_equal(self.model.parameters.theta, before[0])
            raise

    monkeypatch.setattr(module.TrainLoop, "run_epoch", epoch)
    settings = ("optimizer={sgd: 0.001}", "train={epochs: 9, batch_size: 10}")
    run, message = diverged(tmp_path, LINE, *settings)
    assert "epoch 2, batch 3" in message
    assert len(steps) == len(rows(run)) * max(steps) + 2
    assert len(rows(run)) == 1


def test_the_last_step_is_checked(tmp_path: Path) -> None:
    """One step, no validation: the weights are not finite."""
    settings = ("optimizer={gd: 1e300}", "train.epochs=1", "data.split.validation=0")
    run, _ = diverged(tmp_path, CLASSES, *settings)
    assert not run.model.exists()


def test_the_validation_loss_is_checked_whatever_is_monitored(tmp_path: Path) -> None:
    """Outputs that are NaN have an accuracy."""
    stopping = "train={epochs: 1, early_stopping: {monitor: accuracy}}"
    run, _ = diverged(tmp_path, CLASSES, "optimizer={gd: 1e300}", stopping)
    assert not run.model.exists()


def test_resuming_a_diverged_run_is_refused(tmp_path: Path) -> None:
    """It would diverge again; the message says what to do."""
    run, _ = diverged(tmp_path, LINE, *EXPLODES)
    with pytest.raises(RunFolderError, match="would diverge again"):
        resume(run)
    assert run.read_status().status == "diverged"


def test_initial_weights_that_are_not_finite(tmp_path: Path) -> None:
    """An initialiser beyond float32 is a divergence without warnings."""
    text = LINE.replace("[linear]", "[{linear: {init: {normal: 1e300}}}]")
    run, message = diverged(tmp_path, text, "train.epochs=1")
    assert "epoch 1, batch 1" in message
    assert rows(run) == []


def test_a_diverged_classifier_of_an_evaluation_fails_the_run(tmp_path: Path) -> None:
    """The training was successful: the run failed in its evaluation and did not diverge."""
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
    (listed,) = list_runs(tmp_path / "runs")
    assert listed.status == "failed"
    json.loads((listed.path / "status.json").read_text())
