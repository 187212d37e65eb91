"""Training: the loop, validation, early stopping, checkpoints, signals."""

from __future__ import annotations

from ldl.train.average import AverageResult
from ldl.train.loop import EpochMetrics, TrainLoop
from ldl.train.trainer import Trainer, TrainProgress, TrainResult

__all__ = ["AverageResult", "EpochMetrics", "TrainLoop", "TrainProgress", "TrainResult", "Trainer"]
