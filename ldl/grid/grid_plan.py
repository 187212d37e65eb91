"""What a grid run needs and gives: the plan, the search protocol, options, progress, summary."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ldl.grid.objective import Objective
    from ldl.grid.trial import Trial, TrialOutcome


class Search(Protocol):
    """Asks for trials, given the outcomes of those it asked for before.

    What it asks for depends on the outcomes alone, not on their order or time of arrival.
    """

    def ask(self, finished: Sequence[TrialOutcome]) -> list[Trial]:
        """The next trials, in the order to start them; an outcome may be passed more than once.

        Empty while the search waits for outcomes, and at its end: when nothing is outstanding.
        """


@dataclass(frozen=True)
class GridPlan:
    """A checked grid that is ready to run; `search` gives its trials."""

    name: str  # of the experiment
    objective: Objective
    seeds: int  # trials of each candidate
    keys: tuple[str, ...]  # the varied keys: columns of plan.csv and results.csv
    base_digest: str  # SHA-256 of the configuration without its grid block, and of the objective
    source: str = field(repr=False)  # the text of the configuration file
    search: Search = field(repr=False)
    method: str = "grid"  # or random, halving, tpe
    max_trials: int | None = None  # None where no bound is known
    notes: tuple[str, ...] = ()
    keep_checkpoints: bool = False  # whether trials continue from those of completed ones


@dataclass(frozen=True)
class GridOptions:
    """The options of `ldl grid`; none of them changes a result."""

    jobs: int | None = None  # workers at once; None: one for each usable core
    retry: int = 0  # how often a trial that failed, was killed or ran over is tried again
    retry_failed: bool = False  # try again what an earlier call left as failed
    fail_fast: bool = False  # start nothing new once a trial has failed
    trial_timeout: float | None = None  # seconds
    dask: str | None = None  # the address of a scheduler, or "local"


@dataclass(frozen=True)
class GridProgress:
    """The state of a grid that runs."""

    total: int  # trials asked for so far
    done: int  # finished, those of earlier calls among them
    already_done: int  # of those, how many had finished before this call
    running: int
    failed: int
    best: float | None  # the best objective of a trial
    best_values: Mapping[str, object]  # and the values of its varied keys
    seconds: float  # since this call began
    seconds_left: float | None  # estimated; None where nothing is known


@dataclass(frozen=True)
class GridSummary:
    """How a call of `ldl grid` ended; the exit code is 3 where `failed` is not 0."""

    completed: int
    diverged: int
    failed: int  # failed, killed, out of time or memory
    waiting: int  # asked for and not finished: after --fail-fast or a signal
    best: str | None = None  # the id of the best trial
    seconds: float = 0.0


class GridCallbacks(Protocol):
    """Receives the events of a grid run; called from one thread, a few times a second at most."""

    def progress(self, now: GridProgress) -> None:
        """The state has changed."""

    def ended(self, trial: Trial, outcome: TrialOutcome) -> None:
        """A trial has finished, here or in another process on the same folder."""

    def note(self, text: str) -> None:
        """Something that a person should know."""
