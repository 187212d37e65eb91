"""Signals stop a run after a batch; resumed, it ends with the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ldl.train.trainer as trainer
from ldl.errors import Interrupted, RunFolderError
from ldl.execute import Callbacks, evaluate, resume, train
from ldl.runs import RunFolder
from ldl.runs.run_list import list_runs, run_folders
from ldl.signals import interrupt_on_signal
from ldl.train import TrainProgress

from .helpers import prepared, rows, saved, trained

ROOT = Path(__file__).parents[2]
TEXT = """\
name: stopped
seed: 2
data:
  source: {gaussians: {clusters: 4, samples: 143, std: 1.0}}
  scale: standard
  noise: {gaussian: 0.2}
  fresh_noise: true
network: [{linear: 9}, tanh, {linear: 5, as: last}, tanh, linear]
optimizer: OPTIMIZER
train: {epochs: 5, batch_size: 9, early_stopping: {patience: 2}}
evaluate: [classification, {classification: {part: train}}]
"""
OPTIMIZERS = {
    "adam": "{adam: 0.05}",
    "adamw": "{adamw: 0.05}",
    "sgd": "{sgd: {learning_rate: 0.3, momentum: 0.8}}",
    "gd": "{gd: 0.5}",
    "averaged": "{adam: 0.05}",
}
AVERAGED = "batch_size: 3, accumulation_steps: 3, average: {ema: 0.9}, keep: average"


class Killer:
    """Sends a signal when a given step of the whole training is reported."""

    def __init__(self, step: int, number: signal.Signals) -> None:
        self.step, self.number, self.seen = step, number, 0

    def __call__(self, progress: TrainProgress) -> None:
        """One report for each batch, as the interval is negative; rows are reported too."""
        if progress.row is None:
            self.seen += 1
            if self.seen == self.step:
                os.kill(os.getpid(), self.number)


def interrupted(folder: Path, text: str, step: int, number: signal.Signals) -> RunFolder:
    """A run that was stopped by a signal after `step` steps."""
    with pytest.raises(Interrupted) as caught:
        train(prepared(folder, text), folder / "cut", Callbacks(training=Killer(step, number)))
    assert caught.value.exit_code == 128 + number
    (path,) = run_folders(folder / "cut")
    return RunFolder.open(path)


def without_seconds(run: RunFolder) -> list[dict[str, object]]:
    """metrics.csv without the column `seconds`."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows(run)]


