"""Training: the loop, early stopping, checkpoints."""

from __future__ import annotations

from ldl.train.steps import Steps, Totals
from ldl.train.trainer import Outcome, Progress, Trainer

__all__ = ["Outcome", "Progress", "Steps", "Totals", "Trainer"]
