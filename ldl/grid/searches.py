"""The searches, which ask for trials: a fixed list, successive halving, and Optuna's TPE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from ldl.engine.averaging import Swa
from ldl.engine.schedules import Schedule, StepCount, Warmup
from ldl.grid.block import Tpe
from ldl.grid.candidates import Candidate
from ldl.grid.objective import Objective
from ldl.grid.space import Assignment, SearchAxis, SearchSpace, draw
from ldl.grid.trial import Trial, TrialFactory, TrialOutcome

if TYPE_CHECKING:
    import optuna


PROBE_STEPS: Final = 97  # of an epoch, to probe a schedule
MAX_PROPOSALS: Final = 50  # proposals without a new candidate, before one is drawn at random


class GridSearch:
    """Asks for the trials of all its candidates at once; also the search `random`."""

    def __init__(self, candidates: Sequence[Candidate], factory: TrialFactory) -> None:
        self._candidates, self._factory = list(candidates), factory

    def ask(self, finished: Sequence[TrialOutcome]) -> list[Trial]:
        """All trials in the first call, then none."""
        candidates, self._candidates = self._candidates, []
        return [trial for candidate in candidates for trial in self._factory.trials(candidate)]


class Scores:
    """The mean objective of each candidate over its seeds."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self._outcomes: dict[str, TrialOutcome] = {}

    def add(self, finished: Iterable[TrialOutcome]) -> None:
        """Add outcomes; a second outcome of a trial replaces the first."""
        self._outcomes |= {outcome.id: outcome for outcome in finished}

    def all_finished(self, trials: Iterable[Trial]) -> bool:
        """Whether the outcome of each trial is known."""
        return all(trial.id in self._outcomes for trial in trials)

    def mean(self, trials: Sequence[Trial]) -> float | None:
        """The mean over the trials of one candidate; None where one of them has no objective."""
        values = [self._outcomes[trial.id].objective for trial in trials]
        numbers = [value for value in values if value is not None]
        return sum(numbers) / len(numbers) if numbers and len(numbers) == len(values) else None


class SuccessiveHalving:
    """After each round the best 1/eta of the candidates train eta times longer.

    Candidates without an objective stop; equal ones are taken in the order of their numbers.
    """

    def __init__(
        self, candidates: Sequence[Candidate], round_epochs: Sequence[int], eta: int,
        factory: TrialFactory, objective: Objective,
    ) -> None:  # fmt: skip
        self._candidates, self._round_epochs, self._eta = candidates, round_epochs, eta
        self._factory = factory
        self._scores = Scores(objective)
        self._number = 0  # candidates so far, those of later rounds included
        self._round = 0  # rounds that have started
        self._current: list[tuple[Candidate, list[Trial]]] = []

    def ask(self, finished: Sequence[TrialOutcome]) -> list[Trial]:
        """The first round, and each further one when all trials of the one before have finished."""
        self._scores.add(finished)
        if not self._round:
            return self._start([(candidate, None) for candidate in self._candidates])
        trials = [trial for _, trials in self._current for trial in trials]
        if self._round >= len(self._round_epochs) or not self._scores.all_finished(trials):
            return []
        scored = [(candidate, self._scores.mean(trials)) for candidate, trials in self._current]
        scored.sort(key=lambda pair: self._scores.objective.sort_key(pair[1]))
        count = survivors(self._round, len(self._candidates), self._eta)
        best = [candidate for candidate, score in scored if score is not None][:count]
        return self._start([(c, c if continues(c) else None) for c in best])

    def _start(self, pairs: Sequence[tuple[Candidate, Candidate | None]]) -> list[Trial]:
        """The trials of the next round: of candidates, each with the one that it continues."""
        epochs = self._round_epochs[self._round]
        self._round += 1
        self._current = []
        for candidate, predecessor in pairs:
            self._number += 1
            longer = candidate.for_epochs(self._number, epochs)
            self._current.append((longer, self._factory.trials(longer, predecessor)))
        return [trial for _, trials in self._current for trial in trials]


