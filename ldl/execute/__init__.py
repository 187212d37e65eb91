"""Operations on whole runs: prepare, train, resume, evaluate, predict, verify."""

from __future__ import annotations

from ldl.execute.evaluation import evaluate, read_evaluations
from ldl.execute.preparation import REGISTRIES, PreparedExperiment, prepare
from ldl.execute.run_training import NO_CALLBACKS, Callbacks, folder_in_errors, resume, train
from ldl.execute.saved_run import predict
from ldl.execute.verification import ReplayResult, verify

__all__ = [
    "NO_CALLBACKS",
    "REGISTRIES",
    "Callbacks",
    "PreparedExperiment",
    "ReplayResult",
    "evaluate",
    "folder_in_errors",
    "predict",
    "prepare",
    "read_evaluations",
    "resume",
    "train",
    "verify",
]
