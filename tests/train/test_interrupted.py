"""Signals stop a run at a batch; resumed, it ends in the very same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import ldl.train.trainer as trainer
from ldl.errors import Interrupted, RunFolderError
from ldl.execute import Callbacks, evaluate, resume, train
from ldl.runs import RunFolder
from ldl.runs.run_list import list_runs, run_folders
from ldl.train import TrainProgress
from ldl.train.signals import interrupt_on_signal

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
}


class Killer:
    """Sends a signal when a given step of the whole training is reported."""

    def __init__(self, step: int, number: signal.Signals) -> None:
        self.step, self.number, self.seen = step, number, 0

    def __call__(self, progress: TrainProgress) -> None:
        """One report a batch, for `TICK` is below zero; rows are reports too."""
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
    """metrics.csv but for what the clock says."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows(run)]


@pytest.fixture(autouse=True)
def every_batch_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report after each batch."""
    monkeypatch.setattr(trainer, "PROGRESS_INTERVAL", -1.0)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("step", [1, 5, 11, 12, 13, 30])  # twelve steps an epoch
def test_resumed_anywhere_it_is_the_undisturbed_run(name: str, step: int, tmp_path: Path) -> None:
    """Weights, rows, results and best epoch, stopped within an epoch and at its end.

    A signal is heeded after the next batch; after an epoch's last one, when the epoch is closed.
    """
    stopped = step if step % 12 == 0 else step + 1
    text = TEXT.replace("OPTIMIZER", OPTIMIZERS[name])
    whole = trained(tmp_path, text)
    number = signal.SIGINT if step % 2 else signal.SIGTERM
    run = interrupted(tmp_path, text, step, number)
    status = run.read_status()
    assert status.status == "interrupted" and str(number.value) in status.reason
    assert status.epoch == len(rows(run)) == stopped // 12
    found = run.load_checkpoint("last")
    assert found is not None and found[1]["steps"] == stopped
    assert not run.model.exists()
    resume(run)
    assert run.model.read_bytes() == whole.model.read_bytes()
    assert without_seconds(run) == without_seconds(whole)
    assert run.results.read_bytes() == whole.results.read_bytes()
    after = run.read_status()
    assert (after.status, after.best) == ("completed", whole.read_status().best)


def test_stopped_in_the_last_epoch_it_is_judged_when_resumed(tmp_path: Path) -> None:
    """Not at once, against the person's word; and on the same noise."""
    text = TEXT.replace("OPTIMIZER", OPTIMIZERS["adam"]).replace("epochs: 5", "epochs: 2")
    whole = trained(tmp_path, text)
    run = interrupted(tmp_path, text, 24, signal.SIGINT)
    assert run.read_status().epoch == 2 and not run.results.exists()
    resume(run)
    assert run.results.read_bytes() == whole.results.read_bytes()
    assert evaluate(whole) == json.loads(run.results.read_text())


def test_gd_is_stopped_between_epochs(tmp_path: Path) -> None:
    """One step is an epoch."""
    text = TEXT.replace("OPTIMIZER", OPTIMIZERS["gd"]).replace(" batch_size: 9,", "")
    whole = trained(tmp_path, text)
    run = interrupted(tmp_path, text, 3, signal.SIGTERM)
    assert len(rows(run)) == 3
    resume(run)
    assert run.model.read_bytes() == whole.model.read_bytes()


def test_interrupted_again_and_again(tmp_path: Path) -> None:
    """Each resume gets a few steps further; a second one of a completed run is refused."""
    text = TEXT.replace("OPTIMIZER", OPTIMIZERS["adam"])
    whole = trained(tmp_path, text)
    run = interrupted(tmp_path, text, 2, signal.SIGINT)
    for steps in (1, 7, 12, 3):
        with pytest.raises(Interrupted):
            resume(run, Callbacks(training=Killer(steps, signal.SIGTERM)))
    resume(run)
    assert run.model.read_bytes() == whole.model.read_bytes()
    assert without_seconds(run) == without_seconds(whole)
    before = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    with pytest.raises(RunFolderError, match="nothing left to do"):
        resume(run)
    changed = [p for p, data in before.items() if p.read_bytes() != data and p.name != ".lock"]
    assert changed == []


def test_changed_data_is_refused(tmp_path: Path) -> None:
    """The same file with another number in it; the run stays as it is."""
    table = tmp_path / "t.csv"
    numbers = np.random.default_rng(0).normal(size=(60, 2)).round(3)
    lines = ["a,b,y", *(f"{a},{b},{'no' if a < b else 'yes'}" for a, b in numbers)]
    table.write_text("\n".join(lines) + "\n")
    text = (
        "data: {source: {csv: {path: t.csv, target: y}}}\nnetwork: [linear]\n"
        "train: {epochs: 3, batch_size: 8}\n"
    )
    whole = trained(tmp_path, text)
    run = interrupted(tmp_path, text, 7, signal.SIGINT)
    sound = table.read_text()
    table.write_text(sound.replace(f"{numbers[3, 0]},", "9.75,"))
    assert table.read_text() != sound
    with pytest.raises(RunFolderError, match="data has changed"):
        resume(run)
    assert run.read_status().status == "interrupted"
    table.write_text(sound)
    resume(run)
    assert run.model.read_bytes() == whole.model.read_bytes()


def test_signal_handlers_are_given_back(tmp_path: Path) -> None:
    """After a run, Ctrl-C is the caller's again."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    interrupted(tmp_path, TEXT.replace("OPTIMIZER", "adam"), 4, signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_signal_while_judging_leaves_an_interrupted_run(tmp_path: Path) -> None:
    """Nothing failed: the person stopped it. Resumed, it is judged again."""

    def stop(stage: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

    text = TEXT.replace("OPTIMIZER", "adam")
    with pytest.raises((Interrupted, KeyboardInterrupt)):
        train(prepared(tmp_path, text), tmp_path / "cut", Callbacks(stage=stop))
    (found,) = list_runs(tmp_path / "cut")
    assert found.status == "interrupted"
    run = RunFolder.open(found.path)
    resume(run)
    assert run.read_status().status == "completed"
    assert run.results.read_bytes() == trained(tmp_path, text).results.read_bytes()


def test_a_signal_that_a_library_catches_is_not_lost() -> None:
    """It counts when the work is over."""
    done = []

    def careless() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)
        except Exception:
            done.append("caught")

    with pytest.raises(Interrupted) as caught, interrupt_on_signal():
        careless()
    assert done == ["caught"] and caught.value.exit_code == 128 + signal.SIGTERM


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
    found = run.load_checkpoint("last")
    assert found is not None and 0 < found[1]["totals"]["batch"] < 7000
    done = subprocess.run(
        [*command, "resume", "last", "--runs", str(root)], capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.strip() == str(path)
    assert len(rows(run)) == 2 and saved(run)
    again = subprocess.run(
        [*command, "resume", "last", "--runs", str(root)], capture_output=True, text=True
    )
    assert again.returncode == 2
    assert "nothing left to do" in again.stderr and again.stdout == ""
