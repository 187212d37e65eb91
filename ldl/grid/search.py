"""Which trials a search asks for, given what has come out: the `Search` protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ldl.grid.trial import Trial, TrialOutcome


class Search(Protocol):
    """Asks for trials, given the outcomes of those it asked for before.

    What it asks for depends on the outcomes alone, not on when or in which order they are told.
    """

    def ask(self, finished: Sequence[TrialOutcome]) -> list[Trial]:
        """The next trials, in the order to start them; outcomes may be told more than once.

        Empty while it waits for outcomes, and when all it asked for has ended: then it is over.
        """
