"""A whole run: from a configuration file to a finished folder, and what is asked of it later."""

from __future__ import annotations

from ldl.execute.evaluation import evaluate, predict, read_evaluations
from ldl.execute.preparation import REGISTRIES, PreparedExperiment, prepare
from ldl.execute.run_training import SILENT, Watchers, resume, train
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
