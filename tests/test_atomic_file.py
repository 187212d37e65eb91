"""Atomic writes: the old file or the new one, no temporary file left, fsync where it is due."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ldl import atomic_file
from ldl.atomic_file import (
    durable_writes,
    fsync_tree,
    remove_temporary_files,
    write_bytes,
    write_text,
)
from ldl.errors import RunError
from ldl.runs import MetricsWriter


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
    def refuse(*_: object, **__: object) -> None:
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
from ldl.atomic_file import write_bytes
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


def test_temporary_files_alone_are_removed(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    stray = tmp_path / "checkpoints" / ".last.safetensors.123-0a1b2c3d.tmp"
    kept = [tmp_path / name for name in (".lock", "mine.tmp", ".a.txt.tmp", "a.123-0a1b2c3d.tmp")]
    for path in (stray, *kept):
        path.write_text("")
    assert remove_temporary_files(tmp_path) == [stray]
    assert not stray.exists() and all(path.exists() for path in kept)
    assert remove_temporary_files(tmp_path / "missing") == []


@pytest.fixture
def fsynced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files and folders on which fsync is called."""
    names: list[str] = []
    fsync = os.fsync

    def recorded(descriptor: int) -> None:
        names.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.split(".tmp")[0])
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    return names


def test_without_durability_fsync_is_not_called(tmp_path: Path, fsynced: list[str]) -> None:
    """For files, folders and appended rows; the files exist all the same."""
    with durable_writes(False):
        write_text(tmp_path / "a", "A")
        with MetricsWriter(tmp_path / "metrics.csv", ["epoch"]) as rows:
            rows.append({"epoch": 1})
    assert fsynced == [] and (tmp_path / "a").read_text() == "A"
    assert (tmp_path / "metrics.csv").read_text() == "epoch\n1\n"
    write_text(tmp_path / "b", "B")
    assert len(fsynced) == 2


def test_the_innermost_durability_counts(tmp_path: Path, fsynced: list[str]) -> None:
    """A file that must last can be written within a block that does not wait."""
    with durable_writes(False), durable_writes(True):
        write_text(tmp_path / "a", "A")
    assert len(fsynced) == 2


def test_fsync_tree_covers_files_and_folders(
    tmp_path: Path, fsynced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those in folders below too; by one call where the system has it."""
    assert not sys.platform.startswith("linux") or atomic_file._sync_file_system(tmp_path)
    monkeypatch.setattr(atomic_file, "_sync_file_system", lambda folder: False)
    (tmp_path / "below").mkdir()
    with durable_writes(False):
        write_text(tmp_path / "a", "A")
        write_text(tmp_path / "below" / "b", "B")
    fsync_tree(tmp_path)
    assert sorted(fsynced) == sorted([tmp_path.name, "a", "below", "b"])
