"""The base of rnn, gru and lstm: one matrix of all weights, one product a time step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.init import Fans, Uniform
from ldl.engine.layer import (
    Call,
    Context,
    Layer,
    LayerPlan,
    ParameterSpec,
    ScratchSpec,
    TensorSpec,
)
from ldl.engine.layers.shape_checks import format_shape, one_input
from ldl.engine.memory import scalar
from ldl.errors import ShapeError
from ldl.fields import Choice, Size


@dataclass(frozen=True)
class RecurrentScratch:
    """What forward and backward share, feature-major; the last axis is the samples.

    z (H+1+C, L+1, N) holds the states, a row of ones and the inputs; `z_at` is z by time, `h_old`
    and `h` (L, H, N) are its states before and after each step. `packed` holds all weights,
    (H+1+C, blocks·H), and `packed_t` its transpose, halved where a σ follows. The rest are
    constants.
    """

    z: Array
    z_at: Array
    h_old: Array
    h: Array
    packed: Array
    packed_t: Array
    zeros: Array
    half: Array
    one: Array


@dataclass(frozen=True)
class RecurrentGradients:
    """Memory of backward: ∂a of all times (L, blocks·H, N), and ∂hₜ (H, N) of one step."""

    da: Array
    dh: Array


@dataclass(frozen=True, eq=False)
class Recurrent(Layer):
    """hₜ = f(a),  a = packedᵀ·z,  z = [hₜ₋₁; 1; xₜ],  h₀ = 0,  packed (H+1+C, blocks of H).

    Within the layer samples are the last axis: a is (blocks·H, N), so that a gate, or several of
    them, are contiguous, and no elementwise call runs over short rows. z is kept for all times,
    and so are the gradients of a: ∂packed is one product. The packed matrix holds all weights, so
    that inputs and biases need no product of their own. For the gates `separate` it keeps the
    weights of the state and of the input apart, the latter in blocks after the others.

    σ(a) is ½ + ½·tanh(a/2): three fast passes, where 1 / (1 + e⁻ᵃ) takes four of which two are
    slow. The packed weights give a/2, exact in binary. The error is a rounding of 1.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    gates: ClassVar[tuple[int, ...]]  # the weights' gate in each block that the state reaches
    separate: ClassVar[tuple[int, ...]] = ()  # gates of the blocks after those
    sigmoids: ClassVar[int] = 0  # the number of blocks, the first ones, with a σ

    units: Size
    return_sequences: bool = False
    bias: bool = True
    init: Annotated[Any, Choice("initialiser")] = Uniform()
    bias_init: Annotated[Any, Choice("initialiser")] = Uniform()

    def step_buffers(self, length: int) -> dict[str, ScratchSpec]:
        """The buffers of the cell, by name."""
        raise NotImplementedError

    def step(self, ctx: Context, scratch: Any, t: int) -> Iterator[Call]:
        """Overwrite hₜ, `scratch.h[t]`."""
        raise NotImplementedError

    def step_backward(
        self, ctx: Context, scratch: Any, gradients: RecurrentGradients, t: int
    ) -> Iterator[Call]:
        """Overwrite ∂a of time t, `gradients.da[t]`, from ∂hₜ, `gradients.dh`."""
        raise NotImplementedError

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """Output (H,) or (L, H); L·(C + H)·GH multiply-adds for G gates."""
        shape = one_input(x)
        if len(shape) != 2:
            hint = (
                "`return_sequences: true` keeps all states of one before, reshape makes sequences"
            )
            raise ShapeError(f"takes a sequence (L, C), got {format_shape(shape)}: {hint}")
        (length, channels), H = shape, self.units
        columns, fans = len(self.gates) * H, Fans(H, H)
        w = {
            "weight_ih": ParameterSpec((channels, columns), self.init, fans),
            "weight_hh": ParameterSpec((H, columns), self.init, fans),
        }
        if self.bias:
            for name in ("bias_ih", "bias_hh"):
                w[name] = ParameterSpec((columns,), self.bias_init, fans, decay=False)
        buffers = {
            "z": ScratchSpec((length + 1, H + self.bias + channels)),
            "da": ScratchSpec((length, self._width), "backward"),
            "dh": ScratchSpec((H,), "backward"),
            "dx": ScratchSpec((length, channels), "backward"),
        }
        return LayerPlan(
            y=(length, H) if self.return_sequences else (H,),
            w=w,
            buffers={**buffers, **self.step_buffers(length)},
            multiply_adds=length * (channels + H) * columns,
            products=length,
        )

    @property
    def _width(self) -> int:
        """Columns of the packed matrix."""
        return (len(self.gates) + len(self.separate)) * self.units

    def prepare(self, ctx: Context) -> RecurrentScratch:
        """The packed matrix, and views of z."""
        x, H = ctx.x[0], self.units
        samples, length, _ = x.shape
        z = ctx.buffers["z"].reshape(-1, length + 1, samples)
        z_at = z.swapaxes(0, 1)
        # Sixteen more columns: with rows of 2^k values, transposing would keep missing the cache.
        packed = np.zeros((len(z), self._width + 16), x.dtype)[:, :-16]
        packed_t = np.zeros((self._width, len(z)), x.dtype)
        zeros = np.zeros((H, samples), x.dtype)
        half, one = scalar(0.5, x.dtype), scalar(1.0, x.dtype)
        states = z_at[:-1, :H], z_at[1:, :H]
        return RecurrentScratch(z, z_at, *states, packed, packed_t, zeros, half, one)

    @staticmethod
    def feature_major(ctx: Context, name: str) -> Array:
        """A buffer (N, F) as (F, N)."""
        return ctx.buffers[name].reshape(-1, len(ctx.y))

    @staticmethod
    def by_time(ctx: Context, name: str) -> Array:
        """A buffer (N, L, F) as (L, F, N)."""
        array = ctx.buffers[name]
        return array.reshape(array.shape[1], -1, array.shape[0])

    def forward(self, ctx: Context, scratch: RecurrentScratch) -> Iterator[Call]:
        """Overwrite y."""
        x, z, h, H = ctx.x[0], scratch.z, scratch.h, self.units
        yield from self._pack(ctx, scratch)
        yield partial(np.copyto, z[H + self.bias :, : len(h)], x.transpose(2, 1, 0))
        yield partial(z[H : H + self.bias].fill, 1.0)
        yield partial(scratch.h_old[0].fill, 0.0)
        for t in range(len(h)):
            yield from self.step(ctx, scratch, t)
        states = h.transpose(2, 0, 1) if self.return_sequences else h[-1].T
        yield partial(np.copyto, ctx.y, states)

    @staticmethod
    def product(scratch: RecurrentScratch, t: int, out: Array) -> Call:
        """The call that overwrites `out` with aₜ, halved where a σ follows."""
        return partial(np.matmul, scratch.packed_t, scratch.z_at[t], out)

    def backward(self, ctx: Context, scratch: RecurrentScratch) -> Iterator[Call]:
        """∂packed = Σₜ zₜ·∂aₜᵀ,  ∂xₜ = packed_x·∂aₜ,  ∂hₜ₋₁ = packed_h·∂aₜ (+ ∂yₜ₋₁)."""
        H, (samples, length, _) = self.units, ctx.x[0].shape
        all_da = ctx.buffers["da"].reshape(-1, length * samples)
        da, dh = all_da.reshape(-1, length, samples).swapaxes(0, 1), self.feature_major(ctx, "dh")
        gradients = RecurrentGradients(da, dh)
        columns = len(self.gates) * H
        for t in range(length - 1, -1, -1):
            dy = ctx.dy[:, t].T if self.return_sequences else ctx.dy.T
            if t == length - 1:
                yield partial(np.copyto, dh, dy)
            else:
                yield partial(np.matmul, scratch.packed[:H, :columns], da[t + 1, :columns], dh)
                if "carry" in ctx.buffers:
                    yield partial(np.add, dh, self.feature_major(ctx, "carry"), dh)
                if self.return_sequences:
                    yield partial(np.add, dh, dy, dh)
            yield from self.step_backward(ctx, scratch, gradients, t)
        z = scratch.z.reshape(len(scratch.z), -1)
        d_packed = np.zeros((len(z), self._width), z.dtype)
        yield partial(np.matmul, z[:, : length * samples], all_da.T, d_packed)
        for dw, packed_dw in self._packed_slices(ctx.dw, d_packed):
            yield partial(np.copyto, dw, packed_dw)
        if ctx.dx[0] is not None:
            dx = ctx.buffers["dx"].reshape(-1, length * samples)
            yield partial(np.matmul, scratch.packed[H + self.bias :], all_da, dx)
            by_time = dx.reshape(len(dx), length, samples)
            yield partial(np.copyto, ctx.dx[0], by_time.transpose(2, 1, 0))

    def _pack(self, ctx: Context, scratch: RecurrentScratch) -> Iterator[Call]:
        """Overwrite the packed matrix and its transpose from the weights."""
        packed, packed_t = scratch.packed, scratch.packed_t
        if self.bias:
            yield partial(packed[self.units].fill, 0.0)
        for w, packed_w in self._packed_slices(ctx.w, packed):
            if w.ndim == 2:
                yield partial(np.copyto, packed_w, w)
            else:
                yield partial(np.add, packed_w, w, packed_w)
        yield partial(np.copyto, packed_t, packed.T)
        halved = packed_t[: self.sigmoids * self.units]
        yield partial(np.multiply, halved, scalar(0.5, packed.dtype), halved)

    def _packed_slices(
        self, w: Mapping[str, Array], packed: Array
    ) -> Iterator[tuple[Array, Array]]:
        """Each gate's slice of each weight, and its slice of the packed matrix.

        Both biases have the same slice there.
        """
        H = self.units
        rows = {"weight_hh": packed[:H], "weight_ih": packed[H + self.bias :]}
        if self.bias:
            rows |= {"bias_hh": packed[H], "bias_ih": packed[H]}
        for name, row in rows.items():
            from_state = name.endswith("_hh")
            for block, gate in enumerate((*self.gates, *self.separate)):
                belongs = (block < len(self.gates)) == from_state
                if belongs or gate not in self.separate:
                    columns = slice(gate * H, (gate + 1) * H)
                    yield w[name][..., columns], row[..., block * H : (block + 1) * H]
