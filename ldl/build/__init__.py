"""From a checked configuration to engine objects; the only user of the registries."""

from __future__ import annotations

from ldl.build.claim import Claim, Figure
from ldl.build.experiment import BuildError, Experiment, build, task_of
from ldl.build.faults import advice
from ldl.build.kinds import KINDS
from ldl.build.spec import Config, EarlyStopping, EncoderDecoder, LossTerm, Training

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
