"""Training: the loop, validation, early stopping, checkpoints, signals."""

from __future__ import annotations

from ldl.train.loop import EpochMetrics, TrainLoop
from ldl.train.trainer import Trainer, TrainProgress, TrainResult

__all__ = ["EpochMetrics", "TrainLoop", "TrainProgress", "TrainResult", "Trainer"]
