"""What rnn, gru and lstm share: scratch by time, one product a time step, one for all weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Annotated, Any, ClassVar

import numpy as np

from ldl.engine.init import Fans, Uniform
from ldl.engine.layer import Buffer, Layer, Node, Plan, Spec, Weight
from ldl.engine.layers.shapes import one_input, words
from ldl.engine.memory import Array
from ldl.errors import ShapeError
from ldl.fields import Choice, Size


@dataclass(frozen=True, eq=False)
class Recurrent(Layer):
    """hₜ = f(a),  a = [hₜ₋₁ 1 xₜ]·wide,  h₀ = 0,  wide (H+1+C, blocks of H).

    The wide matrix holds all weights, so that inputs and biases cost a step no pass of their own
    and ∂wide is one product over all steps. Of the last `apart` gates it keeps what the state and
    what the input gives apart, in blocks of their own.

    σ(a) is ½ + ½·tanh(a/2): three fast passes, where the exponential's way takes four of which
    two are slow. The wide matrix gives a/2, exact in binary. The error is a rounding of 1.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    gates: ClassVar[int]  # blocks of H columns in weight_ih and weight_hh
    apart: ClassVar[int] = 0
    sigmoids: ClassVar[tuple[int, ...]] = ()  # the wide matrix's blocks that a σ follows

    units: Size
    return_sequences: bool = False
    bias: bool = True
    init: Annotated[Any, Choice("initialiser")] = Uniform()
    bias_init: Annotated[Any, Choice("initialiser")] = Uniform()

    @property
    def blocks(self) -> int:
        """Blocks of H columns in the wide matrix."""
        return self.gates + self.apart

    def scratch(self, length: int) -> dict[str, Buffer]:
        """What else a node needs, by name."""
        raise NotImplementedError

    def steps(self, node: Node) -> None:
        """Overwrite tmp["h"], the states."""
        raise NotImplementedError

    def steps_back(self, node: Node) -> None:
        """Overwrite tmp["da"], the gradients of a."""
        raise NotImplementedError

    def plan(self, x: tuple[Spec, ...]) -> Plan:
        """Output (H,) or (L, H); L·(C + H)·GH multiply-adds for G gates."""
        shape = one_input(x)
        if len(shape) != 2:
            advice = (
                "`return_sequences: true` keeps all states of one before, reshape makes sequences"
            )
            raise ShapeError(f"takes a sequence (L, C), got {words(shape)}: {advice}")
        (length, channels), H = shape, self.units
        columns, fans = self.gates * H, Fans(H, H)
        w = {
            "weight_ih": Weight((channels, columns), self.init, fans),
            "weight_hh": Weight((H, columns), self.init, fans),
        }
        if self.bias:
            for name in ("bias_ih", "bias_hh"):
                w[name] = Weight((columns,), self.bias_init, fans, decay=False)
        tmp = {
            "z": Buffer((length + 1, H + self.bias + channels)),
            "a": Buffer((self.blocks * H,), "forward"),
            "da": Buffer((length, self.blocks * H), "backward"),
            "dh": Buffer((H,), "backward"),
            "dx": Buffer((length, channels), "backward"),
        }
        return Plan(
            y=(length, H) if self.return_sequences else (H,),
            w=w,
            tmp={**tmp, **self.scratch(length)},
            multiply_adds=length * (channels + H) * columns,
            products=length,
        )

    def bind(self, node: Node) -> None:
        """The wide matrix and views with time first, (L, N, …), whose items are the steps'."""
        tmp, x, H = node.tmp, node.x[0], self.units
        samples, length, _ = x.shape
        z = tmp["z"].reshape(length + 1, samples, -1)
        tmp["h_old"], tmp["h"] = z[:-1, :, :H], z[1:, :, :H]
        tmp["ones"], tmp["x"] = z[:-1, :, H : H + self.bias], z[:-1, :, H + self.bias :]
        tmp["xT"] = x.transpose(1, 0, 2)
        tmp["y"] = tmp["h"].transpose(1, 0, 2) if self.return_sequences else tmp["h"][-1]
        tmp["z"] = z[:-1]
        tmp["wide"] = np.zeros((z.shape[-1], self.blocks * H), x.dtype)
        tmp["a_blocks"] = tmp["a"].reshape(samples, self.blocks, H).transpose(1, 0, 2)
        halved = np.isin(np.arange(self.blocks), self.sigmoids)
        tmp["scale"] = np.where(halved, 0.5, 1.0).astype(x.dtype).repeat(H)
        if node.dy is not None:
            self._bind_back(node)

    def _bind_back(self, node: Node) -> None:
        """The same for backward."""
        tmp, H = node.tmp, self.units
        samples, length, channels = node.x[0].shape
        tmp["zT"] = tmp["z"].reshape(length * samples, -1).T
        flat = tmp["da_flat"] = tmp["da"].reshape(length * samples, -1)
        da = tmp["da"] = flat.reshape(length, samples, -1)
        tmp["da_blocks"] = da.reshape(length, samples, self.blocks, H).transpose(0, 2, 1, 3)
        tmp["da_h"] = da[:, :, : self.gates * H]
        tmp["dwide"] = np.zeros_like(tmp["wide"])
        tmp["unscale"] = (1.0 / tmp["scale"])[:, None]
        tmp["whT"] = np.zeros((self.gates * H, H), da.dtype)
        if self.return_sequences:
            tmp["dy"] = node.dy.transpose(1, 0, 2)
        if node.dx[0] is not None:
            tmp["wxT"] = np.zeros((flat.shape[1], channels), da.dtype)
            tmp["dx"] = tmp["dx"].reshape(length * samples, channels)
            tmp["dxT"] = tmp["dx"].reshape(length, samples, channels).transpose(1, 0, 2)

    def forward(self, node: Node) -> None:
        """Overwrite y."""
        tmp = node.tmp
        self._widen(node)
        np.copyto(tmp["x"], tmp["xT"])
        tmp["ones"].fill(1.0)
        tmp["h_old"][0].fill(0.0)
        self.steps(node)
        np.copyto(node.y, tmp["y"])

    def backward(self, node: Node) -> None:
        """∂wide = Σₜ [hₜ₋₁ 1 xₜ]ᵀ·∂aₜ,  ∂x = ∂a·(wide's rows of x)ᵀ."""
        tmp, H = node.tmp, self.units
        wide, unscale, whT = tmp["wide"], tmp["unscale"], tmp["whT"]
        np.multiply(wide[:H, : len(whT)].T, unscale[: len(whT)], whT)
        self.steps_back(node)
        tmp["zT"].dot(tmp["da_flat"], tmp["dwide"])
        for dw, part in self._parts(node.dw, tmp["dwide"]):
            np.copyto(dw, part)
        if node.dx[0] is not None:
            np.multiply(wide[H + self.bias :].T, unscale, tmp["wxT"])
            tmp["da_flat"].dot(tmp["wxT"], tmp["dx"])
            np.copyto(node.dx[0], tmp["dxT"])

    def from_the_last(self, node: Node, *names: str) -> Iterator[tuple[Array, ...]]:
        """The steps' items of tmp's arrays, last step first; tmp["dh"] is then ∂hₜ.

        ∂hₜ = ∂aₜ₊₁·w_hhᵀ (+ carry) (+ ∂yₜ): what the step itself hands back is in tmp["carry"].
        """
        tmp = node.tmp
        dh, whT, carry = tmp["dh"], tmp["whT"], tmp.get("carry")
        dys = reversed(tmp["dy"]) if self.return_sequences else repeat(None)
        np.copyto(dh, tmp["dy"][-1] if self.return_sequences else node.dy)
        later: Array | None = None
        steps = zip(*(reversed(tmp[name]) for name in names), strict=True)
        for da, dy, items in zip(reversed(tmp["da_h"]), dys, steps, strict=False):
            if later is not None:
                np.matmul(later, whT, dh)  # dot would copy a part of the columns
                if carry is not None:
                    np.add(dh, carry, dh)
                if dy is not None:
                    np.add(dh, dy, dh)
            yield items
            later = da

    def _widen(self, node: Node) -> None:
        """Overwrite the wide matrix from the weights."""
        wide = node.tmp["wide"]
        if self.bias:
            wide[self.units].fill(0.0)
        for w, part in self._parts(node.w, wide):
            if w.ndim == 2:
                np.copyto(part, w)
            else:
                np.add(part, w, part)
        if self.sigmoids:
            np.multiply(wide, node.tmp["scale"], wide)

    def _parts(self, w: Mapping[str, Array], wide: Array) -> Iterator[tuple[Array, Array]]:
        """Weights, or parts of them, each with its place in the wide matrix; biases share theirs.

        Columns are [gates whose parts are summed | what the state gives | what the input gives].
        """
        H, columns = self.units, self.gates * self.units
        summed = columns - self.apart * H
        rows = {"weight_hh": wide[:H], "weight_ih": wide[H + self.bias :]}
        if self.bias:
            rows |= {"bias_hh": wide[H], "bias_ih": wide[H]}
        for name, row in rows.items():
            if name.endswith("_hh"):
                yield w[name], row[..., :columns]
            else:
                yield w[name][..., :summed], row[..., :summed]
                yield w[name][..., summed:], row[..., columns:]
