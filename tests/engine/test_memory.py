"""Memory: packing by lifetime, aligned arrays, flat vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldl.engine.memory import (
    ALIGNMENT,
    FlatVector,
    Request,
    aligned,
    augmented,
    carve,
    pack,
    padded_feature_major,
)

DTYPES = [np.float32, np.float64, np.int64]
SHAPES = st.lists(st.integers(0, 9), max_size=3).map(tuple)
REQUESTS = st.lists(
    st.builds(
        lambda shape, dtype, first, length: Request(shape, np.dtype(dtype), first, first + length),
        SHAPES,
        st.sampled_from(DTYPES),
        st.integers(0, 12),
        st.integers(0, 6),
    ),
    max_size=25,
)


@given(REQUESTS)
@settings(deadline=None, max_examples=200)
def test_buffers_alive_together_never_overlap(requests: list[Request]) -> None:
    offsets, total = pack(requests)
    for i, (request, offset) in enumerate(zip(requests, offsets, strict=True)):
        assert offset % ALIGNMENT == 0
        assert offset >= 0
        assert offset + request.size <= total
        for earlier, earlier_offset in zip(requests[:i], offsets[:i], strict=True):
            overlap_in_time = request.first <= earlier.last and earlier.first <= request.last
            disjoint = (
                offset + request.size <= earlier_offset or earlier_offset + earlier.size <= offset
            )
            assert not overlap_in_time or disjoint or not (request.size and earlier.size)


@given(REQUESTS)
@settings(deadline=None, max_examples=200)
def test_the_arena_size_is_between_the_live_maximum_and_the_sum(
    requests: list[Request],
) -> None:
    _, total = pack(requests)
    moments = [sum(r.size for r in requests if r.first <= t <= r.last) for t in range(20)]
    assert max(moments) <= total <= sum(r.size for r in requests)


@given(REQUESTS)
@settings(deadline=None, max_examples=50)
def test_carved_arrays_are_aligned_zeros_of_the_requested_type(requests: list[Request]) -> None:
    arrays, total = carve(requests)
    assert total == pack(requests)[1]
    for array, request in zip(arrays, requests, strict=True):
        assert (array.shape, array.dtype) == (request.shape, request.dtype)
        assert array.ctypes.data % ALIGNMENT == 0 or not array.size
        assert not array.any()


def test_buffers_one_after_another_share_one_place() -> None:
    requests = [Request((16,), np.dtype(np.float32), t, t) for t in range(10)]
    assert pack(requests) == ([0] * 10, 64)
    assert pack([]) == ([], 0)


@given(REQUESTS)
@settings(deadline=None, max_examples=100)
def test_each_buffer_lies_at_the_lowest_free_offset(requests: list[Request]) -> None:
    """Larger ones first, as in the source; the offsets that are tried are 0 and ends of others."""
    offsets, _ = pack(requests)
    placed: list[int] = []
    for i in sorted(range(len(requests)), key=lambda i: -requests[i].size):
        first, last, size = requests[i].first, requests[i].last, requests[i].size
        alive = [j for j in placed if requests[j].last >= first and requests[j].first <= last]
        used = [(offsets[j], offsets[j] + requests[j].size) for j in alive]
        tried = [0, *(end for _, end in used)]
        free = [t for t in tried if all(t + size <= start or end <= t for start, end in used)]
        assert offsets[i] == min(free)
        placed.append(i)


def test_a_gap_between_two_buffers_is_used() -> None:
    def floats(count: int, first: int, last: int) -> Request:
        return Request((count,), np.dtype(np.float32), first, last)

    # The buffer of 64 values ends before that of 16 begins, which takes its memory.
    offsets, total = pack([floats(64, 0, 1), floats(48, 0, 9), floats(16, 2, 9)])
    assert total == 4 * (64 + 48)
    assert offsets[2] == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 5), (129,)])
def test_aligned_arrays_are_zero_and_start_on_a_cache_line(
    shape: tuple[int, ...], dtype: type
) -> None:
    for _ in range(5):
        array = aligned(shape, dtype)
        assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
        assert array.ctypes.data % ALIGNMENT == 0 or not array.size
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert not array.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_flat_views_are_aligned_and_disjoint(dtype: type) -> None:
    shapes = {"a": (3, 5), "b": (1,), "c": (16,), "d": (), "e": (2, 3, 4)}
    flat = FlatVector(shapes, dtype)
    assert list(flat.views) == list(shapes)
    for i, (name, shape) in enumerate(shapes.items()):
        assert flat[name].shape == shape
        assert flat[name].ctypes.data % ALIGNMENT == 0
        assert np.shares_memory(flat[name], flat.vector)
        flat[name][...] = i + 1
    counts = {i + 1: int(np.prod(shape)) for i, shape in enumerate(shapes.values())}
    assert {i: int((flat.vector == i).sum()) for i in counts} == counts
    assert int((flat.vector == 0).sum()) == flat.vector.size - sum(counts.values())


def test_a_flat_vector_without_shapes_is_empty() -> None:
    assert FlatVector({}, np.float32).vector.shape == (0,)


def test_an_adjacent_array_starts_where_the_one_before_it_ends() -> None:
    """Both are then one matrix in the same memory, and None for arrays that are not adjacent."""
    shapes = {"w": (3, 5), "b": (5,), "other": (2, 5), "apart": (5,)}
    flat = FlatVector(shapes, np.float32, adjacent={"b"})
    for number, view in enumerate(flat.views.values()):
        view[...] = number
    matrix = augmented(flat["w"], flat["b"])
    assert matrix is not None
    np.testing.assert_array_equal(matrix, np.vstack([flat["w"], flat["b"]]))
    matrix[3] = 7.0
    assert (flat["b"] == 7.0).all()
    assert (flat["other"] == 2.0).all()
    assert flat.vector.size % (ALIGNMENT // 4) == 0
    assert flat["other"].ctypes.data % ALIGNMENT == 0
    assert augmented(flat["other"], flat["apart"]) is None
    assert augmented(flat["w"].copy(), flat["b"]) is None
    assert augmented(flat["w"].T, flat["b"][:3]) is None


def test_padded_feature_major_has_a_spare_row() -> None:
    rows = padded_feature_major(3, 4, np.float64)
    value = rows[:-1].T
    rows[-1] = 1.0
    assert value.shape == (4, 3)
    assert value.flags.f_contiguous
    assert not value.any()
