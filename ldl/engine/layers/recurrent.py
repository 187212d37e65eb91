"""What rnn, gru and lstm share: samples last, a product a time step, one matrix of weights."""

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
    LayerPlan,
    ParameterSpec,
    Recorded,
    ScratchSpec,
    TensorSpec,
)
from ldl.engine.layers.shape_checks import one_input, words
from ldl.engine.memory import scalar
from ldl.errors import ShapeError
from ldl.fields import Choice, Size


@dataclass(frozen=True, eq=False)
class Recurrent(Recorded):
    """hₜ = f(a),  a = wideᵀ·z,  z = [hₜ₋₁; 1; xₜ],  h₀ = 0,  wide (H+1+C, blocks of H).

    Within the layer samples are the last axis: a is (blocks·H, N), so that a gate, or several of
    them, are one contiguous piece, and no work on values runs over short rows. z is kept of all
    times, (H+1+C, L+1, N), and so are the gradients of a: ∂wide is one product. The wide matrix
    holds all weights, so that inputs and biases cost a step no pass of their own. Of the gates
    `apart` it keeps what the state and what the input gives apart, in blocks of their own.

    σ(a) is ½ + ½·tanh(a/2): three fast passes, where the exponential's way takes four of which
    two are slow. tmp["ahead"], the wide matrix transposed, gives a/2, exact in binary. The error
    is a rounding of 1.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    gates: ClassVar[tuple[int, ...]]  # the weights' gate in each block that the state reaches
    apart: ClassVar[tuple[int, ...]] = ()  # in the blocks after those, which the input alone does
    sigmoids: ClassVar[int] = 0  # how many blocks, the first ones, a σ follows

    units: Size
    return_sequences: bool = False
    bias: bool = True
    init: Annotated[Any, Choice("initialiser")] = Uniform()
    bias_init: Annotated[Any, Choice("initialiser")] = Uniform()

    def scratch(self, length: int) -> dict[str, ScratchSpec]:
        """What else a node needs, by name."""
        raise NotImplementedError

    def step(self, node: Context, t: int) -> Iterator[Call]:
        """Overwrite tmp["h"][t]."""
        raise NotImplementedError

    def step_back(self, node: Context, t: int) -> Iterator[Call]:
        """Overwrite tmp["da"][t], the gradient of a, from tmp["dh"], that of hₜ."""
        raise NotImplementedError

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """Output (H,) or (L, H); L·(C + H)·GH multiply-adds for G gates."""
        shape = one_input(x)
        if len(shape) != 2:
            advice = (
                "`return_sequences: true` keeps all states of one before, reshape makes sequences"
            )
            raise ShapeError(f"takes a sequence (L, C), got {words(shape)}: {advice}")
        (length, channels), H = shape, self.units
        columns, fans = len(self.gates) * H, Fans(H, H)
        w = {
            "weight_ih": ParameterSpec((channels, columns), self.init, fans),
            "weight_hh": ParameterSpec((H, columns), self.init, fans),
        }
        if self.bias:
            for name in ("bias_ih", "bias_hh"):
                w[name] = ParameterSpec((columns,), self.bias_init, fans, decay=False)
        tmp = {
            "z": ScratchSpec((length + 1, H + self.bias + channels)),
            "da": ScratchSpec((length, self._width), "backward"),
            "dh": ScratchSpec((H,), "backward"),
            "dx": ScratchSpec((length, channels), "backward"),
        }
        return LayerPlan(
            y=(length, H) if self.return_sequences else (H,),
            w=w,
            tmp={**tmp, **self.scratch(length)},
            multiply_adds=length * (channels + H) * columns,
            products=length,
        )

    @property
    def _width(self) -> int:
        """Columns of the wide matrix."""
        return (len(self.gates) + len(self.apart)) * self.units

    def bind(self, node: Context) -> None:
        """The wide matrix, and views whose items are the times', samples last."""
        tmp, x, H = node.tmp, node.x[0], self.units
        samples, length, channels = x.shape
        tmp["z"] = tmp["z"].reshape(-1, length + 1, samples)
        z = tmp["z at"] = tmp["z"].swapaxes(0, 1)
        tmp["h_old"], tmp["h"] = z[:-1, :H], z[1:, :H]
        rows = z.shape[1]
        # Sixteen more columns: down a row of 2^k values, transposing would keep missing the cache.
        tmp["wide"] = np.zeros((rows, self._width + 16), x.dtype)[:, :-16]
        tmp["ahead"] = np.zeros((self._width, rows), x.dtype)
        tmp["half"], tmp["unit"] = scalar(0.5, x.dtype), scalar(1.0, x.dtype)
        if node.dy is not None:
            tmp["dwide"] = np.zeros((rows, self._width), x.dtype)
            tmp["all da"] = tmp["da"].reshape(-1, length * samples)
            tmp["da"] = tmp["da"].reshape(-1, length, samples).swapaxes(0, 1)
            tmp["dh"] = tmp["dh"].reshape(-1, samples)
            tmp["dx"] = tmp["dx"].reshape(channels, length * samples)

    def by_time(self, node: Context, name: str) -> Array:
        """tmp[name], a buffer (N, L, F), as (L, F, N)."""
        array: Array = node.tmp[name]
        samples, length, _ = array.shape
        return array.reshape(length, -1, samples)

    def ahead(self, node: Context) -> Iterator[Call]:
        """Overwrite y."""
        tmp, x, z, H = node.tmp, node.x[0], node.tmp["z"], self.units
        length = x.shape[1]
        yield from self._widen(node)
        yield partial(np.copyto, z[H + self.bias :, :length], x.transpose(2, 1, 0))
        yield partial(z[H : H + self.bias].fill, 1.0)
        yield partial(tmp["h_old"][0].fill, 0.0)
        for t in range(length):
            yield from self.step(node, t)
        h = tmp["h"]
        yield partial(np.copyto, node.y, h.transpose(2, 0, 1) if self.return_sequences else h[-1].T)

    def product(self, node: Context, t: int, out: Array) -> Call:
        """The call that overwrites `out` with aₜ, halved where a σ follows."""
        return partial(np.matmul, node.tmp["ahead"], node.tmp["z at"][t], out)

    def back(self, node: Context) -> Iterator[Call]:
        """∂wide = Σₜ zₜ·∂aₜᵀ,  ∂xₜ = wide_x·∂aₜ,  ∂hₜ₋₁ = wide_h·∂aₜ (+ ∂yₜ₋₁), by wide's rows."""
        tmp, da, dh, H = node.tmp, node.tmp["da"], node.tmp["dh"], self.units
        last = len(da) - 1
        reaching = tmp["wide"][:H, : len(self.gates) * H]
        for t in range(last, -1, -1):
            if t < last:
                yield partial(np.matmul, reaching, da[t + 1, : len(self.gates) * H], dh)
                if "carry" in tmp:
                    yield partial(np.add, dh, tmp["carry"], dh)
                if self.return_sequences:
                    yield partial(np.add, dh, node.dy[:, t].T, dh)
            else:
                yield partial(
                    np.copyto, dh, (node.dy[:, t] if self.return_sequences else node.dy).T
                )
            yield from self.step_back(node, t)
        z, all_da = tmp["z"].reshape(len(tmp["z"]), -1), tmp["all da"]
        yield partial(np.matmul, z[:, : all_da.shape[1]], all_da.T, tmp["dwide"])
        for dw, part in self._parts(node.dw, tmp["dwide"]):
            yield partial(np.copyto, dw, part)
        if node.dx[0] is not None:
            dx = tmp["dx"]
            yield partial(np.matmul, tmp["wide"][H + self.bias :], all_da, dx)
            by_time = dx.reshape(len(dx), len(da), -1)
            yield partial(np.copyto, node.dx[0], by_time.transpose(2, 1, 0))

    def _widen(self, node: Context) -> Iterator[Call]:
        """Overwrite the wide matrix from the weights."""
        tmp, wide = node.tmp, node.tmp["wide"]
        if self.bias:
            yield partial(wide[self.units].fill, 0.0)
        for w, part in self._parts(node.w, wide):
            if w.ndim == 2:
                yield partial(np.copyto, part, w)
            else:
                yield partial(np.add, part, w, part)
        yield partial(np.copyto, tmp["ahead"], wide.T)
        halved = tmp["ahead"][: self.sigmoids * self.units]
        yield partial(np.multiply, halved, tmp["half"], halved)

    def _parts(self, w: Mapping[str, Array], wide: Array) -> Iterator[tuple[Array, Array]]:
        """Parts of the weights, each with its place in the wide matrix; biases share theirs."""
        H = self.units
        rows = {"weight_hh": wide[:H], "weight_ih": wide[H + self.bias :]}
        if self.bias:
            rows |= {"bias_hh": wide[H], "bias_ih": wide[H]}
        for name, row in rows.items():
            state = name.endswith("_hh")
            for block, gate in enumerate((*self.gates, *self.apart)):
                own = block < len(self.gates) if state else block >= len(self.gates)
                if own or gate not in self.apart:
                    columns = slice(gate * H, (gate + 1) * H)
                    yield w[name][..., columns], row[..., block * H : (block + 1) * H]
