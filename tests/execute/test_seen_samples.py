"""What weights have seen, as sets of sample indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ldl.execute.seen_samples import NO_ROWS, SeenSamples
from ldl.execute.transfer import TransferResult


def rows(*indices: int) -> Any:
    """Indices of samples."""
    return np.array(indices, np.int64)


def test_both_of_two_sets_are_seen() -> None:
    first = SeenSamples({"a": rows(1, 2)}, {"a": rows(3)})
    second = SeenSamples({"a": rows(2, 4), "b": rows(7)}, {}, unknown=True)
    union = first.union(second)
    assert {key: value.tolist() for key, value in union.trained.items()} == {
        "a": [1, 2, 4],
        "b": [7],
    }
    assert union.chosen_by["a"].tolist() == [3] and union.unknown
    assert not first.union(first).unknown


def test_they_are_stored_as_arrays() -> None:
    seen = SeenSamples({"a": rows(1, 2)}, {"a": rows(3), "b": rows()}, unknown=True)
    restored = SeenSamples.from_arrays(seen.arrays())
    assert restored.trained["a"].tolist() == [1, 2] and restored.unknown
    assert {key: len(value) for key, value in restored.chosen_by.items()} == {"a": 1, "b": 0}
    assert SeenSamples().arrays() == {} and not SeenSamples.from_arrays({}).unknown
    assert NO_ROWS.dtype == np.int64 and len(NO_ROWS) == 0


def test_a_list_of_names_is_cut_after_six() -> None:
    names = tuple("abcdefgh")
    assert str(TransferResult(("x",), (), ())) == "start_from: 1 of 1 arrays copied"
    assert str(TransferResult((), names[:6], names[:7])) == (
        "start_from: 0 of 13 arrays copied; another shape: a, b, c, d, e, f; "
        "missing: a, b, c, d, e, f and 1 more"
    )
