"""Batch normalisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import NamedTuple

import numpy as np

from ldl.arrays import Array
from ldl.engine.communicator import SINGLE_PROCESS, Communicator
from ldl.engine.layer import (
    Call,
    CollectiveLayer,
    Context,
    LayerPlan,
    ScratchSpec,
    TensorSpec,
)
from ldl.engine.layers.norm import (
    BLOCK,
    Norm,
    nearest_divisor,
    scale_and_shift,
    shape_with_channels,
)
from ldl.engine.memory import scalar
from ldl.fields import Positive, Share

ROW = 1024  # values in a row of constants: NumPy buffers shorter rows, which is slow
LONG_ROW = 8192  # as long as that buffer, so never buffered; pays where there are many rows


class Row(NamedTuple):
    """Values for one row of a block, (width,), and the same memory as (width/C, C)."""

    flat: Array
    folded: Array

    @classmethod
    def empty(cls, width: int, size: int, dtype: np.dtype[np.floating]) -> Row:
        """An uninitialised row of `width` values, `size` channels each."""
        flat = np.empty(width, dtype)
        return cls(flat, flat.reshape(-1, size))


@dataclass(frozen=True)
class BatchNormScratch:
    """What forward and backward share; statistics are (C,), blocks (blocks, lines, width).

    `centred` is x less the mean of its shard; `offset` is that mean less the one of the batch.
    `counts` are the values a channel in each shard, `total` their sum; `inverse_std` is
    1/√(σ² + ε). `sum` takes sums over all lines, `scale` and `shift` a constant of each channel;
    `block`, `work_row` and `work` hold intermediate values.
    """

    communicator: Communicator
    centred: Array
    block: Array
    ones: Array
    sum: Row
    work_row: Row
    scale: Row
    shift: Row
    mean: Array
    var: Array
    inverse_std: Array
    offset: Array
    work: Array
    local_stats: Array
    counts: list[Array]
    total: int
    inverse_total: Array

    def blocks(self, array: Array) -> Array:
        """An array of x's shape, divided into the same blocks."""
        return array.reshape(self.centred.shape)

    def line_sums(self, array: Array, sums: Array) -> Call:
        """The call that writes the sums over all lines of an array of x's shape, (width,)."""
        return partial(self.ones.dot, array.reshape(len(self.ones), -1), sums)