@pytest.fixture(autouse=True)
def every_batch_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report after each batch."""
    monkeypatch.setattr(trainer, "PROGRESS_INTERVAL", -1.0)


@pytest.mark.parametrize(
    ("name", "step"),  # twelve steps an epoch
    [
        *(("adam", step) for step in (1, 5, 11, 12, 13, 30)),
        *(("adamw", 13), ("sgd", 12), ("averaged", 17)),
    ],
)
def test_a_resumed_run_equals_the_uninterrupted_one(name: str, step: int, tmp_path: Path) -> None:
    """Weights, rows, results and best epoch, stopped within an epoch and at its end.

    A signal takes effect after the next batch, or at the end of the epoch after its last one.
    """
    stopped = step if step % 12 == 0 else step + 1
    text = TEXT.replace("OPTIMIZER", OPTIMIZERS[name])
    if name == "averaged":
        text = text.replace("batch_size: 9", AVERAGED)
    uninterrupted = trained(tmp_path, text)
    number = signal.SIGINT if step % 2 else signal.SIGTERM
    run = interrupted(tmp_path, text, step, number)
    status = run.read_status()
    assert status.status == "interrupted" and str(number.value) in status.reason
    assert status.epoch == len(rows(run)) == stopped // 12
    checkpoint = run.load_checkpoint("last")
    assert checkpoint is not None and checkpoint[1]["steps"] == stopped
    assert not run.model.exists()
    resume(run)
    assert run.model.read_bytes() == uninterrupted.model.read_bytes()
    assert without_seconds(run) == without_seconds(uninterrupted)
    assert run.results.read_bytes() == uninterrupted.results.read_bytes()
    after = run.read_status()
    assert (after.status, after.best) == ("completed", uninterrupted.read_status().best)


def test_a_run_stopped_in_the_last_epoch_is_evaluated_when_resumed(tmp_path: Path) -> None:
    """Not at once, as the user stopped it; and on the same noise."""
    text = TEXT.replace("OPTIMIZER", OPTIMIZERS["adam"]).replace("epochs: 5", "epochs: 2")
    uninterrupted = trained(tmp_path, text)
    run = interrupted(tmp_path, text, 24, signal.SIGINT)
    assert run.read_status().epoch == 2 and not run.results.exists()
    resume(run)
    assert run.results.read_bytes() == uninterrupted.results.read_bytes()
    assert evaluate(uninterrupted) == json.loads(run.results.read_text())


def test_gd_is_stopped_between_epochs(tmp_path: Path) -> None:
    """One step is an epoch."""
    text = TEXT.replace("OPTIMIZER", OPTIMIZERS["gd"]).replace(" batch_size: 9,", "")
    uninterrupted = trained(tmp_path, text)
    run = interrupted(tmp_path, text, 3, signal.SIGTERM)
    assert len(rows(run)) == 3
    resume(run)
    assert run.model.read_bytes() == uninterrupted.model.read_bytes()


def test_a_run_can_be_interrupted_repeatedly(tmp_path: Path) -> None:
    """Each time it trains a few steps; a completed run is not resumed."""
    text = TEXT.replace("OPTIMIZER", OPTIMIZERS["adam"])
    uninterrupted = trained(tmp_path, text)
    run = interrupted(tmp_path, text, 2, signal.SIGINT)
    for steps in (1, 7, 12, 3):
        with pytest.raises(Interrupted):
            resume(run, Callbacks(training=Killer(steps, signal.SIGTERM)))
    resume(run)
    assert run.model.read_bytes() == uninterrupted.model.read_bytes()
    assert without_seconds(run) == without_seconds(uninterrupted)
    contents = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    with pytest.raises(RunFolderError, match="nothing left to do"):
        resume(run)
    changed = [p for p, data in contents.items() if p.read_bytes() != data and p.name != ".lock"]
    assert changed == []


def test_changed_data_is_refused(tmp_path: Path) -> None:
    """The same file with another value; the run stays as it is."""
    table = tmp_path / "t.csv"
    numbers = np.random.default_rng(0).normal(size=(60, 2)).round(3)
    lines = ["a,b,y", *(f"{a},{b},{'no' if a < b else 'yes'}" for a, b in numbers)]
    table.write_text("\n".join(lines) + "\n")
    text = (
        "data: {source: {csv: {path: t.csv, target: y}}}\nnetwork: [linear]\n"
        "train: {epochs: 3, batch_size: 8}\n"
    )
    uninterrupted = trained(tmp_path, text)
    run = interrupted(tmp_path, text, 7, signal.SIGINT)
    sound = table.read_text()
    table.write_text(sound.replace(f"{numbers[3, 0]},", "9.75,"))
    assert table.read_text() != sound
    with pytest.raises(RunFolderError, match="data has changed"):
        resume(run)
    assert run.read_status().status == "interrupted"
    table.write_text(sound)
    resume(run)
    assert run.model.read_bytes() == uninterrupted.model.read_bytes()


def test_signal_handlers_are_restored(tmp_path: Path) -> None:
    """After a run, the caller handles Ctrl-C."""
    contents = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    interrupted(tmp_path, TEXT.replace("OPTIMIZER", "adam"), 4, signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == contents


def test_a_signal_during_evaluation_leaves_an_interrupted_run(tmp_path: Path) -> None:
    """The run has not failed. Resumed, it is evaluated again."""

    def stop(stage: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

    text = TEXT.replace("OPTIMIZER", "adam")
    with pytest.raises(Interrupted):
        train(prepared(tmp_path, text), tmp_path / "cut", Callbacks(stage=stop))
    (checkpoint,) = list_runs(tmp_path / "cut")
    assert checkpoint.status == "interrupted"
    run = RunFolder.open(checkpoint.path)
    resume(run)
    assert run.read_status().status == "completed"
    assert run.results.read_bytes() == trained(tmp_path, text).results.read_bytes()


def test_a_signal_that_a_library_catches_is_raised_at_the_end() -> None:
    """At the end of the block."""
    resumed = []

    def careless() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)
        except BaseException:
            resumed.append("caught")

    with pytest.raises(Interrupted) as caught, interrupt_on_signal():
        careless()
    assert resumed == ["caught"] and caught.value.exit_code == 128 + signal.SIGTERM


# --- as processes ---------------------------------------------------------------------------

SLOW = """\
name: slow
data: {source: {gaussians: {clusters: 4, samples: 30000, std: 1.0}}, noise: {gaussian: 0.1}}
network: [{mlp: [8, 8]}, linear]
train: {epochs: 2, batch_size: 3}
evaluate: []
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_command_stops_with_a_checkpoint(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    """Exit code, checkpoint in the middle of an epoch, no traceback; `ldl resume` goes on."""
    file, root = tmp_path / "slow.yaml", tmp_path / "runs"
    file.write_text(SLOW)
    command = [sys.executable, str(ROOT / "cli.py")]
    process = subprocess.Popen(
        [*command, "train", str(file), "--runs", str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    while not list(root.glob("2*/metrics.csv")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)  # into the first epoch, which takes longer than that
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert out == "" and "Traceback" not in err and str(number.value) in err
    (path,) = run_folders(root)
    run = RunFolder.open(path)
    assert run.read_status().status == "interrupted" and rows(run) == []
    checkpoint = run.load_checkpoint("last")
    assert checkpoint is not None and 0 < checkpoint[1]["totals"]["batch"] < 7000
    if number is signal.SIGINT:
        return
    resumed = subprocess.run(
        [*command, "resume", "last", "--runs", str(root)], capture_output=True, text=True
    )
    assert resumed.returncode == 0 and resumed.stdout.strip() == str(path)
    assert len(rows(run)) == 2 and saved(run)
    repeated = subprocess.run(
        [*command, "resume", "last", "--runs", str(root)], capture_output=True, text=True
    )
    assert repeated.returncode == 2
    assert "nothing left to do" in repeated.stderr and repeated.stdout == ""


def test_a_signal_in_a_finalizer_is_raised_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python can only show what a finalizer raises; errors other than signals are shown still."""
    shown: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: shown.append(unraisable.exc_type))
    own_hook = sys.unraisablehook

    class Finalized:
        def __init__(self, finalize: Callable[[], object]) -> None:
            self.finalize = finalize

        def __del__(self) -> None:
            self.finalize()

    def finalize_two() -> None:
        with interrupt_on_signal():
            Finalized(lambda: signal.raise_signal(signal.SIGTERM))
            Finalized(lambda: 1 / 0)

    with pytest.raises(Interrupted):
        finalize_two()
    assert shown == [ZeroDivisionError] and sys.unraisablehook is own_hook
