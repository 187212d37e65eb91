"""Weights of another run as a start: taken by name where the shapes fit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ldl.arrays import Array
from ldl.engine.parameters import Parameters
from ldl.errors import DataError, RunFolderError
from ldl.runs import load_tensors

SHOWN = 6  # names in a note
WEIGHTS = "model.safetensors"  # a run's own, at its end
START = "start.safetensors"  # a run's own copy of the weights that it starts from


@dataclass(frozen=True)
class TransferResult:
    """What was taken from another run, and what was not, by the weights' names."""

    taken: tuple[str, ...]
    misfits: tuple[str, ...]  # the same name with another shape
    missing: tuple[str, ...]  # not there at all

    def __str__(self) -> str:
        """In a sentence."""
        parts = [f"{len(self.taken)} of {len(self.taken + self.misfits + self.missing)} taken"]
        for what, names in (("of another shape", self.misfits), ("not there", self.missing)):
            if names:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                parts.append(f"{what}: {', '.join(names[:SHOWN])}{more}")
        return "start_from: " + "; ".join(parts)


def pretrained_weights(path: str) -> dict[str, Array]:
    """The weights of a run's folder. Raises DataError where there are none to read."""
    file = Path(path) / WEIGHTS
    if not file.exists():
        unfinished = "has no model.safetensors: it is not completed"
        raise DataError(f"{path} {unfinished if Path(path).is_dir() else 'is no run'}")
    try:
        return load_tensors(file)[0]
    except RunFolderError as error:
        raise DataError(str(error)) from error


def pretrained_digest(path: str | None) -> str:
    """SHA-256 of the weights that a configuration starts from; empty where there are none."""
    if path is None:
        return ""
    try:
        return hashlib.sha256((Path(path) / WEIGHTS).read_bytes()).hexdigest()
    except OSError:
        return ""


def copy_matching(parameters: Parameters, arrays: dict[str, Array]) -> TransferResult:
    """Copy what fits into `parameters`."""
    taken, misfits, missing = [], [], []
    for name, mine in parameters.arrays().items():
        if name not in arrays:
            missing.append(name)
        elif arrays[name].shape != mine.shape:
            misfits.append(name)
        else:
            mine[...] = arrays[name]
            taken.append(name)
    return TransferResult(tuple(taken), tuple(misfits), tuple(missing))
