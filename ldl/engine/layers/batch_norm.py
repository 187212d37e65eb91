"""Batch normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ldl.arrays import Array
from ldl.engine.layer import Context, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.layers.norm import BLOCK, Norm, channels, near, weights
from ldl.engine.memory import scalar
from ldl.fields import Positive, Share

ROW = 1024  # values in a row of constants: NumPy copies shorter ones dearly to a whole buffer
LONG_ROW = 8192  # as long as that buffer: not copied at all, which pays where there are many rows


@dataclass(frozen=True, eq=False)
class BatchNorm(Norm):
    """y = (x − μ) / √(σ² + ε) · w + b,  x and y (N, …, C); μ, σ², w and b (C,).

    In training μ and σ² are the mean and variance of a channel over the batch and all other axes,
    and running ← (1 − momentum) · running + momentum · batch, with the unbiased variance. When
    judging, μ and σ² are the running ones. A batch with one value a channel has no variance: it
    gives y = b and leaves the running statistics alone. Source: Ioffe and Szegedy, Batch
    Normalization, 2015, in PyTorch's variant (which refuses such a batch).
    """

    momentum: Share = 0.1
    epsilon: Positive = 1e-5

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; x − μ is kept for backward."""
        shape = channels(x)
        size = shape[-1]
        state = {"running_mean": np.zeros(size), "running_var": np.ones(size)}
        return LayerPlan(
            y=shape,
            w=weights(size),
            state=state,
            tmp={"centred": ScratchSpec(shape)},
            multiply_adds=2 * prod(shape),
        )

    def bind(self, node: Context) -> None:
        """Blocks of rows that stay in cache, each row as many samples' channels as pay."""
        tmp, size, dtype = node.tmp, node.y.shape[-1], node.y.dtype
        count = node.y.size // size
        lines, width = blocks_of(count, size)
        tmp["x"] = node.x[0].reshape(-1, lines, width)
        for name, array in (("y", node.y), ("dy", node.dy), ("dx", node.dx[0])):
            if array is not None:
                tmp[name] = array.reshape(tmp["x"].shape)
        tmp["c"] = tmp["centred"].reshape(tmp["x"].shape)
        tmp["block"] = np.empty((lines, width), dtype)
        tmp["ones"] = np.ones(node.y.size // width, dtype)
        for name in ("sum", "part", "row", "second row"):
            tmp[name] = np.empty(width, dtype)
            tmp[f"{name}, folded"] = tmp[name].reshape(-1, size)
        for name in ("mean", "var", "rate", "off", "other"):
            tmp[name] = np.empty(size, dtype)
        tmp["mine"], tmp["mine, backward"] = np.empty((2, 2, size), dtype)
        whole, parts = self._counts(node)
        constants = {
            "count": count,
            "share": 1.0 / whole,
            "unbiased": self.momentum * whole / max(whole - 1, 1),
            "momentum": self.momentum,
            "kept": 1.0 - self.momentum,
            "epsilon": self.epsilon,
        }
        tmp.update({name: scalar(value, dtype) for name, value in constants.items()})
        tmp["counts"] = [scalar(part, dtype) for part in parts]
        tmp["follows"] = node.meeting.number == 0 and whole > 1

    @staticmethod
    def _counts(node: Context) -> tuple[int, list[int]]:
        """Values a channel in the whole batch, and in each of its parts."""
        samples = len(node.y)
        positions = node.y[0].size // node.y.shape[-1]
        parts = [positions * n for n in node.meeting.samples or (samples,)]
        return sum(parts), parts

    def forward(self, node: Context) -> None:
        """Overwrite y, x less its part's mean, that mean less μ, and 1/√(σ² + ε) in `rate`."""
        tmp, state = node.tmp, node.state
        if node.train:
            self._measure(node)
        else:
            self._centre(node, state["running_mean"])
            np.copyto(tmp["var"], state["running_var"])
            tmp["off"].fill(0.0)
        rate, scale, shift = tmp["rate"], tmp["row"], tmp["second row"]
        np.add(tmp["var"], tmp["epsilon"], rate)
        np.sqrt(rate, rate)
        np.reciprocal(rate, rate)
        np.multiply(node.w["weight"], rate, tmp["other"])
        np.copyto(tmp["row, folded"], tmp["other"])
        np.multiply(tmp["off"], tmp["other"], tmp["other"])
        np.add(node.w["bias"], tmp["other"], tmp["second row, folded"])
        for centred, y in zip(tmp["c"], tmp["y"], strict=True):
            np.multiply(centred, scale, y)
            np.add(y, shift, y)

    def _centre(self, node: Context, mean: Array) -> None:
        """x − μ with a mean that is known."""
        tmp = node.tmp
        np.copyto(tmp["row, folded"], mean)
        for x, centred in zip(tmp["x"], tmp["c"], strict=True):
            np.subtract(x, tmp["row"], centred)

    def _measure(self, node: Context) -> None:
        """μ and σ² of the batch; x less its part's mean; the running statistics follow."""
        tmp = node.tmp
        mean, squares = tmp["mine"]
        tmp["ones"].dot(tmp["x"].reshape(len(tmp["ones"]), -1), tmp["sum"])
        np.add.reduce(tmp["sum, folded"], axis=0, out=mean)
        np.divide(mean, tmp["count"], mean)
        np.copyto(tmp["row, folded"], mean)
        tmp["sum"].fill(0.0)
        block, ones = tmp["block"], tmp["ones"][: len(tmp["block"])]
        for x, centred in zip(tmp["x"], tmp["c"], strict=True):
            np.subtract(x, tmp["row"], centred)
            np.multiply(centred, centred, block)
            ones.dot(block, tmp["part"])
            np.add(tmp["sum"], tmp["part"], tmp["sum"])
        np.add.reduce(tmp["sum, folded"], axis=0, out=squares)
        self._combine(node)
        if tmp["follows"]:
            kept, other = tmp["kept"], tmp["other"]
            follow(node.state["running_mean"], tmp["mean"], kept, tmp["momentum"], other)
            follow(node.state["running_var"], tmp["var"], kept, tmp["unbiased"], other)

    def _combine(self, node: Context) -> None:
        """μ = Σ nₖ μₖ / n and σ² = Σ (Sₖ + nₖ (μₖ − μ)²) / n, from each part's μₖ and squares Sₖ.

        Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing
        sample variances, 1979.
        """
        tmp, mean, var, other = node.tmp, node.tmp["mean"], node.tmp["var"], node.tmp["other"]
        parts = node.meeting.exchange(tmp["mine"])
        mean.fill(0.0)
        for count, (part, _) in zip(tmp["counts"], parts, strict=True):
            np.multiply(part, count, other)
            np.add(mean, other, mean)
        np.multiply(mean, tmp["share"], mean)
        var.fill(0.0)
        for count, (part, squares) in zip(tmp["counts"], parts, strict=True):
            np.subtract(part, mean, other)
            np.multiply(other, other, other)
            np.multiply(other, count, other)
            np.add(other, squares, other)
            np.add(var, other, var)
        np.multiply(var, tmp["share"], var)
        np.subtract(tmp["mine"][0], mean, tmp["off"])

    def backward(self, node: Context) -> None:
        """∂w = Σ ∂y·x̂,  ∂b = Σ ∂y,  ∂x = w/√(σ² + ε) · (∂y − mean ∂y − x̂ · mean ∂y·x̂).

        x̂ is (x − μ) / √(σ² + ε). With running statistics ∂x = w/√(σ² + ε) · ∂y. The sums for ∂w
        and ∂b are those of this part, the means those of the whole batch.
        """
        tmp, dw, db = node.tmp, node.dw["weight"], node.dw["bias"]
        block, ones = tmp["block"], tmp["ones"][: len(tmp["block"])]
        tmp["sum"].fill(0.0)
        for centred, dy in zip(tmp["c"], tmp["dy"], strict=True):
            np.multiply(dy, centred, block)
            ones.dot(block, tmp["part"])
            np.add(tmp["sum"], tmp["part"], tmp["sum"])
        np.add.reduce(tmp["sum, folded"], axis=0, out=dw)
        tmp["ones"].dot(tmp["dy"].reshape(len(tmp["ones"]), -1), tmp["sum"])
        np.add.reduce(tmp["sum, folded"], axis=0, out=db)
        np.multiply(db, tmp["off"], tmp["other"])
        np.add(dw, tmp["other"], dw)
        np.multiply(dw, tmp["rate"], dw)
        if node.dx[0] is not None:
            self._pull(node)

    def _pull(self, node: Context) -> None:
        """Overwrite ∂x: a row times (∂y − (x less its part's mean) · a row − a row)."""
        tmp, other, block = node.tmp, node.tmp["other"], node.tmp["block"]
        np.multiply(node.w["weight"], tmp["rate"], other)
        np.copyto(tmp["part, folded"], other)
        if not node.train:
            for dy, dx in zip(tmp["dy"], tmp["dx"], strict=True):
                np.multiply(dy, tmp["part"], dx)
            return
        weight, bias = self._means(node)
        np.multiply(weight, tmp["rate"], other)
        np.copyto(tmp["row, folded"], other)
        np.multiply(other, tmp["off"], other)
        np.add(bias, other, tmp["second row, folded"])
        for centred, dy, dx in zip(tmp["c"], tmp["dy"], tmp["dx"], strict=True):
            np.multiply(centred, tmp["row"], block)
            np.add(block, tmp["second row"], block)
            np.subtract(dy, block, dx)
            np.multiply(dx, tmp["part"], dx)

    def _means(self, node: Context) -> Array:
        """The means of ∂y·x̂ and of ∂y over the whole batch, (2, C)."""
        tmp, mine = node.tmp, node.tmp["mine, backward"]
        np.copyto(mine[0], node.dw["weight"])
        np.copyto(mine[1], node.dw["bias"])
        total: Array = np.add.reduce(node.meeting.exchange(mine), axis=0)
        np.multiply(total, tmp["share"], total)
        return total


def blocks_of(count: int, size: int) -> tuple[int, int]:
    """Of `count` rows of `size` channels: lines a block, and values a line, whole rows of them."""
    goal = min(LONG_ROW, max(ROW, count * size // 64))
    width = near(count, size, goal) * size
    return near(count * size // width, width, BLOCK), width


def follow(running: Array, batch: Array, kept: Array, share: Array, tmp: Array) -> None:
    """running ← kept · running + share · batch."""
    np.multiply(running, kept, running)
    np.multiply(batch, share, tmp)
    np.add(running, tmp, running)
