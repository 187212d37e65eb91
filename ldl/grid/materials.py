"""What a trial needs before it can train, made once where trials share it."""

from __future__ import annotations

import gc
import os
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress

from ldl.data import Dataset, ProgressCallback, load_data
from ldl.errors import LdlError
from ldl.execute import PreparedExperiment
from ldl.execute.preparation import prepare_text
from ldl.execute.run_files import data_files
from ldl.grid.trial import Trial

NAME = "config.yaml"
SHARE = 0.25  # of the computer's memory, for data sets that are kept
Key = tuple[str, int]


class Materials:
    """The next trial's checked configuration, and the data sets of the last trials.

    The process that keeps them forks; a trial then changes its own copy of a page only.
    """

    def __init__(self, progress: ProgressCallback | None = None) -> None:
        self._next: tuple[str, PreparedExperiment] | None = None
        self._kept: OrderedDict[Key, tuple[Dataset, Mapping[str, bytes]]] = OrderedDict()
        self._progress = progress
        self._most = SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    def fetch(self, trial: Trial) -> None:
        """Make ready what a trial needs; where that fails, the trial does it again and says why."""
        if self._next is not None and self._next[0] == trial.id:
            return
        self._next = None
        with suppress(LdlError, OSError, MemoryError):
            prepared = prepare_text(trial.yaml, NAME)
            self._next = trial.id, prepared
            self._fetch_data(_key(trial), prepared)

    def _fetch_data(self, key: Key, prepared: PreparedExperiment) -> None:
        if key in self._kept:
            self._kept.move_to_end(key)
            return
        config = prepared.experiment.config
        dataset = load_data(config.data, config.seed, self._progress)
        self._kept[key] = dataset, data_files(dataset)
        while len(self._kept) > 1 and sum(_size(d) for d, _ in self._kept.values()) > self._most:
            self._kept.popitem(last=False)
        gc.freeze()

    def prepared(self, trial: Trial, start: bool) -> PreparedExperiment:
        """The trial's configuration, with the weights of its `start_from` only if `start`."""
        if self._next is not None and self._next[0] == trial.id:
            return self._next[1]
        return prepare_text(trial.yaml, NAME, start)

    def data(
        self, trial: Trial, prepared: PreparedExperiment
    ) -> tuple[Dataset, Mapping[str, bytes]]:
        """Its data set, and the files that tell of that. Raises ConfigError."""
        kept = self._kept.get(_key(trial))
        if kept is None:
            dataset = prepared.data(self._progress)
            return dataset, data_files(dataset)
        prepared.check(kept[0])
        return kept


def _key(trial: Trial) -> Key:
    """The lines of the section `data` as they stand in a resolved configuration, and the seed."""
    inside, section = False, []
    for line in trial.yaml.splitlines():
        if line[:1].strip():
            inside = line.startswith("data:")
        if inside:
            section.append(line)
    return "\n".join(section), trial.seed


def _size(dataset: Dataset) -> int:
    """Bytes of its inputs; noisy and clean ones counted once where they are the same."""
    parts = [p for p in (dataset.train, dataset.validation, dataset.test, dataset.uncropped) if p]
    arrays = {id(a): a for p in parts for group in (p.inputs, p.clean) for a in group.values()}
    return sum(a.nbytes for a in arrays.values())