@dataclass(frozen=True, eq=False)
class BatchNorm(Norm, CollectiveLayer):
    """y = (x − μ) / √(σ² + ε) · w + b,  x and y (N, …, C); μ, σ², w and b (C,).

    In training μ and σ² are the mean and variance of a channel over the batch and all other axes,
    and running ← (1 − momentum) · running + momentum · batch, with the unbiased variance. In
    evaluation μ and σ² are the running ones. A batch with one value a channel has no variance: it
    gives y = b and does not change the running statistics. Source: Ioffe and Szegedy, Batch
    Normalization, 2015, in PyTorch's variant (which refuses such a batch). Weight decay applies to
    w and b with `train: {decay: all}` alone.
    """

    momentum: Share = 0.1
    epsilon: Positive = 1e-5

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; x − μ is kept for backward."""
        shape = shape_with_channels(x)
        size = shape[-1]
        return LayerPlan(
            y=shape,
            w=scale_and_shift(size),
            state={"running_mean": np.zeros(size), "running_var": np.ones(size)},
            buffers={"centred": ScratchSpec(shape)},
            multiply_adds=2 * prod(shape),
        )

    def prepare(
        self, ctx: Context, communicator: Communicator = SINGLE_PROCESS
    ) -> BatchNormScratch:
        """Blocks of lines that stay in cache, each line as many samples' channels as pay."""
        size, dtype = ctx.y.shape[-1], ctx.y.dtype
        positions = ctx.y[0].size // size
        lines, width = block_shape(len(ctx.y) * positions, size)
        counts = [positions * samples for samples in communicator.samples or (len(ctx.y),)]
        mean, var, inverse_std, offset, work = (np.empty(size, dtype) for _ in range(5))
        sums, work_row, scale, shift = (Row.empty(width, size, dtype) for _ in range(4))
        return BatchNormScratch(
            communicator=communicator,
            centred=ctx.buffers["centred"].reshape(-1, lines, width),
            block=np.empty((lines, width), dtype),
            ones=np.ones(ctx.y.size // width, dtype),
            sum=sums, work_row=work_row, scale=scale, shift=shift,
            mean=mean, var=var, inverse_std=inverse_std, offset=offset, work=work,
            local_stats=np.empty((2, size), dtype),
            counts=[scalar(count, dtype) for count in counts],
            total=sum(counts),
            inverse_total=scalar(1.0 / sum(counts), dtype),
        )  # fmt: skip

    def forward(self, ctx: Context, scratch: BatchNormScratch) -> Iterator[Call]:
        """Overwrite y, the centred x, its offset, and 1/√(σ² + ε)."""
        s = scratch
        if ctx.training:
            yield from self._measure(ctx, s)
        else:
            yield from self._centre(ctx, s, ctx.state["running_mean"])
            yield partial(np.copyto, s.var, ctx.state["running_var"])
            yield partial(s.offset.fill, 0.0)
        yield partial(np.add, s.var, scalar(self.epsilon, s.var.dtype), s.inverse_std)
        yield partial(np.sqrt, s.inverse_std, s.inverse_std)
        yield partial(np.reciprocal, s.inverse_std, s.inverse_std)
        yield partial(np.multiply, ctx.w["weight"], s.inverse_std, s.work)
        yield partial(np.copyto, s.scale.folded, s.work)
        yield partial(np.multiply, s.offset, s.work, s.work)
        yield partial(np.add, ctx.w["bias"], s.work, s.shift.folded)
        for centred, y in zip(s.centred, s.blocks(ctx.y), strict=True):
            yield partial(np.multiply, centred, s.scale.flat, y)
            yield partial(np.add, y, s.shift.flat, y)

    @staticmethod
    def _centre(ctx: Context, s: BatchNormScratch, mean: Array) -> Iterator[Call]:
        """Overwrite the centred x, with a known mean."""
        yield partial(np.copyto, s.scale.folded, mean)
        for x, centred in zip(s.blocks(ctx.x[0]), s.centred, strict=True):
            yield partial(np.subtract, x, s.scale.flat, centred)

    def _measure(self, ctx: Context, s: BatchNormScratch) -> Iterator[Call]:
        """Overwrite μ, σ² and the centred x, and update the running statistics."""
        mean, squares = s.local_stats
        dtype, ones = mean.dtype, s.ones[: len(s.block)]
        count = scalar(ctx.y.size // ctx.y.shape[-1], dtype)
        yield s.line_sums(ctx.x[0], s.sum.flat)
        yield partial(np.add.reduce, s.sum.folded, axis=0, out=mean)
        yield partial(np.divide, mean, count, mean)
        yield partial(np.copyto, s.scale.folded, mean)
        yield partial(s.sum.flat.fill, 0.0)
        for x, centred in zip(s.blocks(ctx.x[0]), s.centred, strict=True):
            yield partial(np.subtract, x, s.scale.flat, centred)
            yield partial(np.multiply, centred, centred, s.block)
            yield partial(ones.dot, s.block, s.work_row.flat)
            yield partial(np.add, s.sum.flat, s.work_row.flat, s.sum.flat)
        yield partial(np.add.reduce, s.sum.folded, axis=0, out=squares)
        yield partial(_combine, s)
        if s.communicator.rank == 0 and s.total > 1:
            unbiased = self.momentum * s.total / (s.total - 1)
            yield from self._update_running_stats(ctx, "running_mean", s.mean, self.momentum, s)
            yield from self._update_running_stats(ctx, "running_var", s.var, unbiased, s)

    def _update_running_stats(
        self, ctx: Context, name: str, batch: Array, share: float, s: BatchNormScratch
    ) -> Iterator[Call]:
        """running ← (1 − momentum) · running + share · batch."""
        running, dtype = ctx.state[name], batch.dtype
        yield partial(np.multiply, running, scalar(1.0 - self.momentum, dtype), running)
        yield partial(np.multiply, batch, scalar(share, dtype), s.work)
        yield partial(np.add, running, s.work, running)

    def backward(self, ctx: Context, scratch: BatchNormScratch) -> Iterator[Call]:
        """∂w = Σ ∂y·x̂,  ∂b = Σ ∂y,  ∂x = w/√(σ² + ε) · (∂y − mean ∂y − x̂ · mean ∂y·x̂).

        x̂ is (x − μ) / √(σ² + ε). With running statistics ∂x = w/√(σ² + ε) · ∂y. The sums for ∂w
        and ∂b are those of this shard, the means those of the whole batch.
        """
        s, dw, db = scratch, ctx.dw["weight"], ctx.dw["bias"]
        ones = s.ones[: len(s.block)]
        yield partial(s.sum.flat.fill, 0.0)
        for centred, dy in zip(s.centred, s.blocks(ctx.dy), strict=True):
            yield partial(np.multiply, dy, centred, s.block)
            yield partial(ones.dot, s.block, s.work_row.flat)
            yield partial(np.add, s.sum.flat, s.work_row.flat, s.sum.flat)
        yield partial(np.add.reduce, s.sum.folded, axis=0, out=dw)
        yield s.line_sums(ctx.dy, s.sum.flat)
        yield partial(np.add.reduce, s.sum.folded, axis=0, out=db)
        yield partial(np.multiply, db, s.offset, s.work)
        yield partial(np.add, dw, s.work, dw)
        yield partial(np.multiply, dw, s.inverse_std, dw)
        if ctx.dx[0] is not None:
            yield from self._input_gradient(ctx, s)

    def _input_gradient(self, ctx: Context, s: BatchNormScratch) -> Iterator[Call]:
        """Overwrite ∂x = work_row · (∂y − centred · scale − shift), rows of constants."""
        yield partial(np.multiply, ctx.w["weight"], s.inverse_std, s.work)
        yield partial(np.copyto, s.work_row.folded, s.work)
        dys, dxs = s.blocks(ctx.dy), s.blocks(ctx.dx[0])
        if not ctx.training:
            for dy, dx in zip(dys, dxs, strict=True):
                yield partial(np.multiply, dy, s.work_row.flat, dx)
            return
        means, local = np.empty_like(s.local_stats), np.empty_like(s.local_stats)
        yield partial(np.copyto, local[0], ctx.dw["weight"])
        yield partial(np.copyto, local[1], ctx.dw["bias"])
        yield partial(_global_means, s, local, means)
        yield partial(np.multiply, means[0], s.inverse_std, s.work)
        yield partial(np.copyto, s.scale.folded, s.work)
        yield partial(np.multiply, s.work, s.offset, s.work)
        yield partial(np.add, means[1], s.work, s.shift.folded)
        for centred, dy, dx in zip(s.centred, dys, dxs, strict=True):
            yield partial(np.multiply, centred, s.scale.flat, s.block)
            yield partial(np.add, s.block, s.shift.flat, s.block)
            yield partial(np.subtract, dy, s.block, dx)
            yield partial(np.multiply, dx, s.work_row.flat, dx)


def _combine(s: BatchNormScratch) -> None:
    """μ = Σ nₖ μₖ / n and σ² = Σ (Sₖ + nₖ (μₖ − μ)²) / n, from the μₖ and squares Sₖ of all shards.

    Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing
    sample variances, 1979.
    """
    mean, var, work = s.mean, s.var, s.work
    shards = s.communicator.all_gather(s.local_stats)
    mean.fill(0.0)
    for count, (shard_mean, _) in zip(s.counts, shards, strict=True):
        np.multiply(shard_mean, count, work)
        np.add(mean, work, mean)
    np.multiply(mean, s.inverse_total, mean)
    var.fill(0.0)
    for count, (shard_mean, squares) in zip(s.counts, shards, strict=True):
        np.subtract(shard_mean, mean, work)
        np.multiply(work, work, work)
        np.multiply(work, count, work)
        np.add(work, squares, work)
        np.add(var, work, var)
    np.multiply(var, s.inverse_total, var)
    np.subtract(s.local_stats[0], mean, s.offset)


def _global_means(s: BatchNormScratch, local: Array, means: Array) -> None:
    """The means of ∂y·x̂ and of ∂y over the whole batch, (2, C), from the sums of all shards."""
    np.add.reduce(s.communicator.all_gather(local), axis=0, out=means)
    np.multiply(means, s.inverse_total, means)


def block_shape(count: int, size: int) -> tuple[int, int]:
    """Of `count` rows of `size` channels: lines a block, and values a line, whole rows of them."""
    goal = min(LONG_ROW, max(ROW, count * size // 64))
    width = nearest_divisor(count, size, goal) * size
    return nearest_divisor(count * size // width, width, BLOCK), width
