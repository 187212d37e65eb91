"""A whole run: from a configuration file to a finished folder, and what is asked of it later."""

from __future__ import annotations

from ldl.execute.judging import evaluate, predict, read_evaluations
from ldl.execute.preparing import KINDS, Prepared, prepare
from ldl.execute.running import SILENT, Watchers, resume, train
from ldl.execute.verifying import Verdict, verify

__all__ = [
    "KINDS",
    "SILENT",
    "Prepared",
    "Verdict",
    "Watchers",
    "evaluate",
    "predict",
    "prepare",
    "read_evaluations",
    "resume",
    "train",
    "verify",
]
