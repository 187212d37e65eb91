"""`search: tpe`: settings from Optuna's tree-structured Parzen estimator, in fixed batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ldl.grid.block import Tpe
from ldl.grid.objective import Objective
from ldl.grid.resolve import Candidate
from ldl.grid.searches import Scores, drawn
from ldl.grid.space import Assignment, Axis, Space
from ldl.grid.trial import Trial, TrialFactory, TrialOutcome

if TYPE_CHECKING:
    import optuna

TRIES = 50  # proposals that bring nothing new, before a random setting is taken


class Proposed:
    """Asks a batch at a time, and tells Optuna a batch's results in the order of its numbers.

    So what is asked next depends on results, and not on when they came. A setting that failed is
    told as the worst figure so far: where it lies, nothing better is to be expected.
    """

    def __init__(
        self, search: Tpe, space: Space, settle: Callable[[int, Assignment], Candidate | None],
        maker: TrialFactory, objective: Objective, first: Sequence[Candidate] = (),
    ) -> None:  # fmt: skip
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        seed = maker.seeds[0]
        sampler = optuna.samplers.TPESampler(seed=seed % 2**32)
        self._study = optuna.create_study(
            direction="minimize" if objective.goal == "min" else "maximize", sampler=sampler
        )
        self._search, self._space, self._settle, self._maker = search, space, settle, maker
        self._scores = Scores(objective)
        self._first = list(first)
        self._others: Iterator[Assignment] = drawn(space, seed)
        self._seen = {setting.digest for setting in first}
        self._asked = 0
        self._number = 0
        self._worst: float | None = None
        self._batch: list[tuple[optuna.Trial | None, list[Trial]]] = []

    def ask(self, finished: Sequence[TrialOutcome]) -> list[Trial]:
        """The next batch, when all of the one before has ended."""
        self._scores.tell(finished)
        if not self._scores.known(trial for _, own in self._batch for trial in own):
            return []
        self._tell()
        self._batch = [(None, self._maker.trials(setting)) for setting in self._first]
        self._number += len(self._first)
        self._first = []
        while len(self._batch) < self._search.batch and self._asked < self._search.trials:
            if not self._propose():
                self._asked = self._search.trials
        return [trial for _, own in self._batch for trial in own]

    def _tell(self) -> None:
        """Optuna hears what came of the last batch."""
        from optuna.trial import TrialState

        rank = self._scores.objective.sort_key
        figures = [self._scores.of(own) for _, own in self._batch]
        known = [figure for figure in (*figures, self._worst) if figure is not None]
        self._worst = max(known, key=rank) if known else None
        for (proposal, _), figure in zip(self._batch, figures, strict=True):
            told = self._worst if figure is None else figure
            if proposal is not None and told is None:
                self._study.tell(proposal, state=TrialState.FAIL)
            elif proposal is not None:
                self._study.tell(proposal, told)

    def _propose(self) -> bool:
        """Add a setting to the batch that was not asked before; False where there is none left."""
        from optuna.trial import TrialState

        for _ in range(TRIES):
            proposal = self._study.ask()
            if self._take(self._space.at(self._rows(proposal)), proposal):
                return True
            self._study.tell(proposal, state=TrialState.FAIL)
        return any(self._take(chosen, None) for chosen in self._others)

    def _take(self, chosen: Assignment | None, proposal: optuna.Trial | None) -> bool:
        if chosen is None:
            return False
        setting = self._settle(self._number + 1, chosen)
        if setting is None or setting.digest in self._seen:
            return False
        self._seen.add(setting.digest)
        self._number += 1
        self._asked += 1
        self._batch.append((proposal, self._maker.trials(setting)))
        return True

    def _rows(self, proposal: optuna.Trial) -> tuple[int, ...]:
        """A row of each axis; the first, unasked, where `when` rules an axis out."""
        rows: dict[int, int] = {}
        given: Assignment = {}
        homes = {key.name: i for i, axis in enumerate(self._space.axes) for key in axis.keys}

        def decide(i: int) -> None:
            axis = self._space.axes[i]
            rows[i] = 0
            for key in axis.keys:
                for other in self._space.when.get(key.name, ()):
                    if homes[other] not in rows:
                        decide(homes[other])
            names = [key.name for key in axis.keys]
            given.update(zip(names, axis.rows[0], strict=True))
            if self._space.active(given).isdisjoint(names):
                return
            rows[i] = _suggest(proposal, axis)
            given.update(zip(names, axis.rows[rows[i]], strict=True))

        for i in range(len(self._space.axes)):
            if i not in rows:
                decide(i)
        return tuple(rows[i] for i in range(len(self._space.axes)))


def _suggest(proposal: optuna.Trial, axis: Axis) -> int:
    """A row: numbers that grow or fall keep their order, other values are apart."""
    name, count = ",".join(key.name for key in axis.keys), len(axis.rows)
    if axis.ordered:
        return proposal.suggest_int(name, 0, count - 1)
    chosen: Any = proposal.suggest_categorical(name, list(range(count)))
    return int(chosen)
