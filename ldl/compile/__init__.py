"""From a checked configuration to engine objects; the only user of the registries."""

from __future__ import annotations

from ldl.compile.claim import Claim, ClaimedMetric
from ldl.compile.experiment import BuildError, Experiment, build, task_of
from ldl.compile.faults import advice
from ldl.compile.kinds import KINDS
from ldl.compile.spec import Config, EarlyStopping, EncoderDecoder, LossTerm, Training

__all__ = [
    "KINDS",
    "BuildError",
    "Claim",
    "ClaimedMetric",
    "Config",
    "EarlyStopping",
    "EncoderDecoder",
    "Experiment",
    "LossTerm",
    "Training",
    "advice",
    "build",
    "task_of",
]
