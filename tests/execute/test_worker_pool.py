"""A pool of worker processes: reports, failures, retries, time limits, messages, the end."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ldl.execute.worker_pool import (
    Task,
    TaskReport,
    TaskResult,
    WorkerPool,
    WorkerPoolError,
    run_tasks,
    stop_when_orphaned,
)

WORKER = """
import os, signal, sys, time
from ldl.errors import DataError
from ldl.execute.worker_pool import TaskResult, Worker


class Actor(Worker):
    grace = 0.5

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def prefetch(self, task):
        self.notify(["prefetch", task.id])

    def run(self, task, attempt):
        print("what libraries print is no message", flush=True)
        with open(os.path.join(self.folder, task.id), "a") as file:
            file.write(f"{attempt}\\n")
        action = task.payload["action"]
        if action == "fail":
            raise DataError("no such table")
        if action == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if action == "die once" and attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if action == "retry" and attempt == 1:
            return TaskResult.RETRY, None
        if action == "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(60)
        return TaskResult.FINISHED, [task.id, attempt, "x" * task.payload.get("size", 0)]
"""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a worker in a module of its own."""
    (tmp_path / "actor.py").write_text(WORKER)
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    return "actor:Actor"


def run_one(worker: str, folder: Path, action: str, **settings: Any) -> tuple[TaskReport, int]:
    """The report of one task, and the number of its attempts."""
    size = settings.pop("size", 0)
    task = Task("task", {"action": action, "size": size}, **settings)
    (report,) = run_tasks(worker, {"folder": str(folder)}, [task], 1)
    return report, len((folder / "task").read_text().splitlines())


def test_values_come_back(worker: str, tmp_path: Path) -> None:
    """Of any size, one report for each task."""
    tasks = [Task(str(i), {"action": "finish", "size": 100_000}) for i in range(5)]
    reports = run_tasks(worker, {"folder": str(tmp_path)}, tasks, 2)
    assert {report.id: report.value for report in reports} == {
        str(i): [str(i), 1, "x" * 100_000] for i in range(5)
    }
    assert all(report.result is TaskResult.FINISHED for report in reports)


def test_failures(worker: str, tmp_path: Path) -> None:
    """An exception is reported with its message and exit code 1, and retried on request."""
    report, attempts = run_one(worker, tmp_path, "fail")
    assert (report.error, report.exit_code, report.value) == ("no such table", 1, None)
    assert attempts == 1
    assert run_one(worker, tmp_path, "fail", retry=2)[1] == 1 + 3


def test_killed_processes(worker: str, tmp_path: Path) -> None:
    """They have retries of their own; the last signal is reported."""
    report, attempts = run_one(worker, tmp_path, "die", retry_killed=1)
    assert "SIGKILL" in report.error and report.exit_code == -9 and attempts == 2
    (tmp_path / "task").unlink()
    report, attempts = run_one(worker, tmp_path, "die once", retry_killed=1)
    assert report.value == ["task", 2, ""] and not report.error and attempts == 2


def test_a_worker_may_ask_for_a_retry(worker: str, tmp_path: Path) -> None:
    """Its result RETRY is never reported."""
    report, attempts = run_one(worker, tmp_path, "retry")
    assert report.result is TaskResult.FINISHED and attempts == 2


def test_a_process_that_ignores_its_time_limit_is_killed(worker: str, tmp_path: Path) -> None:
    """After the grace period."""
    report, _ = run_one(worker, tmp_path, "hang", timeout=0.2)
    assert "would not stop" in report.error


def test_messages_and_the_end(worker: str, tmp_path: Path) -> None:
    """The worker's messages arrive; tasks are stopped, killed if need be, and reported."""
    messages: list[Any] = []
    arguments = {"folder": str(tmp_path)}
    with closing(WorkerPool(worker, arguments, 1, messages.append)) as pool:
        for i in range(2):
            pool.start(Task(str(i), {"action": "hang"}))
        assert (pool.free_slots, pool.running) == (0, 1)
        while not (tmp_path / "0").exists():
            assert pool.wait(0.05) == []
        pool.stop()
        reports: list[TaskReport] = []
        while len(reports) < 2:
            reports += pool.wait(1.0)
    assert {(report.id, report.result) for report in reports} == {
        ("0", TaskResult.INTERRUPTED), ("1", TaskResult.INTERRUPTED),
    }  # fmt: skip
    assert ["prefetch", "0"] in messages


@pytest.mark.parametrize("ending", ["was killed by signal 9", "ended with code 0"])
def test_the_end_of_the_fork_server(worker: str, tmp_path: Path, ending: str) -> None:
    """It is an error."""
    with closing(WorkerPool(worker, {"folder": str(tmp_path)}, 1)) as pool:
        if "signal" in ending:
            os.kill(pool._process.pid, 9)
        else:
            assert pool._process.stdin is not None
            pool._process.stdin.close()
        pool._process.wait()
        with pytest.raises(WorkerPoolError, match=ending):
            pool.wait(1.0)


def test_a_process_whose_parent_has_died_gets_one_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *arguments: sent.append(arguments))
    check_parent = stop_when_orphaned()
    check_parent(None)
    assert sent == []
    monkeypatch.setattr(os, "getppid", lambda: 1)
    check_parent(None)
    check_parent(None)
    assert sent == [(os.getpid(), signal.SIGTERM)]
