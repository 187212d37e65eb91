"""Pretrained weights: arrays of another run, copied by name where the shapes match."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ldl.arrays import Array
from ldl.compile.experiment_config import PretrainedRun
from ldl.engine.parameters import Parameters
from ldl.errors import DataError, RunFolderError
from ldl.folder_files import read_bytes
from ldl.runs import RunFolder, load_tensors

MAX_LISTED = 6  # names in a note
MODEL_FILE = "model.safetensors"
INITIAL_WEIGHTS_FILE = "start.safetensors"  # a run's copy of the pretrained weights


@dataclass(frozen=True)
class TransferResult:
    """The names of the arrays that were copied, and of those that were not."""

    copied: tuple[str, ...]
    mismatched: tuple[str, ...]  # the pretrained array has another shape
    missing: tuple[str, ...]  # the pretrained run has no such array

    def __str__(self) -> str:
        """The result as a sentence."""
        total = len(self.copied + self.mismatched + self.missing)
        messages = [f"{len(self.copied)} of {total} arrays copied"]
        for label, names in (("another shape", self.mismatched), ("missing", self.missing)):
            if names:
                extra = len(names) - MAX_LISTED
                more = f" and {extra} more" if extra > 0 else ""
                messages.append(f"{label}: {', '.join(names[:MAX_LISTED])}{more}")
        return "start_from: " + "; ".join(messages)


def pretrained_weights(path: str) -> dict[str, Array]:
    """The weights in the run folder `path`, by name. Raises DataError when it has none."""
    file = Path(path) / MODEL_FILE
    if not file.exists():
        if Path(path).is_dir():
            raise DataError(f"{path} has no {MODEL_FILE}: the run is not completed")
        raise DataError(f"{path} is not a run folder")
    try:
        return load_tensors(file)[0]
    except RunFolderError as error:
        raise DataError(str(error)) from error


def pretrained_digest(pretrained: PretrainedRun | None) -> str:
    """The SHA-256 of the pretrained weights; empty when there are none."""
    if pretrained is None:
        return ""
    try:
        return hashlib.sha256(read_bytes(Path(pretrained.run) / MODEL_FILE)).hexdigest()
    except OSError:
        return ""


def initial_weights(run: RunFolder) -> dict[str, Array]:
    """The pretrained weights that a run started from; empty when it started from random ones."""
    file = run.path / INITIAL_WEIGHTS_FILE
    return load_tensors(file)[0] if file.exists() else {}


def copy_matching(parameters: Parameters, pretrained: dict[str, Array]) -> TransferResult:
    """Copy the pretrained arrays of equal name and shape into `parameters`."""
    copied, mismatched, missing = [], [], []
    for name, array in parameters.arrays().items():
        if name not in pretrained:
            missing.append(name)
        elif pretrained[name].shape != array.shape:
            mismatched.append(name)
        else:
            array[...] = pretrained[name]
            copied.append(name)
    return TransferResult(tuple(copied), tuple(mismatched), tuple(missing))
