"""What has ended is written once; what trials share lies on the disk once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ldl.errors import RunFolderError
from ldl.grid.executors import GridError
from ldl.grid.trial import TrialOutcome
from ldl.grid.trial_store import TrialStore

from .running import run_all, trials

DONE = TrialOutcome("00aa", "completed", "all epochs are done", 0.25, 3, 1.5, 1, "here:1")


@pytest.fixture
def ledger(tmp_path: Path) -> TrialStore:
    """An empty grid."""
    return TrialStore(tmp_path)


def test_an_outcome_comes_back(ledger: TrialStore) -> None:
    """Every field."""
    assert ledger.read_outcome(DONE.id) is None
    assert ledger.end(DONE)
    assert ledger.read_outcome(DONE.id) == DONE
    assert [path.name for path in ledger.run(DONE.id).path.iterdir()] == ["trial.json"]


def test_an_outcome_is_written_once(ledger: TrialStore) -> None:
    """Whoever comes second changes nothing."""
    assert ledger.end(DONE)
    assert not ledger.end(replace(DONE, objective=0.5))
    assert ledger.read_outcome(DONE.id) == DONE


@pytest.mark.parametrize("left", [b"", b"{", b"[]", b'{"id": "00aa"}'])
def test_a_damaged_outcome_counts_as_none(ledger: TrialStore, left: bytes) -> None:
    """So that the trial is done again."""
    ledger.run(DONE.id).path.mkdir()
    (ledger.run(DONE.id).path / "trial.json").write_bytes(left)
    assert ledger.read_outcome(DONE.id) is None
    assert ledger.end(DONE) and ledger.read_outcome(DONE.id) == DONE


def test_only_the_outcome_that_was_seen_is_forgotten(ledger: TrialStore) -> None:
    """Another process may have tried again meanwhile."""
    failed = replace(DONE, status="failed", objective=None)
    ledger.end(DONE)
    ledger.forget(failed)
    assert ledger.read_outcome(DONE.id) == DONE
    ledger.forget(DONE)
    assert ledger.read_outcome(DONE.id) is None


def test_common_files_are_one_file(ledger: TrialStore) -> None:
    """By their contents; and furnishing again changes nothing."""
    for id in ("00aa", "00bb"):
        for _ in range(2):
            ledger.furnish(id, {"config.yaml": id.encode()}, {"data.json": b"{}\n"})
    places = [ledger.run(id).path / "data.json" for id in ("00aa", "00bb")]
    assert places[0].samefile(places[1]) and places[0].read_bytes() == b"{}\n"
    assert ledger.run("00bb").config.read_text() == "00bb"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Which, and why."""
    (tmp_path / "trials").write_text("")
    with pytest.raises(RunFolderError, match=r"cannot make .*trials: File exists"):
        TrialStore(tmp_path)


def test_an_outcome_that_cannot_be_written_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """By a message, without a traceback of the trial's process."""
    asked = trials(1, epochs=1)
    (tmp_path / "trials" / asked[0].id / "trial.json").mkdir(parents=True)
    with pytest.raises(GridError, match=r"cannot write .*trial\.json: Is a directory"):
        run_all(tmp_path, asked)
    assert capfd.readouterr().err == ""
