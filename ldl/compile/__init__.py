"""From a checked configuration to engine objects; the only user of the registries."""

from __future__ import annotations

from ldl.compile.claim import Claim, ClaimedMetric
from ldl.compile.compile_checks import PathProblem
from ldl.compile.compiler import CompileError, compile_config
from ldl.compile.experiment import Experiment
from ldl.compile.experiment_config import Config, EarlyStopping, EncoderDecoder, LossTerm, Training
from ldl.compile.experiment_warnings import config_warnings
from ldl.compile.loss_nodes import task_of
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
