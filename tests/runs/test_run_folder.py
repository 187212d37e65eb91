"""Run folders: created once, never shared, with a status that shows dead processes."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from ldl.errors import RunFolderError
from ldl.runs.log import log_to
from ldl.runs.metrics_file import MetricsWriter
from ldl.runs.run_folder import RUN_NAME, RunFolder, runs_root, slug
from ldl.runs.status import NOT_STARTED

NOW = datetime(2026, 11, 20, 9, 15, 2, 250_000, UTC)
DIGEST = "3f9a1c" + 58 * "0"
CONTENTS = {"config.yaml": b"a: 1\n", "source.yaml": b"\xff# as it was\r\n"}
W = np.arange(6, dtype=np.float32)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "runs", "denoise", DIGEST, CONTENTS, NOW)


def dead_pid() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def test_the_name_and_a_name_that_is_taken(tmp_path: Path) -> None:
    runs = [
        RunFolder.create(tmp_path / "a" / "b", "denoise", DIGEST, CONTENTS, NOW) for _ in range(3)
    ]
    base = "20261120T091502Z-denoise-3f9a1c"
    assert [run.name for run in runs] == [base, base + "-2", base + "-3"]
    assert all(RUN_NAME.fullmatch(run.name) for run in runs)
    same_time_elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    assert RunFolder.create(tmp_path, "denoise", DIGEST, CONTENTS, same_time_elsewhere).name == base


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("classify_digits", "classify_digits"),
        ("My run/../../etc", "my-run-etc"),
        ("Über größe 2", "über-größe-2"),
        ("..", "run"),
        ("", "run"),
        ("a\x00b\nc", "a-b-c"),
        ("é" * 300, "é" * 50),
    ],
)
def test_slug(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_concurrent_processes_get_folders_of_their_own(tmp_path: Path) -> None:
    code = """
import sys, time
from datetime import datetime, UTC
from pathlib import Path
from ldl.runs.run_folder import RunFolder
now = datetime(2026, 11, 20, tzinfo=UTC)
print("ready", flush=True)
time.sleep(max(0.0, float(sys.stdin.readline()) - time.time()))
for _ in range(40):
    print(RunFolder.create(Path(sys.argv[1]), "same", "a" * 64, {"config.yaml": b""}, now).name)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "runs")]
    pipe = subprocess.PIPE
    children = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) for _ in range(4)
    ]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
    start = f"{time.time() + 0.05}\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write(start)
    names = [name for child in children for name in child.communicate()[0].split()]
    assert len(names) == len(set(names)) == 160
    assert sorted(os.listdir(tmp_path / "runs")) == sorted(names)


def test_a_root_that_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(RunFolderError, match="cannot create a run in"):
            RunFolder.create(root, "a", DIGEST, CONTENTS, NOW)


def test_a_stale_hidden_folder_is_removed(tmp_path: Path) -> None:
    old, young = tmp_path / ".new-1-aa", tmp_path / ".new-2-bb"
    for stray in (old, young):
        stray.mkdir()
        (stray / "config.yaml").write_text("")
    os.utime(old, (0, 0))
    run = RunFolder.create(tmp_path, "a", DIGEST, CONTENTS, NOW)
    assert sorted(tmp_path.iterdir()) == [young, run.path]


def test_the_layout(run: RunFolder) -> None:
    paths = [
        *(run.config, run.source, run.overrides, run.environment, run.status, run.metrics),
        *(run.results, run.model, run.checkpoints, run.contingency, run.plots, run.report),
        run.log,
    ]
    assert " ".join(path.name for path in paths) == (
        "config.yaml source.yaml overrides.yaml environment.json status.json metrics.csv "
        "results.json model.safetensors checkpoints contingency plots report.html run.log"
    )
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == CONTENTS
    assert [path.name for path in run.path.parent.iterdir()] == [run.name]


def test_open_accepts_run_folders_only(run: RunFolder, tmp_path: Path) -> None:
    assert RunFolder.open(run.path) == run and run.read_status() == NOT_STARTED
    renamed = run.path.rename(tmp_path / "renamed")
    with pytest.raises(RunFolderError, match=r"is not a run folder: it has no status\.json"):
        RunFolder.open(renamed)
    RunFolder(renamed).set_status("completed")
    assert RunFolder.open(renamed).read_status().status == "completed"
    with pytest.raises(RunFolderError, match="is not a folder"):
        RunFolder.open(renamed / "status.json")
    with pytest.raises(RunFolderError, match="does not exist"):
        RunFolder.open(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"status": "fine"}', '{"status": "running", "reason": "", "pid": "7"}'],
)
def test_a_damaged_status_is_a_clear_error(run: RunFolder, text: str) -> None:
    run.status.write_text(text)
    with pytest.raises(RunFolderError, match=r"status\.json is damaged"):
        RunFolder.open(run.path)


def test_status_keeps_values_that_are_not_given(run: RunFolder) -> None:
    run.set_status("running", now=NOW)
    assert run.read_status().status == "running"
    run.set_status("running", epoch=3, best={"epoch": 2, "validation.loss": math.inf}, now=NOW)
    later = NOW + timedelta(seconds=2.5)
    run.set_status("interrupted", "signal 2", now=later)
    values = json.loads(run.status.read_text())
    assert values.pop("process") and values.pop("host")
    assert values == {
        "status": "interrupted",
        "reason": "signal 2",
        "epoch": 3,
        "best": {"epoch": 2, "validation.loss": "Infinity"},
        "started": "2026-11-20T09:15:02.250Z",
        "updated": "2026-11-20T09:15:04.750Z",
        "seconds": 2.5,
        "pid": os.getpid(),
    }
    run.set_status("running", now=later + timedelta(days=1))
    done = run.set_status("completed", now=later + timedelta(days=1, seconds=1))
    assert done.seconds == 3.5 and done.started == values["started"]


