"""Winograd convolutions: the values of im2col but for rounding, and the choice between the two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.gradcheck import gradcheck
from ldl.engine.layers import winograd, winograd_conv
from ldl.engine.layers.im2col import Col2im, Im2col, convolution, transposed_convolution
from ldl.engine.layers.windows import WindowAxis, window_axis
from ldl.engine.layers.winograd_conv import WinogradConv

from .helpers import case_batch, case_graph
from .table import TABLE, Case

PAIRS = [(m, r) for r in range(2, 8) for m in range(2, 5) if m + r - 2 <= len(winograd.POINTS)]
Axes = tuple[WindowAxis, WindowAxis]


@pytest.mark.parametrize(("m", "r"), PAIRS)
def test_winograd_matrices_compute_m_outputs_of_r_weights(m: int, r: int) -> None:
    b, g, a = winograd.matrices(m, r, np.dtype(np.float64))
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=m + r - 1), rng.normal(size=r)
    assert (b.shape, g.shape, a.shape) == ((len(x), len(x)), (len(x), r), (m, len(x)))
    y = a @ ((g @ w) * (b @ x))
    np.testing.assert_allclose(y, [x[i : i + r] @ w for i in range(m)], rtol=1e-12, atol=1e-13)
    # A bias is added to the product at this position once, for every output.
    np.testing.assert_array_equal(a[:, winograd.ONE], np.ones(m))


@pytest.mark.parametrize(("m", "r"), PAIRS)
def test_input_and_output_matrices_are_exact_in_float16(m: int, r: int) -> None:
    for exact, rounded in zip(
        winograd.matrices(m, r, np.dtype(np.float64))[::2],
        winograd.matrices(m, r, np.dtype(np.float16))[::2],
        strict=True,
    ):
        np.testing.assert_array_equal(rounded, exact)


@pytest.mark.parametrize(
    ("count", "weights", "m", "products"),
    [(8, 5, 2, 24), (11, 3, 2, 24), (5, 3, 2, 12), (1, 3, 1, 3), (7, 5, 2, 24), (9, 6, 1, 54)],
)
def test_tile_outputs_minimise_the_products(
    count: int, weights: int, m: int, products: int
) -> None:
    assert winograd.tile_outputs(count, weights) == m
    product_share = winograd.product_share(count, weights)
    assert product_share == pytest.approx(products / (count * weights))


# (axes, channels, filters): partial tiles, one column, padding larger than the kernel and on one
# side only, one output, several windows in a row, whole rows as windows.
SHAPES: list[tuple[Axes, int, int]] = [
    ((window_axis(8, 5, 1, 2), window_axis(8, 5, 1, 2)), 3, 2),
    ((window_axis(11, 3, 1, 0), window_axis(5, 3, 1, 0)), 1, 4),
    ((window_axis(7, 2, 1, 0), window_axis(1, 1, 1, 0)), 2, 3),
    ((window_axis(3, 3, 1, 7), window_axis(4, 2, 1, 3)), 2, 1),
    ((WindowAxis(6, 4, 1, 0, 3), WindowAxis(5, 2, 1, 1, 0)), 1, 1),
    ((window_axis(3, 3, 1, 0), window_axis(3, 3, 1, 0)), 5, 2),
    ((window_axis(9, 5, 1, 4), window_axis(13, 3, 1, 1)), 1, 2),
    ((window_axis(14, 5, 1, 4), window_axis(12, 5, 1, 4)), 1, 3),
]


def im2col_and_winograd(
    axes: Axes, channels: int, filters: int, samples: int, dtype: Any = np.float64
) -> list[tuple[Array, Array, Array]]:
    """y, ∂kernel and ∂bias, by Im2col and by WinogradConv."""
    rng = np.random.default_rng(1)
    rows, columns = axes
    x = rng.normal(size=(samples, rows.size, columns.size, channels)).astype(dtype)
    dy = rng.normal(size=(samples, rows.out, columns.out, filters)).astype(dtype)
    kernel = rng.normal(size=(rows.kernel * columns.kernel * channels, filters)).astype(dtype)
    bias = rng.normal(size=filters).astype(dtype)
    results = []
    for use_winograd in (False, True):
        y, dkernel, dbias = np.full_like(dy, np.nan), np.zeros_like(kernel), np.zeros_like(bias)
        forward, backward = (
            WinogradConv(x, out, axes) if use_winograd else Im2col(x, out, axes, 0, 1)
            for out in (y, dy)
        )
        for _ in range(2):  # values left in a buffer do not reach the next step
            forward.forward(kernel, bias)
            backward.weight_gradient(dkernel, dbias)
        results.append((y, dkernel, dbias))
    return results


@pytest.mark.parametrize(("axes", "channels", "filters"), SHAPES)
@pytest.mark.parametrize("samples", [1, 5])
@pytest.mark.parametrize("tile_rows", [None, 1, 2, 7])
def test_winograd_equals_im2col(
    axes: Axes, channels: int, filters: int, samples: int, tile_rows: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """With one block, with blocks of different sizes, and with several blocks in an image."""
    if tile_rows is not None:
        monkeypatch.setattr(winograd_conv, "MAX_PRODUCT_WORK", 500)
        monkeypatch.setattr(winograd_conv, "BLOCK_VALUES", 0)
        monkeypatch.setattr(winograd_conv, "MIN_BLOCK_ROWS", tile_rows * axes[1].out)
    im2col_results, winograd_results = im2col_and_winograd(axes, channels, filters, samples)
    for expected, value in zip(im2col_results, winograd_results, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("axes", "channels", "filters"), SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_windows_of_zeros_give_exactly_the_bias(
    axes: Axes, channels: int, filters: int, dtype: type
) -> None:
    """A rounding error beside a bias of 0 would pick the slope of a relu at random."""
    rng = np.random.default_rng(2)
    rows, columns = axes
    x = rng.normal(size=(40, rows.size, columns.size, channels)).astype(dtype)
    for image in x:  # a black border below or above, of any height
        edge = rng.integers(rows.size + 1)
        image[: rows.size - edge] *= rng.integers(2)
        image[rows.size - edge :] *= rng.integers(2)
    kernel = rng.normal(size=(rows.kernel * columns.kernel * channels, filters)).astype(dtype)
    bias = rng.normal(size=filters).astype(dtype)
    y, reads = (np.zeros((40, rows.out, columns.out, filters), dtype) for _ in range(2))
    WinogradConv(x, y, axes).forward(kernel, bias)
    Im2col(np.abs(x), reads, axes, 0, 1).forward(np.ones_like(kernel))
    black = reads == 0
    assert 0 < black.sum() < black.size
    np.testing.assert_array_equal(y[black], np.broadcast_to(bias, y.shape)[black])


def test_a_window_has_several_columns_where_channels_are_few() -> None:
    axes = SHAPES[-1][0]
    few, many = (winograd_conv._TileGeometry(*axes, channels, 3) for channels in (1, 16))
    for tiles, expected in ((few, (16, 1, 20, 48)), (many, (1, 16, 80, 3))):
        assert (tiles.columns_per_window, tiles.windows_per_row) == expected[:2]
        assert (tiles.window_size, tiles.window_outputs) == expected[2:]


@pytest.mark.parametrize(
    ("geometry", "samples", "block", "groups"),
    [
        ((28, 3, 1, 8), 64, (64, 14), 4),
        ((28, 5, 8, 16), 64, (1, 14), 1),
        ((32, 3, 32, 32), 64, (1, 10), 1),
        ((32, 3, 128, 128), 64, (1, 8), 8),
        ((64, 3, 64, 64), 3, (1, 4), 4),
        ((9, 3, 16, 16), 1000, (15, 5), 1),
        ((9, 3, 16, 16), 16, (8, 5), 1),
    ],
)
def test_windows_and_products_stay_in_cache(
    geometry: tuple[int, int, int, int], samples: int, block: tuple[int, int], groups: int
) -> None:
    """Blocks as large as the cache holds and of about one size; products of a million at most."""
    size, kernel, channels, filters = geometry
    axis = window_axis(size, kernel, 1, kernel // 2)
    tiles = winograd_conv._TileGeometry(axis, axis, channels, filters)
    assert tiles.block(samples) == block
    lines = block[0] * block[1]
    assert tiles.groups(lines) == groups
    values = lines * tiles.windows_per_row * tiles.n * tiles.window_size
    assert values <= max(winograd_conv.BLOCK_VALUES, 256 * tiles.n * tiles.window_size)


def test_the_larger_work_is_done_in_tiles() -> None:
    """60,000 multiply-adds an image, and a fifth of the products less."""
    x, y = np.zeros((1, 10, 10, 25)), np.zeros((1, 10, 10, 24))
    axes = window_axis(12, 3, 1, 0), window_axis(10, 1, 1, 0)
    assert winograd_conv.MIN_WORK == 10 * 10 * 3 * 25 * 8
    assert WinogradConv.fits(x, y[..., :8], axes, 1)
    assert not WinogradConv.fits(x[..., :24], y[..., :8], axes, 1)
    assert winograd.product_share(5, 3) == winograd_conv.MAX_PRODUCT_SHARE == 0.8
    assert WinogradConv.fits(x, y, (window_axis(7, 3, 1, 0), axes[1]), 1)


@pytest.mark.parametrize(("size", "channels"), [(16, 8), (4, 4), (64, 64)])
def test_windows_that_are_copied_at_once_stay_in_cache(size: int, channels: int) -> None:
    """As many images as fit in 1 MB, one at least."""
    axis = window_axis(size, 3, 2, 1)
    x, y = np.zeros((50, size, size, channels)), np.zeros((50, axis.out, axis.out, 2))
    bytes_an_image = axis.out**2 * 9 * channels * 8
    block = min(50, max(1, 2**20 // bytes_an_image))
    images = [len(b.images) for b in Im2col(x, y, (axis, axis), 0, 1).blocks]
    assert images == [block] * (50 // block) + [50 % block] * (50 % block > 0)
    col2im = transposed_convolution(x, y, (axis, axis))
    assert isinstance(col2im, Col2im) and col2im.block == block


def test_forward_and_weight_gradient_share_one_object() -> None:
    """Values that weight_gradient leaves in a buffer do not reach forward."""
    axes = SHAPES[-1][0]
    x, y = np.random.default_rng(0).normal(size=(2, 14, 12, 1)), np.zeros((2, 18, 16, 3))
    kernel, convolve = np.ones((25, 3)), WinogradConv(x, y, axes)
    convolve.forward(kernel)
    first = y.copy()
    convolve.weight_gradient(np.zeros_like(kernel))
    convolve.forward(kernel)
    np.testing.assert_array_equal(y, first)


@pytest.mark.parametrize(
    ("kernel", "size", "channels"), [(2, 9, 8), (3, 13, 32), (4, 12, 16), (5, 16, 32)]
)
def test_float32_error_is_below_three_times_that_of_im2col(
    kernel: int, size: int, channels: int
) -> None:
    axes = window_axis(size, kernel, 1, kernel // 2), window_axis(size, kernel, 1, kernel // 2)
    exact, _ = im2col_and_winograd(axes, channels, 8, 3)
    im2col_results, winograd_results = im2col_and_winograd(axes, channels, 8, 3, np.float32)
    for expected, im2col, winograd_result in zip(
        exact, im2col_results, winograd_results, strict=True
    ):
        im2col_error, winograd_error = (
            np.sqrt(np.mean((value - expected) ** 2)) for value in (im2col, winograd_result)
        )
        assert winograd_error < 3 * im2col_error


def test_strides_dilations_groups_and_small_kernels_use_im2col() -> None:
    def chosen_class(axes: Axes, channels: int = 32, groups: int = 1) -> type:
        x = np.zeros((2, axes[0].size, axes[1].size, channels))
        y = np.zeros((2, axes[0].out, axes[1].out, 64))
        return type(convolution(x, y, axes, 0, groups))

    axis = window_axis(9, 3, 1, 1)
    assert chosen_class((axis, axis)) is WinogradConv
    assert chosen_class((axis, axis), channels=1) is Im2col
    assert chosen_class((axis, axis), groups=2) is Im2col
    assert chosen_class((window_axis(9, 3, 2, 1), axis)) is Im2col
    assert chosen_class((axis, window_axis(9, 3, 1, 1, 2))) is Im2col
    assert chosen_class((window_axis(9, 1, 1, 0), axis)) is Im2col
    assert chosen_class((window_axis(20, 6, 1, 1), axis)) is Im2col
    assert chosen_class((window_axis(1, 1, 1, 0), window_axis(200, 3, 1, 0))) is Im2col


@pytest.mark.parametrize(
    "case", [case for case in TABLE if case.entry in ("conv2d", "conv_transpose2d")], ids=str
)
@pytest.mark.parametrize("uses", [1, 2])
def test_gradients_of_layers_with_winograd_only(
    case: Case, uses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd_conv, "MIN_WORK", 0)
    graph = case_graph(case, uses)
    rows = gradcheck(graph, case_batch(case, graph, 3), seed=2, entries=25, input_gradients=True)
    assert {row.name: row.error for row in rows if not row.error < 1e-6} == {}
