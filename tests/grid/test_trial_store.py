"""Outcomes are written once, and files that trials share exist once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ldl.errors import RunError, RunFolderError
from ldl.execute.worker_pool import WorkerPoolError
from ldl.folder_files import LINK_MESSAGE
from ldl.grid.trial import TrialOutcome
from ldl.grid.trial_store import TrialStore, read_plan

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


def use_store(grid: Path) -> None:
    """Write an outcome, and what a lease needs."""
    store = TrialStore(grid)
    store.leases.release(DONE.id)
    store.write_outcome(DONE)


@pytest.mark.parametrize("name", ["trials", "claims", "shared", "trials/00aa", "claims/.lock"])
def test_links_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    """A grid from elsewhere writes nothing behind them."""
    outside, grid = tmp_path / "outside", tmp_path / "grid"
    outside.mkdir()
    (grid / name).parent.mkdir(parents=True)
    (grid / name).symlink_to(outside)
    with pytest.raises((RunFolderError, RunError, OSError), match=LINK_MESSAGE):
        use_store(grid)
    assert list(outside.iterdir()) == []


def test_ids_of_a_plan_lead_to_no_other_folder(tmp_path: Path) -> None:
    """A trial's id is the name of its folder."""
    for id in ("../../etc", "/etc", "..", "a/b", "", 7, None):
        trial = {**trials(1)[0].summary(), "id": id}
        (tmp_path / "plan.jsonl").write_text(json.dumps(trial) + "\n")
        with pytest.raises(RunFolderError, match=r"plan\.jsonl is damaged"):
            read_plan(tmp_path)


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
