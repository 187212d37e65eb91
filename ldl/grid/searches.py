"""The searches: all settings, some drawn ones, successive halving. `tpe` has a file of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ldl.engine.schedules import Clock, Schedule, Warmup
from ldl.engine.streams import stream
from ldl.grid.block import Halving
from ldl.grid.objective import Objective
from ldl.grid.resolve import Candidate
from ldl.grid.space import Assignment, Space
from ldl.grid.trial import Trial, TrialFactory, TrialOutcome

ENUMERATED = 200_000  # combinations that are shuffled as a whole
STEPS = 97  # an epoch, for the question whether a schedule looks at the training's length


class Listed:
    """All settings that are known beforehand, at once."""

    def __init__(self, settings: Sequence[Candidate], maker: TrialFactory) -> None:
        self._settings, self._maker = list(settings), maker

    def ask(self, finished: Sequence[TrialOutcome]) -> list[Trial]:
        """All trials, and then none."""
        settings, self._settings = self._settings, []
        return [trial for setting in settings for trial in self._maker.trials(setting)]


class Scores:
    """The mean objective of each setting over its seeds."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self._outcomes: dict[str, TrialOutcome] = {}

    def tell(self, finished: Iterable[TrialOutcome]) -> None:
        """Take note of outcomes; a second one of the same trial replaces the first."""
        self._outcomes |= {outcome.id: outcome for outcome in finished}

    def known(self, trials: Iterable[Trial]) -> bool:
        """Whether all of the trials have ended."""
        return all(trial.id in self._outcomes for trial in trials)

    def of(self, trials: Sequence[Trial]) -> float | None:
        """The mean over the trials of one setting; None where one has no figure."""
        figures = [self._outcomes[trial.id].objective for trial in trials]
        known = [figure for figure in figures if figure is not None]
        return sum(known) / len(known) if known and len(known) == len(figures) else None


class Rounds:
    """Successive halving: after each round the best 1/eta of the settings train eta times longer.

    Settings without a figure come last, equal ones in the order of their numbers.
    """

    def __init__(
        self, settings: Sequence[Candidate], lengths: Sequence[int], eta: int, maker: TrialFactory,
        objective: Objective,
    ) -> None:  # fmt: skip
        self._first, self._lengths, self._eta, self._maker = settings, lengths, eta, maker
        self._scores = Scores(objective)
        self._number = 0
        self._round = 0
        self._pairs: list[tuple[Candidate, list[Trial]]] = []

    def ask(self, finished: Sequence[TrialOutcome]) -> list[Trial]:
        """The first round, and each further one when all of the one before has ended."""
        self._scores.tell(finished)
        if not self._round:
            return self._start(self._first, [None] * len(self._first))
        trials = [trial for _, own in self._pairs for trial in own]
        if self._round >= len(self._lengths) or not self._scores.known(trials):
            return []
        rank = self._scores.objective.sort_key
        order = sorted(self._pairs, key=lambda pair: rank(self._scores.of(pair[1])))
        alive = [setting for setting, own in order if self._scores.of(own) is not None]
        kept = alive[: kept_in(self._round, len(self._first), self._eta)]
        goes_on = [each if steady(each.schedule) else None for each in kept]
        return self._start(kept, goes_on)

    def _start(
        self, settings: Sequence[Candidate], before: Sequence[Candidate | None]
    ) -> list[Trial]:
        length = self._lengths[self._round]
        self._round += 1
        self._pairs = []
        for setting, earlier in zip(settings, before, strict=True):
            self._number += 1
            own = setting.for_epochs(self._number, length)
            self._pairs.append((own, self._maker.trials(own, earlier)))
        return [trial for _, own in self._pairs for trial in own]


def kept_in(number: int, settings: int, eta: int) -> int:
    """Settings in a round, counted from 0: ⌊n / ηⁱ⌋, at least one."""
    return max(1, settings // int(eta**number))


def lengths(search: Halving, settings: int, epochs: int) -> list[int]:
    """Epochs of each round, η times those before, the last ones `epochs`."""
    if search.epochs is not None:
        made = [search.epochs]
        while made[-1] * search.eta < epochs:
            made.append(made[-1] * search.eta)
        return [*made, epochs] if made[-1] < epochs else made
    rounds = 0
    while search.eta ** (rounds + 1) <= settings:
        rounds += 1
    made = [max(1, epochs // search.eta**i) for i in range(rounds, -1, -1)]
    return sorted(set(made))


def steady(schedule: Schedule | None) -> bool:
    """Whether a longer training begins just as a shorter one, so that it can go on from there."""
    if schedule is None:
        return True
    if isinstance(schedule, Warmup):  # what comes after it would not be seen below
        return steady(schedule.then)
    short, long = Clock(STEPS, 3 * STEPS), Clock(STEPS, 30 * STEPS)
    state: Any = schedule.start()
    return all(
        schedule.rate(1.0, step, short, state) == schedule.rate(1.0, step, long, state)
        for step in range(3 * STEPS)
    )


def drawn(space: Space, seed: int) -> Iterator[Assignment]:
    """The settings of `include`, then all others in random order, none twice."""
    yield from space.include
    rng = stream(seed, "grid", "random")
    if not space.axes:
        return
    if space.size <= ENUMERATED:
        for number in rng.permutation(space.size).tolist():
            chosen = space.at(space.rows(number))
            if chosen is not None:
                yield chosen
        return
    seen: set[tuple[int, ...]] = set()
    while len(seen) < ENUMERATED:
        rows = tuple(int(rng.integers(len(axis.rows))) for axis in space.axes)
        if rows not in seen:
            seen.add(rows)
            chosen = space.at(rows)
            if chosen is not None:
                yield chosen
