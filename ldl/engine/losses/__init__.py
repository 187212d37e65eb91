"""Losses: layers on (prediction, target) that give one value a sample; the graph takes the mean.

A target is dense, of the prediction's shape, or class indices (N,). Against a prediction of C
values, indices stand for one-hot rows; against a single value they are the numbers 0 and 1.
No gradient flows to targets.

`class_weights` multiply each sample's loss, and the mean is over samples, so that ∂L/∂y is one
number for every batch, and the loss of a split does not depend on its division into batches.
PyTorch's weighted mean divides by the sum of the weights in a batch instead;
weights whose mean over the training samples is 1 give the same scale.
"""

from __future__ import annotations

from ldl.engine.losses.base import Loss, Reducing, matched
from ldl.engine.losses.binary import Bce, BceWithLogits
from ldl.engine.losses.classes import CrossEntropy, Hinge, KlDivergence, Nll
from ldl.engine.losses.distance import Huber, Mae, Mse, Rmse

LOSSES: dict[str, type[Loss]] = {
    "mse": Mse,
    "mae": Mae,
    "rmse": Rmse,
    "huber": Huber,
    "bce": Bce,
    "bce_with_logits": BceWithLogits,
    "cross_entropy": CrossEntropy,
    "nll": Nll,
    "kl_divergence": KlDivergence,
    "hinge": Hinge,
}

__all__ = [
    "LOSSES",
    "Bce",
    "BceWithLogits",
    "CrossEntropy",
    "Hinge",
    "Huber",
    "KlDivergence",
    "Loss",
    "Mae",
    "Mse",
    "Nll",
    "Reducing",
    "Rmse",
    "matched",
]
