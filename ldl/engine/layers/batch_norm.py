"""Batch normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ldl.engine.layer import Buffer, Node, Plan, Spec
from ldl.engine.layers.norm import BLOCK, Norm, channels, near, weights
from ldl.engine.memory import Array, scalar
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

    @property
    def splits(self) -> bool:
        """No: the statistics are those of the whole batch."""
        return False

    def plan(self, x: tuple[Spec, ...]) -> Plan:
        """The input's shape; x − μ is kept for backward."""
        shape = channels(x)
        size = shape[-1]
        state = {"running_mean": np.zeros(size), "running_var": np.ones(size)}
        return Plan(
            y=shape,
            w=weights(size),
            state=state,
            tmp={"centred": Buffer(shape)},
            multiply_adds=2 * prod(shape),
        )

    def bind(self, node: Node) -> None:
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
        for name in ("mean", "var", "rate", "other"):
            tmp[name] = np.empty(size, dtype)
        constants = {
            "share": 1.0 / count,
            "unbiased": self.momentum * count / max(count - 1, 1),
            "momentum": self.momentum,
            "kept": 1.0 - self.momentum,
            "epsilon": self.epsilon,
        }
        tmp.update({name: scalar(value, dtype) for name, value in constants.items()})

    def forward(self, node: Node) -> None:
        """Overwrite y, x − μ, and 1/√(σ² + ε) in `rate`."""
        tmp, state = node.tmp, node.state
        if node.train:
            self._measure(node)
        else:
            self._centre(node, state["running_mean"])
            np.copyto(tmp["var"], state["running_var"])
        rate, scale, shift = tmp["rate"], tmp["row"], tmp["second row"]
        np.add(tmp["var"], tmp["epsilon"], rate)
        np.sqrt(rate, rate)
        np.reciprocal(rate, rate)
        np.multiply(node.w["weight"], rate, tmp["row, folded"])
        np.copyto(tmp["second row, folded"], node.w["bias"])
        for centred, y in zip(tmp["c"], tmp["y"], strict=True):
            np.multiply(centred, scale, y)
            np.add(y, shift, y)

    def _centre(self, node: Node, mean: Array) -> None:
        """x − μ with a mean that is known."""
        tmp = node.tmp
        np.copyto(tmp["row, folded"], mean)
        for x, centred in zip(tmp["x"], tmp["c"], strict=True):
            np.subtract(x, tmp["row"], centred)

    def _measure(self, node: Node) -> None:
        """μ, x − μ and σ² of the batch; the running statistics follow."""
        tmp = node.tmp
        mean, var, share = tmp["mean"], tmp["var"], tmp["share"]
        tmp["ones"].dot(tmp["x"].reshape(len(tmp["ones"]), -1), tmp["sum"])
        np.add.reduce(tmp["sum, folded"], axis=0, out=mean)
        np.multiply(mean, share, mean)
        np.copyto(tmp["row, folded"], mean)
        tmp["sum"].fill(0.0)
        block, ones = tmp["block"], tmp["ones"][: len(tmp["block"])]
        for x, centred in zip(tmp["x"], tmp["c"], strict=True):
            np.subtract(x, tmp["row"], centred)
            np.multiply(centred, centred, block)
            ones.dot(block, tmp["part"])
            np.add(tmp["sum"], tmp["part"], tmp["sum"])
        np.add.reduce(tmp["sum, folded"], axis=0, out=var)
        np.multiply(var, share, var)
        if node.y.size > var.size:
            follow(node.state["running_mean"], mean, tmp["kept"], tmp["momentum"], tmp["other"])
            follow(node.state["running_var"], var, tmp["kept"], tmp["unbiased"], tmp["other"])

    def backward(self, node: Node) -> None:
        """∂w = Σ ∂y·x̂,  ∂b = Σ ∂y,  ∂x = w/√(σ² + ε) · (∂y − mean ∂y − x̂ · mean ∂y·x̂).

        x̂ is (x − μ) / √(σ² + ε). With running statistics ∂x = w/√(σ² + ε) · ∂y.
        """
        tmp = node.tmp
        block, ones = tmp["block"], tmp["ones"][: len(tmp["block"])]
        tmp["sum"].fill(0.0)
        for centred, dy in zip(tmp["c"], tmp["dy"], strict=True):
            np.multiply(dy, centred, block)
            ones.dot(block, tmp["part"])
            np.add(tmp["sum"], tmp["part"], tmp["sum"])
        np.add.reduce(tmp["sum, folded"], axis=0, out=node.dw["weight"])
        np.multiply(node.dw["weight"], tmp["rate"], node.dw["weight"])
        tmp["ones"].dot(tmp["dy"].reshape(len(tmp["ones"]), -1), tmp["sum"])
        np.add.reduce(tmp["sum, folded"], axis=0, out=node.dw["bias"])
        if node.dx[0] is not None:
            self._pull(node)

    def _pull(self, node: Node) -> None:
        """Overwrite ∂x."""
        tmp, other, block = node.tmp, node.tmp["other"], node.tmp["block"]
        np.multiply(node.w["weight"], tmp["rate"], other)
        np.copyto(tmp["part, folded"], other)
        if not node.train:
            for dy, dx in zip(tmp["dy"], tmp["dx"], strict=True):
                np.multiply(dy, tmp["part"], dx)
            return
        np.multiply(node.dw["weight"], tmp["share"], other)
        np.multiply(other, tmp["rate"], tmp["row, folded"])
        np.multiply(node.dw["bias"], tmp["share"], tmp["second row, folded"])
        for centred, dy, dx in zip(tmp["c"], tmp["dy"], tmp["dx"], strict=True):
            np.multiply(centred, tmp["row"], block)
            np.add(block, tmp["second row"], block)
            np.subtract(dy, block, dx)
            np.multiply(dx, tmp["part"], dx)


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
