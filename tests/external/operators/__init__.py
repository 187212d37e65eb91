"""ONNX operators computed by the engine's layers, losses and optimizers.

An adapter permutes axes (channels are second in ONNX, last in the engine), renames settings and
reorders weights; the engine computes the values. Adapters raise Unsupported for other settings.
"""

from __future__ import annotations

from .operation import Op, Operator, Unsupported
from .sequences import SEQUENCES
from .training import TRAINING
from .values import VALUES
from .windows import WINDOWS

OPERATORS: dict[str, Operator] = {**WINDOWS, **VALUES, **SEQUENCES, **TRAINING}

__all__ = ["OPERATORS", "Op", "Operator", "Unsupported"]
