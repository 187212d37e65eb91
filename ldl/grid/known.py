"""The settings that a search knows beforehand: all, some drawn ones, or those of a first round."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator

from ldl.config import Mark
from ldl.config.problems import Problems
from ldl.grid.block import GridBlock, Halving, Random, Tpe
from ldl.grid.labels import describe_values
from ldl.grid.resolve import Candidate, Settler
from ldl.grid.searches import drawn, lengths
from ldl.grid.space import Assignment, Space

MOST = 100_000  # settings that are looked at one by one
LOOKED = 2_000  # combinations that are all looked at though few are searched
MOST_TRIALS = 500_000
SHOWN = 5  # in a note


class Known:
    """Lists settings, each resolved and looked at; what is wrong goes to `problems`.

    `mark` gives the place of a key of the grid block.
    """

    def __init__(
        self, block: GridBlock, space: Space, settler: Settler, problems: Problems,
        mark: Callable[[str], Mark], name: str,
    ) -> None:  # fmt: skip
        self.block, self.space, self.settler, self.problems = block, space, settler, problems
        self.notes: list[str] = []
        self.lengths: list[int] = []  # epochs of each round of halving
        self._mark, self._name = mark, name

    def settings(self, seed: int) -> list[Candidate]:
        """The settings, numbered from 1; with `tpe` those of `include` alone."""
        search, space = self.block.search, self.space
        if isinstance(search, Random | Tpe):
            self._look_around()
        if isinstance(search, Tpe):
            if importlib.util.find_spec("optuna") is None:
                advice = "install it with `pip install 'ldl[search]'`"
                self.problems.add(self._mark("search"), "`tpe` needs Optuna", advice)
            return self._distinct(space.include)
        if isinstance(search, Random):
            wanted = search.trials + len(space.include)
            found = self._distinct(drawn(space, seed), wanted)
            if len(found) < wanted:
                self.notes.append(f"there are only {len(found)} settings to draw from")
            return found
        for count, most, key, what in (
            (space.size, MOST, "vary", "combinations"),
            (space.size * self.block.seeds, MOST_TRIALS, "seeds", "trials"),
        ):
            if count > most:
                message = f"{count:,} {what}; {most:,} are the most that one can search"
                advice = "draw some: `search: {random: {trials: 100}}`"
                self.problems.add(self._mark(key), message, advice)
                return []
        found = self._distinct(space.settings())
        if not self.settler.looked:
            message = "an empty grid: `exclude` leaves no setting"
            self.problems.add(self._mark("exclude"), message)
        if isinstance(search, Halving):
            self._plan_rounds(search, found)
        return found

    def _distinct(self, chosen: Iterable[Assignment], most: int | None = None) -> list[Candidate]:
        """The settings; those that resolve to the same configuration once."""
        found: dict[str, Candidate] = {}
        again: list[tuple[Candidate, Candidate]] = []
        for each in chosen:
            setting = self.settler.settle(len(found) + 1, each, self._name)
            if setting is not None:
                first = found.setdefault(setting.digest, setting)
                if first is not setting:
                    again.append((first, setting))
            if most is not None and len(found) == most:
                break
        self._note_again(again)
        return list(found.values())

    def _note_again(self, again: list[tuple[Candidate, Candidate]]) -> None:
        if not again:
            return
        lines = [
            f"({describe_values(setting.values)}) is setting {first.number} "
            f"({describe_values(first.values)})"
            for first, setting in again[:SHOWN]
        ]
        more = f"; and {len(again) - SHOWN} more" if len(again) > SHOWN else ""
        count = "one setting is" if len(again) == 1 else f"{len(again)} settings are"
        self.notes.append(f"{count} the same as another and run once: {'; '.join(lines)}{more}")

    def _look_around(self) -> None:
        """Look at every value at least once, and at all combinations where they are few."""
        for chosen in self.space.settings() if self.space.size <= LOOKED else self._edges():
            self.settler.settle(0, chosen, self._name)

    def _edges(self) -> Iterator[Assignment]:
        """Each row of each axis beside the first rows of the others; of a spacing the two ends."""
        first = (0,) * len(self.space.axes)
        for i, axis in enumerate(self.space.axes):
            last = len(axis.rows) - 1
            spaced = axis.rows[0][0].mark == axis.rows[last][0].mark
            for row in (0, last) if spaced else range(last + 1):
                chosen = self.space.at((*first[:i], row, *first[i + 1 :]))
                if chosen is not None:
                    yield chosen

    def _plan_rounds(self, search: Halving, settings: list[Candidate]) -> None:
        """Epochs of each round; the halving itself says how long settings train."""
        varied = self.space.keys.get("train.epochs")
        if varied is not None:
            advice = "the last round has the configuration's `train.epochs`"
            self.problems.add(varied.mark, "`halving` sets the epochs itself", advice)
        if not settings:
            return
        epochs = settings[0].train.epochs
        if search.epochs is not None and search.epochs >= epochs:
            message = f"the first round's {search.epochs} epochs are not fewer than `train.epochs`"
            self.problems.add(self._mark("search"), f"{message}, {epochs}")
        if len(settings) < search.eta:
            message = f"{len(settings)} settings: of {search.eta} one goes on to the next round"
            self.problems.add(self._mark("search"), message)
        self.lengths = lengths(search, len(settings), epochs)
