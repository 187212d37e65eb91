"""Attention: every position of a sequence looks at the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ldl.engine.init import Fans, Glorot, Zeros
from ldl.engine.layer import Context, Layer, LayerPlan, ParameterSpec, ScratchSpec, TensorSpec
from ldl.engine.layers.dropout import draw_mask, prepare_mask
from ldl.engine.layers.shape_checks import words
from ldl.engine.memory import scalar
from ldl.errors import ShapeError
from ldl.fields import Choice, Momentum, Size

FORBIDDEN = -1e30  # what a masked score is lowered by: its exponential is 0, and no ∞ − ∞ arises


@dataclass(frozen=True, eq=False)
class MultiHeadAttention(Layer):
    """y = [P₁·v₁ … P_h·v_h]·w_out + b_out,  P = softmax(q·kᵀ / √d),  [q k v] = x·w_in + b_in.

    x and y (N, L, C), w_in (C, 3C), w_out (C, C); each of the h `heads` has d = C/h channels of q,
    k and v. `causal` hides what comes later. A second input (N, L) marks padding: positions
    where it is not 0 are not looked at, and a query that may look at nothing gets P = 0. Dropout
    acts on P. Source: Vaswani et al., Attention Is All You Need, 2017, section 3.2.2, as PyTorch's
    nn.MultiheadAttention has it with one sequence (which gives NaN for such a query).
    """

    heads: Size
    dropout: Momentum = 0.0
    bias: bool = True
    causal: bool = False
    init: Annotated[Any, Choice("initialiser")] = Glorot()

    @property
    def data_parallel(self) -> bool:
        """Only without dropout, whose draws would depend on how the batch is divided."""
        return self.dropout == 0

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; scores are kept keys first, (L, h, L), so that sums run over rows."""
        length, channels = self._checked(x)
        into, out = Fans(channels, 3 * channels), Fans(channels, channels)
        w = {
            "in_proj_weight": ParameterSpec((channels, 3 * channels), self.init, into),
            "out_proj_weight": ParameterSpec((channels, channels), self.init, out),
        }
        if self.bias:
            w["in_proj_bias"] = ParameterSpec((3 * channels,), Zeros(), into, decay=False)
            w["out_proj_bias"] = ParameterSpec((channels,), Zeros(), out, decay=False)
        scores, rows = (length, self.heads, length), (self.heads, length)
        tmp = {
            "qkv": ScratchSpec((length, 3 * channels)),
            "scores": ScratchSpec(scores),
            "row": ScratchSpec(rows, "forward"),
            "rate": ScratchSpec(rows),
            "mixed": ScratchSpec((length, channels)),
            "d qkv": ScratchSpec((length, 3 * channels), "backward"),
            "d scores": ScratchSpec(scores, "backward"),
            "d row": ScratchSpec(rows, "backward"),
            "d mixed": ScratchSpec((length, channels), "backward"),
        }
        if self.dropout:
            tmp |= {"mask": ScratchSpec(scores), "thinned": ScratchSpec(scores)}
        if len(x) == 2:
            tmp |= {
                "padding": ScratchSpec((length,), "forward"),
                "seen": ScratchSpec(rows, "forward"),
            }
        cost = 4 * length * channels**2 + 2 * length**2 * channels
        return LayerPlan(y=(length, channels), w=w, tmp=tmp, multiply_adds=cost)

    def _checked(self, x: tuple[TensorSpec, ...]) -> tuple[int, int]:
        """L and C, once it is sure that all fits."""
        if not 1 <= len(x) <= 2:
            raise ShapeError(f"takes a sequence and perhaps its padding, got {len(x)} inputs")
        shape = x[0].shape
        if x[0].integer:
            raise ShapeError("takes numbers, got class indices")
        if len(shape) != 2:
            raise ShapeError(f"attention needs a sequence (L, C), got {words(shape)}")
        if shape[1] % self.heads:
            raise ShapeError(f"{shape[1]} channels do not divide into {self.heads} heads")
        if len(x) == 2 and x[1].shape != shape[:1]:
            raise ShapeError(
                f"the padding of {words(shape)} is ({shape[0]}), got {words(x[1].shape)}"
            )
        return shape[0], shape[1]

    def bind(self, node: Context) -> None:
        """Views and constants; a name that begins with `d` is a gradient's."""
        tmp, dtype = node.tmp, node.y.dtype
        length, channels = node.y.shape[1:]
        self._bind_rows(node)
        self._bind_heads(node, "")
        if node.dy is not None:
            self._bind_heads(node, "d ")
        tmp["table"] = tmp["scores"].reshape(len(node.y), length, -1)
        tmp["sums"] = tmp["rate"].reshape(len(node.y), -1)
        tmp["rates"] = tmp["rate"].swapaxes(1, 2)[..., None]
        tmp["scale"] = scalar((channels // self.heads) ** -0.5, dtype)
        tmp["summing"] = np.ones(length, dtype)
        self._bind_masks(node)
        tmp["used"] = tmp["p"]
        if self._thins(node):
            prepare_mask(node, self.dropout)
            tmp["used"] = tmp["thinned"].swapaxes(1, 2)
        tmp["usedT"] = tmp["used"].swapaxes(2, 3)

    def _thins(self, node: Context) -> bool:
        """Whether dropout acts."""
        return node.train and self.dropout > 0.0

    def _bind_rows(self, node: Context) -> None:
        """(N·L, channels) of all that a projection reads or writes."""
        tmp = node.tmp
        named = {"x": node.x[0], "y": node.y, "dy": node.dy, "dx": node.dx[0]}
        named |= {f"{name} rows": tmp.get(name) for name in ("qkv", "mixed", "d qkv", "d mixed")}
        for name, array in named.items():
            if array is not None:
                tmp[name] = array.reshape(-1, array.shape[-1])
        if node.dy is not None:
            tmp["xT"], tmp["mixedT"] = tmp["x"].T, tmp["mixed rows"].T
            tmp["inT"], tmp["outT"] = node.w["in_proj_weight"].T, node.w["out_proj_weight"].T
            tmp["ones"] = np.ones(len(tmp["x"]), node.y.dtype)

    def _bind_heads(self, node: Context, d: str) -> None:
        """(N, h, L, d) of q, k, v and of what is mixed of v; (N, h, L, L) of scores, keys first."""
        tmp, (samples, length, channels) = node.tmp, node.y.shape
        depth = channels // self.heads
        split = tmp[f"{d}qkv"].reshape(samples, length, 3, self.heads, depth)
        for i, name in enumerate("qkv"):
            tmp[f"{d}{name}"] = split[:, :, i].swapaxes(1, 2)
        tmp[f"{d}parts"] = tmp[f"{d}mixed"].reshape(samples, length, self.heads, depth)
        tmp[f"{d}m"] = tmp[f"{d}parts"].swapaxes(1, 2)
        tmp[f"{d}p"] = tmp[f"{d}scores"].swapaxes(1, 2)
        tmp[f"{d}rows"] = tmp[f"{d}row"][:, None]
        for name in "qmp":
            tmp[f"{d}{name}T"] = tmp[f"{d}{name}"].swapaxes(2, 3)

    def forward(self, node: Context) -> None:
        """Overwrite y, qkv with q/√d in it, e^(score − highest) in `scores`, 1/Σ in `rate`."""
        tmp, w, scores = node.tmp, node.w, node.tmp["scores"]
        tmp["x"].dot(w["in_proj_weight"], tmp["qkv rows"])
        if self.bias:
            np.add(tmp["qkv rows"], w["in_proj_bias"], tmp["qkv rows"])
        np.multiply(tmp["q"], tmp["scale"], tmp["q"])
        np.matmul(tmp["k"], tmp["qT"], tmp["p"])
        self._hide(node)
        np.maximum.reduce(scores, axis=1, out=tmp["row"])
        np.subtract(scores, tmp["rows"], scores)
        np.exp(scores, scores)
        np.matmul(tmp["summing"], tmp["table"], tmp["sums"])
        np.reciprocal(tmp["rate"], tmp["rate"])
        if "seen" in tmp:
            np.greater(tmp["row"], 0.5 * FORBIDDEN, tmp["seen"])
            np.multiply(tmp["rate"], tmp["seen"], tmp["rate"])
        if self._thins(node):
            draw_mask(node)
            np.multiply(scores, tmp["mask"], tmp["thinned"])
        np.matmul(tmp["usedT"], tmp["v"], tmp["m"])
        np.multiply(tmp["parts"], tmp["rates"], tmp["parts"])
        tmp["mixed rows"].dot(w["out_proj_weight"], tmp["y"])
        if self.bias:
            np.add(tmp["y"], w["out_proj_bias"], tmp["y"])

    def _bind_masks(self, node: Context) -> None:
        """What lowers the scores of later positions and of padding."""
        tmp, dtype = node.tmp, node.y.dtype
        length = node.y.shape[1]
        if self.causal:
            later = np.arange(length)[:, None, None] > np.arange(length)
            tmp["later"] = np.where(np.repeat(later, self.heads, axis=1), FORBIDDEN, 0.0)
            tmp["later"] = tmp["later"].astype(dtype).reshape(-1)
            tmp["samples"] = tmp["scores"].reshape(len(node.y), -1)
        if len(node.x) == 2:
            tmp["half"], tmp["forbidden"] = scalar(0.5, dtype), scalar(FORBIDDEN, dtype)
            tmp["paddings"] = tmp["padding"][:, :, None]

    def _hide(self, node: Context) -> None:
        """Lower the scores of what may not be looked at."""
        tmp = node.tmp
        if self.causal:
            np.add(tmp["samples"], tmp["later"], tmp["samples"])
        if len(node.x) == 2:
            np.greater(node.x[1], tmp["half"], tmp["padding"])
            np.multiply(tmp["padding"], tmp["forbidden"], tmp["padding"])
            np.add(tmp["table"], tmp["paddings"], tmp["table"])

    def backward(self, node: Context) -> None:
        """∂v = Pᵀ·∂m,  ∂P = ∂m·vᵀ,  ∂s = P · (∂P − Σ_j ∂P·P),  ∂q = ∂s·k/√d,  ∂k = ∂sᵀ·q/√d.

        m = P·v, s = q·kᵀ/√d. The rows' factors `rate` go to ∂m, and Σ_j ∂P·P is ∂m·m.
        """
        tmp, dw, d_scores = node.tmp, node.dw, node.tmp["d scores"]
        tmp["mixedT"].dot(tmp["dy"], dw["out_proj_weight"])
        tmp["dy"].dot(tmp["outT"], tmp["d mixed rows"])
        np.multiply(tmp["d parts"], tmp["rates"], tmp["d parts"])
        np.vecdot(tmp["d m"], tmp["m"], tmp["d row"])
        np.matmul(tmp["used"], tmp["d m"], tmp["d v"])
        np.matmul(tmp["v"], tmp["d mT"], tmp["d p"])
        if self._thins(node):
            np.multiply(d_scores, tmp["mask"], d_scores)
        np.subtract(d_scores, tmp["d rows"], d_scores)
        np.multiply(d_scores, tmp["scores"], d_scores)
        np.matmul(tmp["d pT"], tmp["k"], tmp["d q"])
        np.multiply(tmp["d q"], tmp["scale"], tmp["d q"])
        np.matmul(tmp["d p"], tmp["q"], tmp["d k"])
        tmp["xT"].dot(tmp["d qkv rows"], dw["in_proj_weight"])
        if self.bias:
            tmp["ones"].dot(tmp["dy"], dw["out_proj_bias"])
            tmp["ones"].dot(tmp["d qkv rows"], dw["in_proj_bias"])
        if node.dx[0] is not None:
            tmp["d qkv rows"].dot(tmp["inT"], tmp["dx"])
        if len(node.x) == 2 and node.dx[1] is not None:
            node.dx[1].fill(0.0)
