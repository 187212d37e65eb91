"""Pooling in blocks of images, and the gradient of equal maxima."""

from __future__ import annotations

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.layers import pool_blocks
from ldl.engine.layers.windows import window_axis

from . import naive
from .table import TABLE, Case

POOLS = [case for case in TABLE if "pool" in case.entry and not case.entry.startswith("global")]


def run(case: Case, samples: int) -> tuple[Array, Array]:
    """y and ∂x for random x and ∂y."""
    rng = np.random.default_rng(0)
    plan = case.layer.plan(tuple(case_input.spec for case_input in case.inputs))
    step = naive.fresh_layer_step(case.layer, plan, (case.inputs[0].values(rng, samples),), {})
    step.forward()
    step.ctx.dy[...] = rng.normal(size=step.ctx.dy.shape)
    step.backward()
    return step.ctx.y, step.ctx.dx[0]


@pytest.mark.parametrize("case", POOLS, ids=str)
@pytest.mark.parametrize("size", [0, 100])
def test_blocks_change_no_bit(case: Case, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of one image, and a smaller last block."""
    y, dx = run(case, 7)
    monkeypatch.setattr(pool_blocks, "BLOCK", size)
    for expected, value in zip((y, dx), run(case, 7), strict=True):
        np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("positions", [(0, 1, 2, 3), (1, 2), (0, 3), (3,), (2, 3)])
def test_the_first_of_equal_maxima_has_the_gradient(positions: tuple[int, ...]) -> None:
    """The first in row order, in windows of 2 × 2."""
    case = next(case for case in POOLS if case.entry == "maxpool2d")
    x = np.full((2, 4, 6, 2), -1.0)
    for k in positions:
        x[:, k // 2 :: 2, k % 2 :: 2] = 3.0
    step = naive.fresh_layer_step(
        case.layer, case.layer.plan(tuple(g.spec for g in case.inputs)), (x,), {}
    )
    step.forward()
    step.ctx.dy[...] = np.random.default_rng(0).normal(size=step.ctx.dy.shape)
    step.backward()
    expected = np.zeros_like(x)
    expected[:, positions[0] // 2 :: 2, positions[0] % 2 :: 2] = step.ctx.dy
    np.testing.assert_array_equal(step.ctx.dx[0], expected)


@pytest.mark.parametrize(("side", "images"), [(64, [16, 16, 8]), (512, [1] * 40), (4, [40])])
def test_images_of_a_block_stay_in_cache(side: int, images: list[int]) -> None:
    """262,144 values, one image at least."""
    axes = window_axis(side, 2, 2, 0), window_axis(side, 2, 2, 0)
    x, y = np.zeros((40, side, side, 4), np.int8), np.zeros((40, side // 2, side // 2, 4), np.int8)
    assert [len(block.images) for block in pool_blocks.blocks(x, y, axes, 0.0)] == images


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "covered"),
    [(6, 2, 2, True), (7, 2, 2, False), (6, 2, 1, False), (6, 1, 1, True), (5, 1, 2, False)],
)
def test_windows_side_by_side_cover_an_axis(
    size: int, kernel: int, stride: int, covered: bool
) -> None:
    assert pool_blocks.covers(window_axis(size, kernel, stride, 0)) == covered
