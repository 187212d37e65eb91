"""One process holds the lease of a trial; the lease expires when that process dies."""

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
from ldl.grid.leases import EXPIRY, LeaseOwner, Leases
from ldl.grid.objective import Objective
from ldl.grid.trial import Trial
from ldl.grid.trial_store import TrialStore
from ldl.grid.trial_worker import TrialWorker, trial_task, worker_arguments

ID = "0123456789abcdef"
TASK = trial_task(Trial(ID, ID, 1, 0, {}, ""))


@pytest.fixture
def leases(tmp_path: Path) -> Leases:
    """A folder of leases."""
    return Leases(tmp_path / "claims")


def trial_worker(folder: Path) -> TrialWorker:
    """A worker for the trials of a grid folder."""
    return TrialWorker(**worker_arguments(folder, Objective("validation.loss", "min")))


def in_child(function: Callable[[], object]) -> int:
    """Call a function in another process; 1 where its result is true, else 0."""
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            code = int(bool(function()))
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def remote_lease(leases: Leases, age: float) -> None:
    """Write a lease of another computer whose last heartbeat is `age` seconds old."""
    owner = replace(LeaseOwner.of(os.getpid()), host="far", machine="other")
    leases.path(ID).write_text(json.dumps(asdict(owner)))
    os.utime(leases.path(ID), (time.time() - age, time.time() - age))


def test_one_process_holds_a_lease(leases: Leases) -> None:
    """Other processes cannot acquire it until it is released."""
    assert leases.status(ID) == "free"
    assert leases.acquire(ID)
    assert leases.status(ID) == "held" and leases.owner(ID) == LeaseOwner.of(os.getpid())
    assert in_child(lambda: leases.acquire(ID)) == 0
    leases.release(ID)
    assert leases.status(ID) == "free"
    assert in_child(lambda: leases.acquire(ID)) == 1


def test_the_lease_of_a_dead_process_is_taken_over_at_once(leases: Leases) -> None:
    """The processes of this computer can be seen."""
    assert in_child(lambda: leases.acquire(ID)) == 1
    assert leases.status(ID) == "expired"
    assert leases.acquire(ID)
    assert leases.owner(ID) == LeaseOwner.of(os.getpid())
    assert [path.name for path in leases.folder.iterdir() if path.name != ".lock"] == [ID]


def test_a_lease_of_another_computer_lives_by_its_heartbeats(leases: Leases) -> None:
    """The processes of another computer cannot be seen."""
    remote_lease(leases, EXPIRY / 2)
    assert leases.status(ID) == "held" and not leases.acquire(ID)
    remote_lease(leases, EXPIRY * 2)
    assert leases.status(ID) == "expired" and leases.acquire(ID)


@pytest.mark.parametrize("text", ["", "{", '{"pid": 3}'])
def test_an_unreadable_lease_lives_by_its_age(leases: Leases, text: str) -> None:
    """A power cut may leave an empty file."""
    leases.path(ID).write_text(text)
    assert leases.status(ID) == "held" and not leases.acquire(ID)
    os.utime(leases.path(ID), (time.time() - 2 * EXPIRY,) * 2)
    assert leases.acquire(ID)


def test_one_of_many_takes_an_expired_lease_over(leases: Leases) -> None:
    """However many processes try at once."""
    for attempt in range(10):
        id = f"{attempt:016}"
        assert in_child(lambda id=id: leases.acquire(id)) == 1  # type: ignore[misc]
        ready, go = os.pipe()
        pids = []
        for _ in range(6):
            pid = os.fork()
            if pid == 0:
                os.close(go)
                os.read(ready, 1)
                won = leases.acquire(id)
                time.sleep(0.2 if won else 0.0)  # the winner lives until the others have looked
                os._exit(won)
            pids.append(pid)
        os.close(go)
        won = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        os.close(ready)
        assert sorted(won) == [0, 0, 0, 0, 0, 1]


def test_a_lease_created_during_a_takeover_is_put_back(
    leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A takeover checks the lease that it renamed: it may be a new one."""
    remote_lease(leases, EXPIRY * 2)
    fresh = json.dumps(asdict(LeaseOwner.of(os.getppid()))) + "\n"
    rename = Path.rename

    def replaced(self: Path, target: Path) -> Path:
        self.write_text(fresh)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", replaced)
    assert not leases.acquire(ID)
    assert leases.path(ID).read_text() == fresh


def test_an_owner_whose_lease_expired_leaves_the_new_lease_alone(leases: Leases) -> None:
    """It may wake up when another process has the trial."""
    remote_lease(leases, 0.0)
    leases.release(ID)
    assert not leases.is_held(ID) and leases.owner(ID) is not None
    leases.path(ID).unlink()
    assert leases.acquire(ID) and leases.is_held(ID)
    leases.release(ID)
    assert leases.owner(ID) is None


@pytest.mark.parametrize("ending", ["failed", None])
def test_an_owner_whose_lease_expired_records_no_outcome(
    ending: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an outcome nor a retry."""
    store = TrialStore(tmp_path)
    worker = trial_worker(tmp_path)

    def attempt(*rest: object) -> tuple[str | None, str, None]:
        remote_lease(store.leases, 0.0)
        return ending, "for want of a file", None

    monkeypatch.setattr(worker, "_attempt", attempt)
    assert worker.run(TASK, 1)[0] == "leased_elsewhere"
    assert store.read_outcome(ID) is None and store.leases.owner(ID) is not None


def test_a_trial_that_has_ended_is_recorded_in_spite_of_a_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal after the training waits until the outcome is written."""
    store = TrialStore(tmp_path)
    worker = trial_worker(tmp_path)

    def attempt(*rest: object) -> tuple[str, str, float]:
        os.kill(os.getpid(), signal.SIGTERM)
        return "completed", "all epochs are done", 0.5

    monkeypatch.setattr(worker, "_attempt", attempt)
    assert in_child(lambda: worker.run(TASK, 1)[0] == "finished") == 1
    outcome = store.read_outcome(ID)
    assert outcome is not None and outcome.status == "completed"


def test_heartbeats(leases: Leases) -> None:
    """They renew the time of the file, and say when the lease is lost."""
    assert leases.heartbeat(ID, os.getpid())  # not made yet
    assert leases.acquire(ID)
    os.utime(leases.path(ID), (0, 0))
    assert leases.heartbeat(ID, os.getpid())
    assert time.time() - leases.path(ID).stat().st_mtime < EXPIRY
    assert not leases.heartbeat(ID, os.getppid())


def test_temporary_files_of_killed_processes_are_removed(leases: Leases) -> None:
    """But not those of processes at work."""
    for name, age in ((".x.1-aa", 2 * EXPIRY), (".x.2-bb", 0.0)):
        (leases.folder / name).touch()
        os.utime(leases.folder / name, (time.time() - age,) * 2)
    leases.remove_temporary_files()
    assert [path.name for path in leases.folder.iterdir()] == [".x.2-bb"]


def test_a_folder_without_leases_is_an_error(leases: Leases) -> None:
    """With one message."""
    leases.folder.rmdir()
    with pytest.raises(RunFolderError, match="cannot lease"):
        leases.acquire(ID)
