"""What the fork server reads of its process and of the kernel."""

from __future__ import annotations

import io
import json
import signal
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ldl.execute import fork_server
from ldl.execute.fork_server import Child, ForkServer
from ldl.execute.worker_pool import Failure, Task, TaskResult


def test_new_modules_of_preloaded_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(sys.modules)
    for name in ("numpy.made_up", "made_up", "made_up.numpy"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    assert fork_server._imports(before) == ["numpy.made_up"]
    assert fork_server._imports({*before, "numpy.made_up"}) == []


@pytest.mark.parametrize(
    ("text", "kills"), [("oom_score 9\noom_kill 7\nzone 1\n", 7), ("zone 1\n", 0), (None, 0)]
)
def test_kills_for_lack_of_memory(
    text: str | None, kills: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "vmstat"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(fork_server, "VMSTAT", file)
    assert fork_server._oom_kills() == kills


def test_a_message_that_a_signal_cuts_is_written_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[bytes] = []

    def write(descriptor: int, data: bytes) -> int:
        assert descriptor == 1
        written.append(data[:7])
        return len(written[-1])

    monkeypatch.setattr(fork_server.os, "write", write)
    fork_server.ForkServer._send(None, {"message": "x" * 20})  # type: ignore[arg-type]
    assert b"".join(written) == b'{"message": "' + b"x" * 20 + b'"}\n'


class Recorder(ForkServer):
    """A fork server without processes, which is its own worker and records what it sends."""

    grace = 5.0

    def __init__(self, stopping_since: float | None = None) -> None:
        self.worker: Any = self
        self.children, self.queue, self.jobs = {}, deque(), 1
        self.stopping_since = stopping_since
        self.sent: list[Any] = []
        self.failures: list[Failure | None] = []

    def _send(self, message: Mapping[str, Any]) -> None:
        self.sent.append(message.get("report"))

    def process_died(
        self, task: Task, failure: Failure | None, attempt: int, seconds: float
    ) -> TaskResult:
        self.failures.append(failure)
        return TaskResult.FINISHED if failure else TaskResult.INTERRUPTED


def child(outcome: object = None, attempt: int = 1, **task: Any) -> Child:
    """A process that has written `outcome`, or that died before."""
    file = io.BytesIO(b"" if outcome is None else json.dumps(outcome).encode())
    return Child(Task("a", {}, **task), attempt, 0.0, 0, file)


@pytest.mark.parametrize(
    ("outcome", "code", "attempt", "result", "error"),
    [
        ({"result": "finished", "value": 7}, 0, 1, "finished", ""),
        ({"result": "leased_elsewhere", "value": 7}, 0, 1, "leased_elsewhere", ""),
        ({"result": "retry"}, 0, 9, None, ""),
        ({"error": "no", "kind": "failed"}, 1, 1, None, ""),  # one more attempt
        ({"error": "no", "kind": "failed"}, 1, 2, "finished", "no"),
        (None, 3, 2, "finished", "its process ended with code 3"),
        (None, -signal.SIGKILL, 2, None, ""),  # two more attempts
        (None, -signal.SIGKILL, 3, "finished", "killed by signal 9 (SIGKILL)"),
        ({"result": "interrupted"}, 0, 3, "finished", "killed by signal 15 (SIGTERM)"),
        (None, -99, 3, "finished", "killed by signal 99"),
    ],
)
def test_what_becomes_of_a_task_whose_process_has_ended(
    outcome: object, code: int, attempt: int, result: str | None, error: str
) -> None:
    """With one further attempt after a failure, two after a kill."""
    server = Recorder()
    server._handle_exit(child(outcome, attempt, retry=1, retry_killed=2), code)
    if result is None:
        ((task, following),) = server.queue
        assert (task.id, following, server.sent) == ("a", attempt + 1, [])
        return
    (report,) = server.sent
    assert (report["id"], report["result"], report["error"]) == ("a", result, error)
    assert not server.queue and report["value"] == (7 if not error else None)
    kinds = [failure.kind for failure in server.failures if failure]
    assert kinds == ([] if not error else ["killed" if "signal" in error else "failed"])


def test_kinds_of_deaths(monkeypatch: pytest.MonkeyPatch) -> None:
    server, killed = Recorder(), child(timeout=1.0)
    monkeypatch.setattr(fork_server, "_oom_kills", lambda: 1)
    assert server._failure(killed, -signal.SIGKILL, {}).kind == "memory"
    assert server._failure(killed, -signal.SIGTERM, {}).kind == "killed"
    assert server._failure(killed, 1, {"error": "full", "kind": "system"}).kind == "system"
    killed.oom_kills = 1
    assert server._failure(killed, -signal.SIGKILL, {}).kind == "killed"
    killed.timed_out = True
    assert server._failure(killed, -signal.SIGKILL, {}).kind == "timeout"
    lost = child()
    lost.lease_lost = True
    server._handle_exit(lost, -signal.SIGKILL)
    assert server.sent.pop()["result"] == "leased_elsewhere" and not server.failures
    stopping = Recorder(stopping_since=0.0)
    stopping._handle_exit(child({"result": "interrupted"}), 0)
    assert stopping.sent.pop()["result"] == "interrupted" and stopping.failures == [None]


def test_time_limits_and_stop_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process has five seconds more; it is killed once for its limit."""
    server, kills = Recorder(), []
    server.children = {1: child(timeout=10.0), 2: child()}
    assert server._select_timeout() == fork_server.POLL
    monkeypatch.setattr(fork_server, "_kill", lambda pid, _: kills.append(pid))
    for now in (15.0, 15.5, 16.0):
        monkeypatch.setattr(fork_server.time, "monotonic", lambda now=now: now)
        server._enforce_time_limits()
    assert kills == [1] and server.children[1].timed_out and not server.children[2].timed_out
    del server.children[1]
    assert server._select_timeout() == 60.0
    server.stopping_since = 11.0
    assert server._select_timeout() == fork_server.POLL
    server._enforce_time_limits()
    assert kills == [1]
    server.stopping_since = 10.5
    server._enforce_time_limits()
    assert kills == [1, 2]