def survivors(round_index: int, candidates: int, eta: int) -> int:
    """⌊n / ηⁱ⌋, at least 1: the candidates in round i, counted from 0, of n at the start."""
    return max(1, candidates // int(eta**round_index))


def continues(candidate: Candidate) -> bool:
    """Whether a longer training of the candidate continues from the checkpoint of a shorter one."""
    config = candidate.config
    return horizon_independent(config.schedule) and not isinstance(config.train.average, Swa)


def horizon_independent(schedule: Schedule | None) -> bool:
    """Whether the learning rate at a step is the same for every length of the training."""
    if schedule is None:
        return True
    if isinstance(schedule, Warmup):  # its successor begins after the steps that are probed
        return horizon_independent(schedule.then)
    short, long = StepCount(PROBE_STEPS, 3 * PROBE_STEPS), StepCount(PROBE_STEPS, 30 * PROBE_STEPS)
    state: Any = schedule.start()
    return all(
        schedule.rate(1.0, step, short, state) == schedule.rate(1.0, step, long, state)
        for step in range(3 * PROBE_STEPS)
    )


class TpeSearch:
    """Candidates from Optuna's tree-structured Parzen estimator, proposed in fixed batches.

    Optuna learns the results of a batch in the order of its candidates, so that its proposals
    depend on results alone, not on their times. A candidate that failed counts as the worst
    objective so far.
    """

    def __init__(
        self, search: Tpe, space: SearchSpace,
        resolve: Callable[[int, Assignment], Candidate | None],
        factory: TrialFactory, objective: Objective, included: Sequence[Candidate] = (),
    ) -> None:  # fmt: skip
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        seed = factory.seeds[0]
        sampler = optuna.samplers.TPESampler(seed=seed % 2**32)
        self._study = optuna.create_study(
            direction="minimize" if objective.goal == "min" else "maximize", sampler=sampler
        )
        self._search, self._space, self._resolve = search, space, resolve
        self._factory = factory
        self._scores = Scores(objective)
        self._included = list(included)
        self._random: Iterator[Assignment] = draw(space, seed)
        self._digests = {candidate.digest for candidate in included}
        self._proposed = 0
        self._number = 0  # candidates so far, the included ones among them
        self._worst: float | None = None
        self._batch: list[tuple[optuna.Trial | None, list[Trial]]] = []

    def ask(self, finished: Sequence[TrialOutcome]) -> list[Trial]:
        """The next batch, when all trials of the one before have finished."""
        self._scores.add(finished)
        if not self._scores.all_finished(trial for _, trials in self._batch for trial in trials):
            return []
        self._report()
        self._batch = [(None, self._factory.trials(candidate)) for candidate in self._included]
        self._number += len(self._included)
        self._included = []
        while len(self._batch) < self._search.batch and self._proposed < self._search.trials:
            if not self._propose():
                self._proposed = self._search.trials
        return [trial for _, trials in self._batch for trial in trials]

    def _report(self) -> None:
        """Tell Optuna the results of the last batch."""
        from optuna.trial import TrialState

        scores = [self._scores.mean(trials) for _, trials in self._batch]
        numbers = [score for score in (*scores, self._worst) if score is not None]
        self._worst = max(numbers, key=self._scores.objective.sort_key) if numbers else None
        for (proposal, _), score in zip(self._batch, scores, strict=True):
            value = self._worst if score is None else score
            if proposal is not None and value is None:
                self._study.tell(proposal, state=TrialState.FAIL)
            elif proposal is not None:
                self._study.tell(proposal, value)

    def _propose(self) -> bool:
        """Add a new candidate to the batch; False where there is none left."""
        from optuna.trial import TrialState

        for _ in range(MAX_PROPOSALS):
            proposal = self._study.ask()
            if self._add(self._space.at(self._rows(proposal)), proposal):
                return True
            self._study.tell(proposal, state=TrialState.FAIL)
        return any(self._add(assignment, None) for assignment in self._random)

    def _add(self, assignment: Assignment | None, proposal: optuna.Trial | None) -> bool:
        """Add the candidate to the batch, if it is sound and new."""
        if assignment is None:
            return False
        candidate = self._resolve(self._number + 1, assignment)
        if candidate is None or candidate.digest in self._digests:
            return False
        self._digests.add(candidate.digest)
        self._number += 1
        self._proposed += 1
        self._batch.append((proposal, self._factory.trials(candidate)))
        return True

    def _rows(self, proposal: optuna.Trial) -> tuple[int, ...]:
        """A row of each axis; the first, without a proposal, where `when` rules an axis out."""
        axes = self._space.axes
        rows: dict[int, int] = {}
        values: Assignment = {}
        axis_of = {key.name: i for i, axis in enumerate(axes) for key in axis.keys}

        def choose(i: int) -> None:
            """Choose the row of axis i, after those that its conditions depend on."""
            rows[i] = 0
            for key in axes[i].keys:
                for other in self._space.when.get(key.name, ()):
                    if axis_of[other] not in rows:
                        choose(axis_of[other])
            names = [key.name for key in axes[i].keys]
            values.update(zip(names, axes[i].rows[0], strict=True))
            if self._space.active(values).isdisjoint(names):
                return
            rows[i] = _suggest(proposal, axes[i])
            values.update(zip(names, axes[i].rows[rows[i]], strict=True))

        for i in range(len(axes)):
            if i not in rows:
                choose(i)
        return tuple(rows[i] for i in range(len(axes)))


def _suggest(proposal: optuna.Trial, axis: SearchAxis) -> int:
    """A row: an integer where the values are ordered numbers, else a category."""
    name, count = ",".join(key.name for key in axis.keys), len(axis.rows)
    if axis.ordered:
        return proposal.suggest_int(name, 0, count - 1)
    row: Any = proposal.suggest_categorical(name, list(range(count)))
    return int(row)