def test_running_in_a_dead_process_reads_as_killed(run: RunFolder) -> None:
    run.set_status("running", epoch=4, now=NOW)
    values = json.loads(run.status.read_text())
    run.status.write_text(json.dumps({**values, "pid": dead_pid()}))
    status = run.read_status()
    assert (status.status, status.reason, status.epoch) == ("interrupted", "killed", 4)
    run.status.write_text(json.dumps({**values, "process": "another boot:1"}))
    assert run.read_status().status == "interrupted", "the pid now belongs to another process"
    run.status.write_text(json.dumps({**values, "pid": dead_pid(), "host": "elsewhere"}))
    assert run.read_status().status == "running", "unknown on this host"
    run.status.write_text(json.dumps({**values, "pid": dead_pid(), "status": "completed"}))
    assert run.read_status().status == "completed"


def test_the_seconds_of_a_killed_run_end_with_its_last_row(run: RunFolder) -> None:
    run.set_status("running", now=NOW)
    values = json.loads(run.status.read_text())
    run.status.write_text(json.dumps({**values, "pid": dead_pid()}))
    MetricsWriter(run.metrics, ["epoch"]).close()
    last = (NOW + timedelta(seconds=60)).timestamp()
    os.utime(run.metrics, (last, last))
    assert run.set_status("running", now=NOW + timedelta(days=1)).seconds == 60.0


def test_the_lock_removes_temporary_files_and_is_exclusive(run: RunFolder) -> None:
    stray = run.path / ".status.json.1-00000000.tmp"
    stray.write_text("")
    with run.lock():
        assert not stray.exists()
        with pytest.raises(RunFolderError, match=f"{run.name} is in use by"), run.lock():
            raise AssertionError


def test_checkpoints_are_loaded_with_their_state(run: RunFolder) -> None:
    assert run.load_checkpoint("last") is None
    state = {"epoch": 3, "batch": 0, "best": math.inf, "rng": np.random.default_rng(1)}
    state["rng"] = state["rng"].bit_generator.state  # type: ignore[attr-defined]
    run.save_checkpoint("last", {"theta": W.reshape(2, 3).T, "adam.m": W}, state)
    checkpoint = run.load_checkpoint("last")
    assert checkpoint is not None and checkpoint[1] == state
    assert np.array_equal(checkpoint[0]["theta"], W.reshape(2, 3).T)
    assert run.load_checkpoint("best") is None
    assert sorted(os.listdir(run.checkpoints)) == ["last.safetensors", "last.safetensors.sha256"]


def test_a_checkpoint_that_is_damaged_or_lost_is_named(run: RunFolder) -> None:
    path = run.checkpoint("last")
    for epoch in (1, 2):
        run.save_checkpoint("last", {"w": W}, {"epoch": epoch})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunFolderError, match=r"last\.safetensors is damaged"):
        run.load_checkpoint("last")
    path.unlink()
    with pytest.raises(RunFolderError, match=r"last\.safetensors: No such file"):
        run.load_checkpoint("last")


def test_a_checkpoint_without_a_state_is_refused(run: RunFolder) -> None:
    from ldl.runs.tensors import save_tensors

    run.checkpoints.mkdir()
    for metadata in ({}, {"state": "[1]"}, {"state": "{"}):
        save_tensors(run.checkpoint("best"), {"w": W}, metadata)
        with pytest.raises(RunFolderError, match=r"best\.safetensors holds no state"):
            run.load_checkpoint("best")


@pytest.mark.parametrize("name", ["runs", "trials", "plots", "trials/a"])
def test_the_folder_of_runs_may_be_a_link_of_any_name(name: str, tmp_path: Path) -> None:
    """Also where a folder within a run or a grid, which is never a link, has that name."""
    link, _, below = name.partition("/")
    (tmp_path / "disk" / below).mkdir(parents=True)
    (tmp_path / link).symlink_to(tmp_path / "disk")
    run = RunFolder.create(runs_root(str(tmp_path / name)), "denoise", DIGEST, CONTENTS, NOW)
    run.set_status("completed")
    assert RunFolder(tmp_path / "disk" / below / run.name).read_status().status == "completed"


def test_runs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LDL_RUNS_DIR", raising=False)
    assert runs_root() == Path("runs")
    monkeypatch.setenv("LDL_RUNS_DIR", "/elsewhere")
    assert runs_root() == Path("/elsewhere") and runs_root("here") == Path("here")
    monkeypatch.setenv("LDL_RUNS_DIR", "")
    assert runs_root(None) == Path("runs")


def test_the_log_holds_records_within_the_block_only(run: RunFolder) -> None:
    logger = logging.getLogger("ldl")
    before = (logger.level, list(logger.handlers))
    with log_to(run.log):
        logging.getLogger("ldl.train").info("epoch %d", 1)
        logger.debug("never")
    logger.warning("too late")
    with log_to(run.log):
        logger.warning("résumé")
    assert (logger.level, list(logger.handlers)) == before
    lines = run.log.read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["INFO epoch 1", "WARNING résumé"]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", line) for line in lines)


def test_the_package_loads_no_numpy() -> None:
    code = (
        "import sys, ldl.runs, ldl.runs.comparison, ldl.runs.environment, ldl.runs.log\n"
        "sys.exit(any(name in sys.modules for name in ('numpy', 'safetensors', 'yaml')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
