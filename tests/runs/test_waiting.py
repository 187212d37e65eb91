"""Writes that do not wait for the disk, and the wait that makes up for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ldl.runs import MetricsWriter, atomic, write_text
from ldl.runs.atomic import sync_files, waiting


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is waited for."""
    names: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        names.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.split(".tmp")[0])
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return names


def test_nothing_is_waited_for_unless_asked(tmp_path: Path, synced: list[str]) -> None:
    """Neither files nor folders nor rows; the files are there all the same."""
    with waiting(False):
        write_text(tmp_path / "a", "A")
        with MetricsWriter(tmp_path / "metrics.csv", ["epoch"]) as rows:
            rows.append({"epoch": 1})
    assert synced == [] and (tmp_path / "a").read_text() == "A"
    assert (tmp_path / "metrics.csv").read_text() == "epoch\n1\n"
    write_text(tmp_path / "b", "B")
    assert len(synced) == 2


def test_what_matters_within_is_waited_for(tmp_path: Path, synced: list[str]) -> None:
    """The innermost word counts."""
    with waiting(False), waiting(True):
        write_text(tmp_path / "a", "A")
    assert len(synced) == 2


def test_all_files_and_names_are_waited_for(
    tmp_path: Path, synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those in folders below too; in one act where the system can."""
    assert not sys.platform.startswith("linux") or atomic._sync_file_system(tmp_path)
    monkeypatch.setattr(atomic, "_sync_file_system", lambda folder: False)
    (tmp_path / "below").mkdir()
    with waiting(False):
        write_text(tmp_path / "a", "A")
        write_text(tmp_path / "below" / "b", "B")
    sync_files(tmp_path)
    assert sorted(synced) == sorted([tmp_path.name, "a", "below", "b"])
