"""A trial of a grid and what came of it: plain data, for it crosses processes as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from ldl.execute.transfer import pretrained_digest
from ldl.runs.content_key import content_key

if TYPE_CHECKING:
    from ldl.data import ProgressCallback
    from ldl.grid.candidates import Candidate

Ending = Literal["completed", "diverged", "failed", "killed", "timeout", "memory"]
ENDINGS: Final = get_args(Ending)


@dataclass(frozen=True)
class Trial:
    """One training: a setting with one seed."""

    id: str  # first 16 hex digits of SHA-256 over the resolved config, the data and the version
    setting: str  # the same over the config without its seed: trials of one setting share it
    number: int  # of the setting in the plan, from 1
    seed: int
    values: dict[str, Any]  # dotted key -> plain value, as varied; without the seed
    yaml: str  # the resolved configuration, complete
    after: str | None = None  # halving: the id of the trial whose checkpoint it goes on from

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, in their order."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Trial:
        """What `to_dict` gave."""
        return cls(**found)


@dataclass(frozen=True)
class TrialOutcome:
    """How a trial ended: trials/<id>/trial.json, written once and atomically."""

    id: str
    status: Ending
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
    def from_dict(cls, found: Mapping[str, Any]) -> TrialOutcome:
        """What `to_dict` gave."""
        return cls(**found)


class TrialFactory:
    """Makes the trials of settings; reads what they start from once, for its SHA-256."""

    def __init__(self, seeds: range, progress: ProgressCallback | None = None) -> None:
        self.seeds = seeds
        self._progress = progress
        self._digests: dict[tuple[str, int], str] = {}
        self._donors: dict[str | None, str] = {}

    def trials(self, setting: Candidate, before: Candidate | None = None) -> list[Trial]:
        """A trial for each seed; each goes on from that of the setting `before`."""
        shared = content_key(setting.yaml(), self._digest(setting, self.seeds[0]))
        return [
            Trial(
                id=self.name(setting, seed),
                setting=shared,
                number=setting.number,
                seed=seed,
                values=dict(setting.values),
                yaml=setting.yaml(seed),
                after=None if before is None else self.name(before, seed),
            )
            for seed in self.seeds
        ]

    def name(self, setting: Candidate, seed: int) -> str:
        """The id of a trial. Raises DataError where the data cannot be read."""
        return content_key(setting.yaml(seed), self._digest(setting, seed))

    def _digest(self, setting: Candidate, seed: int) -> str:
        """SHA-256 of the data, of which what is drawn depends on the seed, and of `start_from`."""
        place, start = (repr(setting.config.data.source), seed), setting.config.start_from
        if place not in self._digests:
            self._digests[place] = setting.config.data.source.read(seed, self._progress).sha256()
        if start not in self._donors:
            self._donors[start] = pretrained_digest(start)
        return self._digests[place] + self._donors[start]
