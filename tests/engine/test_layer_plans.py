"""What layers plan: the fans of their weights, weight decay, multiply-adds."""

from __future__ import annotations

from typing import Any

import pytest

from ldl.arrays import Shape
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS

# For each layer: inputs, multiply-adds a sample, and (fan_in, fan_out) of each weight; those of
# biases are the fans of their weight. `*` marks weights without weight decay.
PLANS: list[tuple[str, dict[str, Any], tuple[Shape, ...], int, dict[str, tuple[int, int]]]] = [
    ("linear", {"units": 3}, ((2, 5),), 2 * 5 * 3, {"weight": (5, 3), "bias*": (5, 3)}),
    ("conv1d", {"out_channels": 4, "kernel_size": 3, "stride": 2}, ((9, 2),), 4 * 3 * 2 * 4,
     {"weight": (3 * 2, 3 * 4), "bias*": (3 * 2, 3 * 4)}),
    ("conv2d", {"out_channels": 6, "kernel_size": (2, 3), "groups": 2}, ((5, 7, 4),),
     4 * 5 * 6 * 2 * 6, {"weight": (2 * 3 * 2, 2 * 3 * 3), "bias*": (2 * 3 * 2, 2 * 3 * 3)}),
    ("conv_transpose1d", {"out_channels": 4, "kernel_size": 3, "stride": 2}, ((5, 2),),
     5 * 3 * 2 * 4, {"weight": (3 * 2, 3 * 4), "bias*": (3 * 2, 3 * 4)}),
    ("conv_transpose2d", {"out_channels": 5, "kernel_size": (2, 3)}, ((4, 7, 3),),
     4 * 7 * 6 * 3 * 5, {"weight": (6 * 3, 6 * 5), "bias*": (6 * 3, 6 * 5)}),
    ("rnn", {"units": 3}, ((4, 2),), 4 * (2 + 3) * 3,
     {"weight_ih": (3, 3), "weight_hh": (3, 3), "bias_ih*": (3, 3), "bias_hh*": (3, 3)}),
    ("gru", {"units": 3, "bias": False}, ((4, 2),), 4 * (2 + 3) * 9,
     {"weight_ih": (3, 3), "weight_hh": (3, 3)}),
    ("lstm", {"units": 3, "bias": False}, ((4, 2),), 4 * (2 + 3) * 12,
     {"weight_ih": (3, 3), "weight_hh": (3, 3)}),
    ("multi_head_attention", {"heads": 2}, ((3, 4),),
     3 * 4 * 12 + 3 * 3 * 4 + 3 * 3 * 4 + 3 * 4 * 4,
     {"in_proj_weight": (4, 12), "out_proj_weight": (4, 4),
      "in_proj_bias*": (4, 12), "out_proj_bias*": (4, 4)}),
    ("embedding", {"units": 3, "entries": 7}, ((4,),), 0, {"weight": (7, 3)}),
    ("film", {}, ((2, 3), (5,)), 2 * 5 * 3 + 2 * 3,
     {"scale_weight": (5, 3), "scale_bias*": (5, 3),
      "shift_weight": (5, 3), "shift_bias*": (5, 3)}),
    ("class_token", {}, ((4, 3),), 0, {"token*": (1, 3)}),
    ("positional_embedding", {}, ((4, 3),), 0, {"weight*": (1, 3)}),
    ("batch_norm", {}, ((4, 3),), 2 * 4 * 3, {"weight*": (1, 1), "bias*": (1, 1)}),
    ("layer_norm", {}, ((4, 3),), 2 * 4 * 3, {"weight*": (1, 1), "bias*": (1, 1)}),
    ("mean", {"axis": (0, 1)}, ((4, 3, 2),), 4 * 3 * 2, {}),
    ("relu", {}, ((4, 3),), 0, {}),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "settings", "shapes", "multiply_adds", "fans"), PLANS)
def test_fans_and_multiply_adds(
    entry: str, settings: dict[str, Any], shapes: tuple[Shape, ...], multiply_adds: int,
    fans: dict[str, tuple[int, int]],
) -> None:  # fmt: skip
    plan = LAYERS[entry](**settings).plan(tuple(map(TensorSpec, shapes)))
    assert plan.multiply_adds == multiply_adds
    assert fans == {
        name + "*" * (not spec.decay): (spec.fans.fan_in, spec.fans.fan_out)
        for name, spec in plan.w.items()
    }


def test_every_layer_with_weights_has_a_row() -> None:
    rows = {entry for entry, *_ in PLANS}
    assert {name for name, layer in LAYERS.items() if "init" in layer.__annotations__} <= rows
