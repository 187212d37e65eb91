"""How a grid is run, and who is told how it goes; nothing here changes a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ldl.grid.trial import Trial, TrialOutcome


@dataclass(frozen=True)
class Options:
    """What `ldl grid` is asked for."""

    jobs: int | None = None  # workers at once; None: the cores that there are
    retry: int = 0  # how often a trial that crashed, was killed or ran over is tried again
    retry_failed: bool = False  # try again what an earlier call left as failed
    fail_fast: bool = False  # start nothing new once a trial has failed
    trial_timeout: float | None = None  # seconds
    dask: str | None = None  # the address of a scheduler, or "local"


@dataclass(frozen=True)
class Progress:
    """How a grid stands."""

    total: int  # trials asked for so far
    done: int  # ended, those of earlier calls among them
    found: int  # of those, how many had ended before this call
    running: int
    failed: int
    best: float | None  # the best objective of a trial
    best_values: Mapping[str, object]  # and its setting
    seconds: float  # since this call began
    left: float | None  # seconds, estimated; None while nothing is known


class Watch(Protocol):
    """Who is told how a grid goes; called from one thread, a few times a second at most."""

    def progress(self, now: Progress) -> None:
        """How it stands."""

    def ended(self, trial: Trial, outcome: TrialOutcome) -> None:
        """A trial has ended, here or in another process on the same folder."""

    def note(self, text: str) -> None:
        """Something that a person should know."""


@dataclass(frozen=True)
class Summary:
    """How a call ended; the exit code is 3 where `failed` is not 0."""

    completed: int
    diverged: int
    failed: int  # failed, killed, out of time or memory
    waiting: int  # asked for, not ended: after --fail-fast or a signal
    best: str | None = None  # the id of the best trial
    seconds: float = 0.0
