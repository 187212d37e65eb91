"""Atomic writes: the old file or the new one, nothing between, nothing left over."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ldl.errors import RunError
from ldl.runs.atomic import sweep, write_bytes, write_text


def test_writes_and_replaces_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "é\n")
    write_bytes(path, b"\x00\r\n")
    assert path.read_bytes() == b"\x00\r\n"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_text(tmp_path / "atomic", "")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_refusing_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a.txt"
    write_text(path, "old")
    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(RunError, match=r"cannot write .*a\.txt: No space left on device"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_disk_that_fills_in_the_middle_of_a_write(tmp_path: Path) -> None:
    code = """
import resource, signal, sys
from pathlib import Path
from ldl.errors import RunError
from ldl.runs.atomic import write_bytes
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
write_bytes(Path(sys.argv[1]), b"old" * 100)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    write_bytes(Path(sys.argv[1]), b"new" * 100_000)
except RunError as error:
    print(error)
"""
    path = tmp_path / "a.bin"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert "cannot write" in done.stdout
    assert path.read_bytes() == b"old" * 100
    assert os.listdir(tmp_path) == ["a.bin"]


def test_an_interrupt_removes_the_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "a.txt", "new")
    assert os.listdir(tmp_path) == []


def test_sweep_removes_strays_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    stray = tmp_path / "checkpoints" / ".last.safetensors.123-0a1b2c3d.tmp"
    kept = [tmp_path / name for name in (".lock", "mine.tmp", ".a.txt.tmp", "a.123-0a1b2c3d.tmp")]
    for path in (stray, *kept):
        path.write_text("")
    assert sweep(tmp_path) == [stray]
    assert not stray.exists() and all(path.exists() for path in kept)
    assert sweep(tmp_path / "missing") == []
