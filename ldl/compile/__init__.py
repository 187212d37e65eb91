"""From a checked configuration to engine objects; the only user of the registries."""

from __future__ import annotations

from ldl.compile.claim import Claim, ClaimedMetric
from ldl.compile.compile_checks import PathProblem, config_warnings
from ldl.compile.experiment import CompileError, Experiment, compile_config, task_of
from ldl.compile.experiment_config import Config, EarlyStopping, EncoderDecoder, LossTerm, Training
from ldl.compile.registries import REGISTRIES

__all__ = [
    "REGISTRIES",
    "Claim",
    "ClaimedMetric",
    "CompileError",
    "Config",
    "EarlyStopping",
    "EncoderDecoder",
    "Experiment",
    "LossTerm",
    "PathProblem",
    "Training",
    "compile_config",
    "config_warnings",
    "task_of",
]
