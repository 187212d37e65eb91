"""From a checked configuration to engine objects; the only user of the registries."""

from __future__ import annotations

from ldl.compile.claim import Claim, Figure
from ldl.compile.experiment import BuildError, Experiment, build, task_of
from ldl.compile.faults import advice
from ldl.compile.kinds import KINDS
from ldl.compile.spec import Config, EarlyStopping, EncoderDecoder, LossTerm, Training

__all__ = [
    "KINDS",
    "BuildError",
    "Claim",
    "Config",
    "EarlyStopping",
    "EncoderDecoder",
    "Experiment",
    "Figure",
    "LossTerm",
    "Training",
    "advice",
    "build",
    "task_of",
]
