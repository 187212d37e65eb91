"""Averages of weights over the steps or epochs of a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.fields import Doc, Momentum, Share


@dataclass(frozen=True)
class WeightAverage:
    """θ̄ ← θ̄ + s (θ − θ̄), with s = 1 at first; θ̄ does not change the training."""

    per_step: ClassVar[bool]

    def begins(self, epoch: int, epochs: int) -> bool:
        """Whether `epoch` (from 1) of `epochs` counts."""
        return True

    def share(self, count: int) -> float:
        """s after `count` updates."""
        raise NotImplementedError

    def update(self, average: Array, theta: Array, count: int, scratch: Array) -> None:
        """Take θ into the average in place; `scratch` is a vector like θ."""
        if count == 0:
            np.copyto(average, theta)
            return
        np.subtract(theta, average, scratch)
        np.multiply(scratch, self.share(count), scratch)
        np.add(average, scratch, average)


@dataclass(frozen=True)
class Ema(WeightAverage):
    """θ̄ ← m θ̄ + (1 − m) θ after each step, m the `momentum`: an exponential moving average.

    It starts with the weights after the first step. Source: Polyak and Juditsky, Acceleration of
    Stochastic Approximation by Averaging, 1992; Keras's ema_momentum; PyTorch's AveragedModel with
    get_ema_multi_avg_fn.
    """

    per_step: ClassVar[bool] = True
    momentum: Momentum = 0.99

    def share(self, count: int) -> float:
        """1 − m."""
        return 1.0 - self.momentum


@dataclass(frozen=True)
class Swa(WeightAverage):
    """θ̄ = the mean of θ at the ends of the last epochs: stochastic weight averaging.

    It suits a learning rate that stays high or is cyclic. Source: Izmailov et al., Averaging
    Weights Leads to Wider Optima and Better Generalization, 2018; PyTorch's AveragedModel.
    """

    per_step: ClassVar[bool] = False
    start: Annotated[
        Share, Doc("share of the epochs that come before the first one that counts")
    ] = 0.75

    def begins(self, epoch: int, epochs: int) -> bool:
        """Whether more than the share `start` of the epochs is over, or all are."""
        return epoch > self.start * epochs or epoch == epochs

    def share(self, count: int) -> float:
        """1 / (n + 1)."""
        return 1.0 / (count + 1)


AVERAGES: dict[str, type[WeightAverage]] = {"ema": Ema, "swa": Swa}
