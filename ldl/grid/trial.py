"""A trial of a grid and what came of it: plain data, for it crosses processes as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

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
class Outcome:
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
    def from_dict(cls, found: Mapping[str, Any]) -> Outcome:
        """What `to_dict` gave."""
        return cls(**found)
