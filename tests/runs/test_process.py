"""Process identity, and a lock that is released when its holder dies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ldl.errors import RunFolderError
from ldl.runs import process
from ldl.runs.process import exclusive_lock, is_alive, process_start_id


def test_a_process_is_identified_by_its_pid_and_start() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start_id = process_start_id(child.pid)
    assert start_id is not None and start_id == process_start_id(child.pid) != process_start_id(
        os.getpid()
    )
    assert is_alive(child.pid, start_id) and is_alive(child.pid, None)
    assert not is_alive(child.pid, process_start_id(os.getpid()))
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid, start_id), "a zombie is dead"
    child.communicate()
    assert not is_alive(child.pid, start_id) and not is_alive(2**40, None)


@pytest.mark.skipif(shutil.which("ps") is None, reason="needs ps")
def test_without_proc_ps_gives_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process, "PROC", tmp_path)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start_id = process_start_id(child.pid)
    assert start_id is not None and len(start_id) > 10 and is_alive(child.pid, start_id)
    assert not is_alive(child.pid, "Mon Jan  1 00:00:00 1990")
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process_start_id(child.pid) == "ended"
    child.communicate()
    assert process_start_id(child.pid) is None


def test_without_proc_and_ps_an_existing_pid_counts_as_alive(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process, "PROC", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert process_start_id(os.getpid()) is None and is_alive(os.getpid(), "another boot:1")


def test_a_lock_is_exclusive(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with exclusive_lock(path):
        with (
            pytest.raises(RunFolderError, match=rf"in use by process {os.getpid()} on "),
            exclusive_lock(path),
        ):
            raise AssertionError
        code = (
            "import sys; from pathlib import Path; from ldl.runs.process import exclusive_lock\n"
            "with exclusive_lock(Path(sys.argv[1])): pass"
        )
        other = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True)
        assert other.returncode != 0 and b"in use by process" in other.stderr
    with exclusive_lock(path):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ldl.runs.process import exclusive_lock\n"
        "with exclusive_lock(Path(sys.argv[1])): print('held', flush=True); input()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None and child.stdout.readline() == b"held\n"
    with (
        pytest.raises(RunFolderError, match=f"process {child.pid} "),
        exclusive_lock(tmp_path / ".lock"),
    ):
        raise AssertionError
    child.kill()
    child.communicate()
    with exclusive_lock(tmp_path / ".lock"):
        pass


def test_a_missing_folder_cannot_be_locked(tmp_path: Path) -> None:
    with (
        pytest.raises(RunFolderError, match="cannot lock"),
        exclusive_lock(tmp_path / "no" / ".lock"),
    ):
        raise AssertionError
