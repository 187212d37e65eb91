"""A trial of a grid, how it ended, and how trials are made; plain data, for processes send it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ldl.data import load_data
from ldl.errors import DataError
from ldl.execute.seen_samples import overlap_problems, seen_by
from ldl.execute.transfer import pretrained_digest
from ldl.runs import RunFolder
from ldl.runs.content_key import content_key
from ldl.runs.json_files import is_number

if TYPE_CHECKING:
    from ldl.compile import Config
    from ldl.compile.experiment_config import PretrainedRun
    from ldl.data import ProgressCallback
    from ldl.grid.candidates import Candidate

TrialStatus = Literal["completed", "diverged", "failed", "killed", "timeout", "memory", "system"]
ID = re.compile(r"[\w-]+")
RETRYABLE = ("failed", "killed", "timeout", "memory", "system")  # another attempt may end otherwise


@dataclass(frozen=True)
class Trial:
    """One training: a setting with one seed."""

    id: str  # the content key of the resolved configuration and the data
    setting: str  # the content key without the seed, which trials of one setting share
    number: int  # of the setting in the plan, from 1
    seed: int
    values: dict[str, Any]  # dotted key -> plain value, as varied; without the seed
    yaml: str  # the resolved configuration, complete
    after: str | None = None  # halving: the id of the trial whose checkpoint it continues

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, in their order."""
        return asdict(self)

    def summary(self) -> dict[str, Any]:
        """`to_dict` without the configuration, which stands in the trial's own folder."""
        return {key: value for key, value in asdict(self).items() if key != "yaml"}

    @property
    def is_valid(self) -> bool:
        """Whether the fields have their types, and the ids are names that a folder may have."""
        return (
            all(isinstance(id, str) and ID.fullmatch(id) for id in (self.id, self.after or "0"))
            and isinstance(self.setting, str)
            and all(type(value) is int for value in (self.number, self.seed))
            and isinstance(self.values, dict)
        )

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Trial:
        """The trial that `to_dict` gave."""
        return cls(**fields)


@dataclass(frozen=True)
class TrialOutcome:
    """How a trial ended: trials/<id>/trial.json, written once and atomically."""

    id: str
    status: TrialStatus
    reason: str
    objective: float | None
    epochs: int
    seconds: float
    attempts: int
    worker: str

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, in their order."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> TrialOutcome:
        """The outcome that `to_dict` gave. Raises TypeError or ValueError for another mapping."""
        outcome = cls(**fields)
        texts = (outcome.id, outcome.reason, outcome.worker)
        numbers = (outcome.objective or 0, outcome.epochs, outcome.seconds, outcome.attempts)
        if (
            outcome.status not in get_args(TrialStatus)
            or not all(isinstance(text, str) for text in texts)
            or not all(map(is_number, numbers))
        ):
            raise ValueError("no outcome of a trial")
        return outcome


class TrialFactory:
    """Makes the trials of candidates. Data and pretrained weights are digested once."""

    def __init__(self, seeds: range, progress: ProgressCallback | None = None) -> None:
        self.seeds = seeds
        self._progress = progress
        self._data_digests: dict[tuple[str, int], str] = {}
        self._pretrained_digests: dict[PretrainedRun | None, str] = {}
        self._without_overlap: set[str] = set()

    def trials(self, candidate: Candidate, before: Candidate | None = None) -> list[Trial]:
        """A trial for each seed; each continues the trial of `before` with the same seed.

        Raises DataError where the data cannot be read, or pretrained weights know the samples that
        are evaluated.
        """
        self._refuse_overlap(candidate.config)
        shared = content_key(candidate.key_text(), self._digest(candidate))
        return [
            Trial(
                id=self._trial_id(candidate, seed),
                setting=shared,
                number=candidate.number,
                seed=seed,
                values=dict(candidate.values),
                yaml=candidate.yaml(seed),
                after=None if before is None else self._trial_id(before, seed),
            )
            for seed in self.seeds
        ]

    def _refuse_overlap(self, config: Config) -> None:
        pretrained, key = config.pretrained, repr((config.data, config.start_from, config.evaluate))
        if pretrained is None or key in self._without_overlap:
            return
        dataset = load_data(config.data, config.seed, self._progress)
        seen = seen_by(RunFolder(Path(pretrained.run)))
        problems = [text for _, text in overlap_problems(config, dataset, seen)]
        if problems:
            raise DataError("start_from: " + "; ".join(problems))
        self._without_overlap.add(key)

    def _trial_id(self, candidate: Candidate, seed: int) -> str:
        return content_key(candidate.key_text(seed), self._digest(candidate))

    def _digest(self, candidate: Candidate) -> str:
        """SHA-256 of the data, which the split's seed may draw, and of the pretrained weights."""
        config = candidate.config
        source, seed, pretrained = config.data.source, config.data.split.seed, config.pretrained
        data = repr(source), seed
        if data not in self._data_digests:
            self._data_digests[data] = source.read(seed, self._progress).sha256()
        if pretrained not in self._pretrained_digests:
            self._pretrained_digests[pretrained] = pretrained_digest(pretrained)
        return self._data_digests[data] + self._pretrained_digests[pretrained]
