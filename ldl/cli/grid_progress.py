"""Progress of `ldl grid` on stderr."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ldl.cli.display import PLAIN_INTERVAL, PLAIN_LINES, Display
from ldl.cli.output import format_duration, format_number, log

if TYPE_CHECKING:
    from ldl.grid.grid_plan import GridProgress
    from ldl.grid.trial import Trial, TrialOutcome


class GridDisplay(Display):
    """A live line on a terminal, an occasional plain line elsewhere; failures in a line each."""

    def __init__(self, objective: str, quiet: bool = False) -> None:
        super().__init__(quiet)
        self.objective = objective
        self.best: Mapping[str, object] = {}  # the values of the best trial so far
        self._printed = 0  # trials done at the last plain line

    def progress(self, now: GridProgress) -> None:
        """Show how many trials are done, how long the rest will take, and the best trial."""
        self.best = now.best_values
        head = f"trial {now.done}/{now.total}"
        if self.live:
            self._update(head, now.done, now.total, self._grid_details(now))
        elif not self.quiet and self._grid_line_is_due(now):
            self._printed, self._last_update = now.done, time.monotonic()
            log(f"{head}  {self._grid_details(now)}")

    def ended(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Print a trial that did not complete, with the reason."""
        from ldl.grid.labels import describe_values

        if outcome.status != "completed" and not self.quiet:
            name = f"trial {trial.id}, {describe_values(trial.values)}, seed {trial.seed}"
            self._print(f"{outcome.status}: {name}: {outcome.reason}")

    def note(self, text: str) -> None:
        """Print a note, unless quiet."""
        if not self.quiet:
            super().note(text)

    def _grid_line_is_due(self, now: GridProgress) -> bool:
        """True at the end, after a twentieth of this call's trials, and after ten seconds."""
        if now.done == self._printed:
            return False
        interval = max(1, (now.total - now.already_done) // PLAIN_LINES)
        is_late = time.monotonic() - self._last_update > PLAIN_INTERVAL
        return now.done == now.total or now.done - self._printed >= interval or is_late

    def _grid_details(self, now: GridProgress) -> str:
        """Remaining time, best objective, trials running and failed, values of the best trial."""
        from ldl.grid.labels import describe_values

        details = [f"{format_duration(now.seconds_left)} left"] if now.seconds_left else []
        if now.best is not None:
            details.append(f"best {self.objective} {format_number(now.best)}")
        details.append(f"{now.running} running")
        if now.failed:
            details.append(f"{now.failed} failed")
        if now.best is not None:
            details.append(describe_values(now.best_values, 20))
        return self._join(details, f"trial {now.total}/{now.total}")
