"""A trial is one process's at a time, and free again when that process is dead."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ldl.errors import RunFolderError
from ldl.grid import work
from ldl.grid.leases import STALE, Leases, Owner
from ldl.grid.materials import Materials
from ldl.grid.objective import Objective
from ldl.grid.trial import Trial
from ldl.grid.trial_store import TrialStore
from ldl.grid.work import Task

ID = "0123456789abcdef"


@pytest.fixture
def claims(tmp_path: Path) -> Leases:
    """A folder of claims."""
    return Leases(tmp_path / "claims")


def elsewhere(work: Callable[[], object]) -> int:
    """Do something in another process and wait for its end; its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            code = int(bool(work()))
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def far(claims: Leases, age: float) -> None:
    """A claim by another computer whose last sign of life is `age` seconds old."""
    owner = replace(Owner.of(os.getpid()), host="far", machine="other")
    claims.path(ID).write_text(json.dumps(asdict(owner)))
    os.utime(claims.path(ID), (time.time() - age, time.time() - age))


def test_a_claim_is_had_once(claims: Leases) -> None:
    """Who has it says so; others are refused until it is let go."""
    assert claims.standing(ID) == "free"
    assert claims.take(ID)
    assert claims.standing(ID) == "held" and claims.owner(ID) == Owner.of(os.getpid())
    assert elsewhere(lambda: claims.take(ID)) == 0
    claims.release(ID)
    assert claims.standing(ID) == "free"
    assert elsewhere(lambda: claims.take(ID)) == 1


def test_a_dead_processs_claim_is_taken_over_at_once(claims: Leases) -> None:
    """On this computer a process is known to be dead."""
    assert elsewhere(lambda: claims.take(ID)) == 1
    assert claims.standing(ID) == "dead"
    assert claims.take(ID)
    assert claims.owner(ID) == Owner.of(os.getpid())
    assert [path.name for path in claims.folder.iterdir() if path.name != ".lock"] == [ID]


def test_another_computers_claim_lives_by_its_signs_of_life(claims: Leases) -> None:
    """Its processes cannot be seen from here."""
    far(claims, STALE / 2)
    assert claims.standing(ID) == "held" and not claims.take(ID)
    far(claims, STALE * 2)
    assert claims.standing(ID) == "dead" and claims.take(ID)


@pytest.mark.parametrize("text", ["", "{", '{"pid": 3}'])
def test_a_claim_that_cannot_be_read_lives_by_its_age(claims: Leases, text: str) -> None:
    """A power cut may leave an empty file."""
    claims.path(ID).write_text(text)
    assert claims.standing(ID) == "held" and not claims.take(ID)
    os.utime(claims.path(ID), (time.time() - 2 * STALE,) * 2)
    assert claims.take(ID)


def test_one_of_many_takes_a_dead_claim_over(claims: Leases) -> None:
    """However many come at once."""
    for attempt in range(10):
        id = f"{attempt:016}"
        assert elsewhere(lambda id=id: claims.take(id)) == 1  # type: ignore[misc]
        ready, go = os.pipe()
        pids = []
        for _ in range(6):
            pid = os.fork()
            if pid == 0:
                os.close(go)
                os.read(ready, 1)
                won = claims.take(id)
                time.sleep(0.2 if won else 0.0)  # the winner lives until the others have looked
                os._exit(won)
            pids.append(pid)
        os.close(go)
        won = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        os.close(ready)
        assert sorted(won) == [0, 0, 0, 0, 0, 1]


def test_a_claim_made_in_the_last_moment_is_put_back(
    claims: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes over looks at what was renamed, for the dead one may have been replaced."""
    far(claims, STALE * 2)
    fresh = json.dumps(asdict(Owner.of(os.getppid()))) + "\n"
    rename = Path.rename

    def replaced(self: Path, target: Path) -> Path:
        self.write_text(fresh)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", replaced)
    assert not claims.take(ID)
    assert claims.path(ID).read_text() == fresh


def test_who_was_taken_for_dead_leaves_the_claim_alone(claims: Leases) -> None:
    """It may wake up when another has the trial."""
    far(claims, 0.0)
    claims.release(ID)
    assert not claims.mine(ID) and claims.owner(ID) is not None
    claims.path(ID).unlink()
    assert claims.take(ID) and claims.mine(ID)
    claims.release(ID)
    assert claims.owner(ID) is None


@pytest.mark.parametrize("ending", ["failed", None])
def test_who_was_taken_for_dead_says_nothing_of_the_trial(
    ending: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither how it ended nor that it may be begun again."""
    ledger = TrialStore(tmp_path)
    task = Task(Trial(ID, ID, 1, 0, {}, ""), Objective("validation.loss", "min"))

    def attempt(*rest: object) -> tuple[str | None, str, None]:
        far(ledger.claims, 0.0)
        return ending, "for want of a file", None

    monkeypatch.setattr(work, "_attempt", attempt)
    assert work.work(task, ledger, 1, Materials(), {}) == "taken"
    assert ledger.read_outcome(ID) is None and ledger.claims.owner(ID) is not None


def test_a_trial_that_has_ended_says_so_whoever_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal after the training waits until that is written down."""
    ledger = TrialStore(tmp_path)
    task = Task(Trial(ID, ID, 1, 0, {}, ""), Objective("validation.loss", "min"))

    def attempt(*rest: object) -> tuple[str, str, float]:
        os.kill(os.getpid(), signal.SIGTERM)
        return "completed", "all epochs are done", 0.5

    monkeypatch.setattr(work, "_attempt", attempt)
    assert elsewhere(lambda: work.work(task, ledger, 1, Materials(), {}) == "ended") == 1
    outcome = ledger.read_outcome(ID)
    assert outcome is not None and outcome.status == "completed"


def test_signs_of_life(claims: Leases) -> None:
    """They move the file's time, and say when the claim is lost."""
    assert claims.beat(ID, os.getpid())  # not made yet
    assert claims.take(ID)
    os.utime(claims.path(ID), (0, 0))
    assert claims.beat(ID, os.getpid())
    assert time.time() - claims.path(ID).stat().st_mtime < STALE
    assert not claims.beat(ID, os.getppid())


def test_what_was_killed_in_the_act_is_swept(claims: Leases) -> None:
    """But not what is being made now."""
    for name, age in ((".x.1-aa", 2 * STALE), (".x.2-bb", 0.0)):
        (claims.folder / name).touch()
        os.utime(claims.folder / name, (time.time() - age,) * 2)
    claims.sweep()
    assert [path.name for path in claims.folder.iterdir()] == [".x.2-bb"]


def test_a_folder_that_takes_no_claims_is_told(claims: Leases) -> None:
    """In a line."""
    claims.folder.rmdir()
    with pytest.raises(RunFolderError, match="cannot claim"):
        claims.take(ID)
