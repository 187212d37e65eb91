"""One trial in the process that it has to itself: claim, train, judge, say how it ended."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final, Literal

from ldl.errors import Diverged, Interrupted, InUse, LdlError, RunFolderError
from ldl.grid.materials import Materials
from ldl.grid.objective import Objective
from ldl.grid.training import train
from ldl.grid.trial import Ending, Trial, TrialOutcome
from ldl.grid.trial_store import RETRIED, TrialStore
from ldl.train.signals import DeferredSignals, interrupt_on_signal

Word = Literal["ended", "taken", "stopped", "again"]
WORDS: Final[tuple[Word, ...]] = ("ended", "taken", "stopped", "again")


@dataclass(frozen=True)
class Task:
    """What a worker is asked for; plain data, for it crosses processes as JSON."""

    trial: Trial
    objective: Objective
    retry: int = 0
    timeout: float | None = None  # seconds
    checkpoints: bool = False  # whether they stay when the trial is completed
    before: TrialOutcome | None = None  # how it ended in an earlier call, to be taken back

    def to_dict(self) -> dict[str, Any]:
        """In JSON's types."""
        return {
            "trial": self.trial.to_dict(),
            "objective": self.objective.to_dict(),
            "retry": self.retry,
            "timeout": self.timeout,
            "checkpoints": self.checkpoints,
            "before": self.before.to_dict() if self.before else None,
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Task:
        """What `to_dict` gave."""
        before = found["before"]
        return cls(
            Trial.from_dict(found["trial"]),
            Objective.from_dict(found["objective"]),
            found["retry"],
            found["timeout"],
            found["checkpoints"],
            TrialOutcome.from_dict(before) if before else None,
        )


def work(
    task: Task,
    ledger: TrialStore,
    attempt: int,
    materials: Materials,
    environment: Mapping[str, Any],
) -> Word:
    """Do a trial if nobody else does: "ended", "taken" by another process, "stopped" by a signal.

    "again" after a failure that may be tried again. Only for a process of its own: signals and the
    arrays of the data set are its to change.
    """
    # outside of training, signals wait until a finished trial is recorded
    with DeferredSignals() as asked:
        return _work(task, ledger, attempt, materials, environment, asked)


def _work(
    task: Task, ledger: TrialStore, attempt: int, materials: Materials,
    environment: Mapping[str, Any], asked: DeferredSignals,
) -> Word:  # fmt: skip
    id = task.trial.id
    if not ledger.claims.take(id):
        return "taken"
    try:
        found = ledger.read_outcome(id)
        if found is not None and found != task.before:
            return "ended"
        if found is not None:
            ledger.forget(found)
        began = time.monotonic()
        if asked.caught is not None:
            return "stopped"
        with _time_limit(task.timeout) as expired:
            ending, reason, figure = _attempt(task, ledger, materials, environment)
        if not ledger.claims.mine(id):
            return "taken"
        if ending is None:
            if not expired():
                return "stopped"
            ending, reason = "timeout", f"took longer than {task.timeout:g} s"
        if ending in RETRIED and attempt <= task.retry:
            return "again"
        spent = time.monotonic() - began
        ledger.end(outcome(ledger, id, ending, reason, figure, attempt, spent))
        return "ended"
    except InUse:  # a process whose claim was taken for dead is not quite gone
        return "taken"
    finally:
        ledger.claims.release(id)


def outcome(
    ledger: TrialStore, id: str, ending: Ending, reason: str, figure: float | None, attempt: int,
    seconds: float,
) -> TrialOutcome:  # fmt: skip
    """How a trial ended; `seconds` are this attempt's, where its folder does not say more."""
    epochs, worker = 0, f"{os.uname().nodename}:{os.getpid()}"
    with suppress(RunFolderError):
        status = ledger.run(id).read_status()
        epochs, seconds = status.epoch or 0, status.seconds or seconds
    return TrialOutcome(id, ending, reason, figure, epochs, round(seconds, 3), attempt, worker)


def _attempt(
    task: Task, ledger: TrialStore, materials: Materials, environment: Mapping[str, Any]
) -> tuple[Ending | None, str, float | None]:
    """Train and judge: how that ended, why, and the objective; no ending after a signal.

    Raises InUse.
    """
    try:
        with interrupt_on_signal():
            reason, figure = train(
                ledger, task.trial, task.objective, materials, environment, task.checkpoints
            )
    except Interrupted as error:
        return None, str(error), None
    except Diverged as error:
        return "diverged", str(error), None
    except InUse:
        raise
    except MemoryError as error:
        return "memory", str(error) or "out of memory", None
    except LdlError as error:
        return "failed", str(error), None
    except Exception as error:
        ending: Ending = "memory" if getattr(error, "errno", 0) == errno.ENOMEM else "failed"
        return ending, f"{type(error).__name__}: {error}", None
    return "completed", reason, figure


@contextmanager
def _time_limit(seconds: float | None) -> Iterator[Callable[[], bool]]:
    """After so many seconds this process gets SIGTERM; gives whether it has come to that."""
    expired = False

    def expire(number: int, frame: FrameType | None) -> None:
        nonlocal expired
        expired = True
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds or 0.0)
    try:
        yield lambda: expired
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
