"""A whole run: from a configuration file to a finished folder, and what is asked of it later."""

from __future__ import annotations

from ldl.execute.judging import evaluate, predict, read_evaluations
from ldl.execute.preparing import KINDS, Prepared, prepare
from ldl.execute.running import SILENT, Watchers, resume, train

__all__ = [
    "KINDS",
    "SILENT",
    "Prepared",
    "Watchers",
    "evaluate",
    "predict",
    "prepare",
    "read_evaluations",
    "resume",
    "train",
]
