"""Attention: every position of a sequence reads the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

import numpy as np

from ldl.arrays import Array
from ldl.engine.init import Fans, Glorot, Zeros
from ldl.engine.layer import (
    Call,
    Context,
    Layer,
    LayerPlan,
    ParameterSpec,
    ScratchSpec,
    TensorSpec,
)
from ldl.engine.layers.dropout import draw_mask
from ldl.engine.layers.linear import as_matrix
from ldl.engine.layers.shape_checks import format_shape
from ldl.engine.memory import scalar
from ldl.errors import ShapeError
from ldl.fields import Choice, Momentum, Size

MASKED_SCORE = -1e30  # added to a masked score: its exponential is 0, and there is no ∞ − ∞


class Heads(NamedTuple):
    """Values, or their gradients, by head; d = C/h.

    q, k, v and mixed = P·v are (N, h, L, d), p (N, h, L, L) keys first; `mixed_rows` is mixed as
    (N, L, h, d), its order in memory.
    """

    q: Array
    k: Array
    v: Array
    mixed: Array
    mixed_rows: Array
    p: Array

    @classmethod
    def of(cls, qkv: Array, mixed: Array, scores: Array, heads: int) -> Heads:
        """Views of the buffers qkv (N, L, 3C), mixed (N, L, C) and scores (N, L, h, L)."""
        samples, length, channels = mixed.shape
        depth = channels // heads
        by_head = qkv.reshape(samples, length, 3, heads, depth)
        q, k, v = (by_head[:, :, i].swapaxes(1, 2) for i in range(3))
        rows = mixed.reshape(samples, length, heads, depth)
        return cls(q, k, v, rows.swapaxes(1, 2), rows, scores.swapaxes(1, 2))


@dataclass(frozen=True)
class AttentionScratch:
    """What forward and backward share; `weights` is P before its division, after dropout.

    `inverse_sums` are the divisors of P as factors, (N, h, L, 1).
    """

    heads: Heads
    weights: Array
    inverse_sums: Array
    scale: Array


@dataclass(frozen=True, eq=False)
class MultiHeadAttention(Layer):
    """y = [P₁·v₁ … P_h·v_h]·w_out + b_out,  P = softmax(q·kᵀ / √d),  [q k v] = x·w_in + b_in.

    x and y (N, L, C), w_in (C, 3C), w_out (C, C); each of the h `heads` has d = C/h channels of q,
    k and v. `causal` hides later positions. A second input (N, L) marks padding: positions where
    it is not 0 are not read, and a query that may read nothing gets P = 0. Dropout acts on P.
    Source: Vaswani et al., Attention Is All You Need, 2017, section 3.2.2, as PyTorch's
    nn.MultiheadAttention has it with one sequence (which gives NaN for such a query).
    """

    heads: Size
    dropout: Momentum = 0.0
    bias: bool = True
    causal: bool = False
    init: Annotated[Any, Choice("initialiser")] = Glorot()

    @property
    def data_parallel(self) -> bool:
        """True without dropout, whose draws would depend on the division into shards."""
        return self.dropout == 0

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; scores are kept keys first, (L, h, L), so that sums run over rows."""
        length, channels = self._checked(x)
        fans_in, fans_out = Fans(channels, 3 * channels), Fans(channels, channels)
        w = {
            "in_proj_weight": ParameterSpec((channels, 3 * channels), self.init, fans_in),
            "out_proj_weight": ParameterSpec((channels, channels), self.init, fans_out),
        }
        if self.bias:
            w["in_proj_bias"] = ParameterSpec((3 * channels,), Zeros(), fans_in, decay=False)
            w["out_proj_bias"] = ParameterSpec((channels,), Zeros(), fans_out, decay=False)
        scores, rows = (length, self.heads, length), (self.heads, length)
        buffers = {
            "qkv": ScratchSpec((length, 3 * channels)),
            "scores": ScratchSpec(scores),
            "highest": ScratchSpec(rows, "forward"),
            "inverse_sum": ScratchSpec(rows),
            "mixed": ScratchSpec((length, channels)),
            "d qkv": ScratchSpec((length, 3 * channels), "backward"),
            "d scores": ScratchSpec(scores, "backward"),
            "d row": ScratchSpec(rows, "backward"),
            "d mixed": ScratchSpec((length, channels), "backward"),
        }
        if self.dropout:
            buffers |= {"mask": ScratchSpec(scores), "dropped": ScratchSpec(scores)}
        if len(x) == 2:
            buffers["padding"] = ScratchSpec((length,), "forward")
            buffers["readable"] = ScratchSpec(rows, "forward")
        cost = 4 * length * channels**2 + 2 * length**2 * channels
        return LayerPlan(y=(length, channels), w=w, buffers=buffers, multiply_adds=cost)

    def _checked(self, x: tuple[TensorSpec, ...]) -> tuple[int, int]:
        """L and C. Raises ShapeError where the inputs do not fit."""
        if not 1 <= len(x) <= 2:
            raise ShapeError(f"takes a sequence and perhaps its padding, got {len(x)} inputs")
        shape = x[0].shape
        if x[0].integer:
            raise ShapeError("takes numbers, got class indices")
        if len(shape) != 2:
            raise ShapeError(f"attention needs a sequence (L, C), got {format_shape(shape)}")
        if shape[1] % self.heads:
            raise ShapeError(f"{shape[1]} channels do not divide into {self.heads} heads")
        if len(x) == 2 and x[1].shape != shape[:1]:
            raise ShapeError(
                f"the padding of {format_shape(shape)} is ({shape[0]}), got "
                f"{format_shape(x[1].shape)}"
            )
        return shape[0], shape[1]

    def _drops(self, ctx: Context) -> bool:
        """Whether dropout acts."""
        return ctx.training and self.dropout > 0.0

    def prepare(self, ctx: Context) -> AttentionScratch:
        """Views of the buffers by head."""
        buffers, channels = ctx.buffers, ctx.y.shape[2]
        heads = Heads.of(buffers["qkv"], buffers["mixed"], buffers["scores"], self.heads)
        weights = buffers["dropped"].swapaxes(1, 2) if self._drops(ctx) else heads.p
        inverse_sums = buffers["inverse_sum"].swapaxes(1, 2)[..., None]
        scale = scalar((channels // self.heads) ** -0.5, ctx.y.dtype)
        return AttentionScratch(heads, weights, inverse_sums, scale)

    def forward(self, ctx: Context, scratch: AttentionScratch) -> Iterator[Call]:
        """Overwrite y, qkv with q/√d in it, e^(score − highest) in `scores`, 1/Σ of these."""
        w, heads = ctx.w, scratch.heads
        scores, highest, inverse_sum = (
            ctx.buffers[name] for name in ("scores", "highest", "inverse_sum")
        )
        samples, length, _ = ctx.y.shape
        qkv, mixed = as_matrix(ctx.buffers["qkv"]), as_matrix(ctx.buffers["mixed"])
        y = as_matrix(ctx.y)
        yield partial(as_matrix(ctx.x[0]).dot, w["in_proj_weight"], qkv)
        if self.bias:
            yield partial(np.add, qkv, w["in_proj_bias"], qkv)
        yield partial(np.multiply, heads.q, scratch.scale, heads.q)
        yield partial(np.matmul, heads.k, heads.q.swapaxes(2, 3), heads.p)
        yield from self._mask_scores(ctx)
        yield partial(np.maximum.reduce, scores, axis=1, out=highest)
        yield partial(np.subtract, scores, highest[:, None], scores)
        yield partial(np.exp, scores, scores)
        ones, by_key = np.ones(length, y.dtype), scores.reshape(samples, length, -1)
        yield partial(np.matmul, ones, by_key, inverse_sum.reshape(samples, -1))
        yield partial(np.reciprocal, inverse_sum, inverse_sum)
        if len(ctx.x) == 2:
            readable = ctx.buffers["readable"]
            yield partial(np.greater, highest, 0.5 * MASKED_SCORE, readable)
            yield partial(np.multiply, inverse_sum, readable, inverse_sum)
        if self._drops(ctx):
            yield from draw_mask(ctx, self.dropout)
            yield partial(np.multiply, scores, ctx.buffers["mask"], ctx.buffers["dropped"])
        yield partial(np.matmul, scratch.weights.swapaxes(2, 3), heads.v, heads.mixed)
        yield partial(np.multiply, heads.mixed_rows, scratch.inverse_sums, heads.mixed_rows)
        yield partial(mixed.dot, w["out_proj_weight"], y)
        if self.bias:
            yield partial(np.add, y, w["out_proj_bias"], y)

    def _mask_scores(self, ctx: Context) -> Iterator[Call]:
        """Lower the scores of later positions and of padding."""
        scores, dtype = ctx.buffers["scores"], ctx.y.dtype
        samples, length, _ = ctx.y.shape
        if self.causal:
            later = np.arange(length)[:, None, None] > np.arange(length)
            masked = np.where(np.repeat(later, self.heads, axis=1), MASKED_SCORE, 0.0)
            rows = scores.reshape(samples, -1)
            yield partial(np.add, rows, masked.astype(dtype).reshape(-1), rows)
        if len(ctx.x) == 2:
            padding, by_key = ctx.buffers["padding"], scores.reshape(samples, length, -1)
            yield partial(np.greater, ctx.x[1], scalar(0.5, dtype), padding)
            yield partial(np.multiply, padding, scalar(MASKED_SCORE, dtype), padding)
            yield partial(np.add, by_key, padding[:, :, None], by_key)

    def backward(self, ctx: Context, scratch: AttentionScratch) -> Iterator[Call]:
        """∂v = Pᵀ·∂m,  ∂P = ∂m·vᵀ,  ∂s = P · (∂P − Σ_j ∂P·P),  ∂q = ∂s·k/√d,  ∂k = ∂sᵀ·q/√d.

        m = P·v, s = q·kᵀ/√d. The division of P by its sums is applied to ∂m, and Σ_j ∂P·P is ∂m·m.
        """
        buffers, dw, heads = ctx.buffers, ctx.dw, scratch.heads
        d = Heads.of(buffers["d qkv"], buffers["d mixed"], buffers["d scores"], self.heads)
        d_scores, d_row = buffers["d scores"], buffers["d row"]
        dy, d_qkv, d_mixed = (as_matrix(a) for a in (ctx.dy, buffers["d qkv"], buffers["d mixed"]))
        yield partial(as_matrix(buffers["mixed"]).T.dot, dy, dw["out_proj_weight"])
        yield partial(dy.dot, ctx.w["out_proj_weight"].T, d_mixed)
        yield partial(np.multiply, d.mixed_rows, scratch.inverse_sums, d.mixed_rows)
        yield partial(np.vecdot, d.mixed, heads.mixed, d_row)
        yield partial(np.matmul, scratch.weights, d.mixed, d.v)
        yield partial(np.matmul, heads.v, d.mixed.swapaxes(2, 3), d.p)
        if self._drops(ctx):
            yield partial(np.multiply, d_scores, buffers["mask"], d_scores)
        yield partial(np.subtract, d_scores, d_row[:, None], d_scores)
        yield partial(np.multiply, d_scores, buffers["scores"], d_scores)
        yield partial(np.matmul, d.p.swapaxes(2, 3), heads.k, d.q)
        yield partial(np.multiply, d.q, scratch.scale, d.q)
        yield partial(np.matmul, d.p, heads.q, d.k)
        yield partial(as_matrix(ctx.x[0]).T.dot, d_qkv, dw["in_proj_weight"])
        if self.bias:
            ones = np.ones(len(dy), dy.dtype)
            yield partial(ones.dot, dy, dw["out_proj_bias"])
            yield partial(ones.dot, d_qkv, dw["in_proj_bias"])
        if ctx.dx[0] is not None:
            yield partial(d_qkv.dot, ctx.w["in_proj_weight"].T, as_matrix(ctx.dx[0]))
        if len(ctx.x) == 2 and ctx.dx[1] is not None:
            yield partial(ctx.dx[1].fill, 0.0)
