"""ONNX operators as the engine's layers, losses and optimizers compute them.

An adapter turns axes round (ONNX keeps channels second, the engine last), renames settings and
sorts weights; the numbers come from the engine. What the engine has not raises LeftOut.
"""

from __future__ import annotations

from .operation import LeftOut, Op, Operator
from .sequences import SEQUENCES
from .training import TRAINING
from .values import VALUES
from .windows import WINDOWS

OPERATORS: dict[str, Operator] = {**WINDOWS, **VALUES, **SEQUENCES, **TRAINING}

__all__ = ["OPERATORS", "LeftOut", "Op", "Operator"]
