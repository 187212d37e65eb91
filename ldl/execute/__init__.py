"""Operations on whole runs: prepare, train, resume, evaluate, predict, verify."""

from __future__ import annotations

from ldl.execute.evaluation import evaluate, read_evaluations
from ldl.execute.preparation import REGISTRIES, PreparedExperiment, prepare
from ldl.execute.run_training import SILENT, Watchers, resume, train
from ldl.execute.saved_run import predict
from ldl.execute.verification import ReplayResult, verify

__all__ = [
    "REGISTRIES",
    "SILENT",
    "PreparedExperiment",
    "ReplayResult",
    "Watchers",
    "evaluate",
    "predict",
    "prepare",
    "read_evaluations",
    "resume",
    "train",
    "verify",
]
