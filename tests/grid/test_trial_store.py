"""Outcomes are written once, and files that trials share exist once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ldl.errors import RunFolderError
from ldl.execute.worker_pool import WorkerPoolError
from ldl.grid.trial import TrialOutcome
from ldl.grid.trial_store import TrialStore

from .running import run_all, trials

DONE = TrialOutcome("00aa", "completed", "all epochs are done", 0.25, 3, 1.5, 1, "here:1")


@pytest.fixture
def store(tmp_path: Path) -> TrialStore:
    """An empty grid."""
    return TrialStore(tmp_path)


def test_an_outcome_is_read_back(store: TrialStore) -> None:
    """Every field."""
    assert store.read_outcome(DONE.id) is None
    assert store.write_outcome(DONE)
    assert store.read_outcome(DONE.id) == DONE
    assert [path.name for path in store.run_folder(DONE.id).path.iterdir()] == ["trial.json"]


def test_an_outcome_is_written_once(store: TrialStore) -> None:
    """A second write changes nothing."""
    assert store.write_outcome(DONE)
    assert not store.write_outcome(replace(DONE, objective=0.5))
    assert store.read_outcome(DONE.id) == DONE


@pytest.mark.parametrize("left", [b"", b"{", b"[]", b'{"id": "00aa"}'])
def test_a_damaged_outcome_counts_as_none(store: TrialStore, left: bytes) -> None:
    """So that the trial runs again."""
    store.run_folder(DONE.id).path.mkdir()
    (store.run_folder(DONE.id).path / "trial.json").write_bytes(left)
    assert store.read_outcome(DONE.id) is None
    assert store.write_outcome(DONE) and store.read_outcome(DONE.id) == DONE


def test_only_the_expected_outcome_is_deleted(store: TrialStore) -> None:
    """Another process may have retried the trial meanwhile."""
    failed = replace(DONE, status="failed", objective=None)
    store.write_outcome(DONE)
    store.delete_outcome(failed)
    assert store.read_outcome(DONE.id) == DONE
    store.delete_outcome(DONE)
    assert store.read_outcome(DONE.id) is None


def test_common_files_are_hard_links(store: TrialStore) -> None:
    """Equal contents are one file; writing them again changes nothing."""
    for id in ("00aa", "00bb"):
        for _ in range(2):
            store.write_inputs(id, {"config.yaml": id.encode()}, {"data.json": b"{}\n"})
    paths = [store.run_folder(id).path / "data.json" for id in ("00aa", "00bb")]
    assert paths[0].samefile(paths[1]) and paths[0].read_bytes() == b"{}\n"
    assert store.run_folder("00bb").config.read_text() == "00bb"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """The message names the path and the reason."""
    (tmp_path / "trials").write_text("")
    with pytest.raises(RunFolderError, match=r"cannot make .*trials: File exists"):
        TrialStore(tmp_path)


def test_an_outcome_that_cannot_be_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One message, without a traceback of the trial's process."""
    planned = trials(1, epochs=1)
    (tmp_path / "trials" / planned[0].id / "trial.json").mkdir(parents=True)
    with pytest.raises(WorkerPoolError, match=r"cannot write .*trial\.json: Is a directory"):
        run_all(tmp_path, planned)
    assert capfd.readouterr().err == ""
