"""Inner values of a network as points, and what scikit-learn needs to give the same bits again."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import isqrt, prod
from typing import TYPE_CHECKING

import numpy as np

from ldl.arrays import Array
from ldl.engine.streams import stream

if TYPE_CHECKING:
    from ldl.data.dataset import Split
    from ldl.evaluate.context import Context


def codes(context: Context, place: str, part: Split, rows: Array | None = None) -> Array:
    """The value `place` for the part's inputs, or for some rows of it, float64 (n, d)."""
    inputs = part.inputs if rows is None else {name: x[rows] for name, x in part.inputs.items()}
    found = context.values(place, inputs)
    return found.reshape(len(found), -1).astype(np.float64)


def generator(context: Context, *names: str | int) -> np.random.Generator:
    """The random stream of one evaluation of the run."""
    return stream(context.seed, "evaluate", *names)


def random_state(context: Context, *names: str | int) -> int:
    """A seed for scikit-learn, from the run's own."""
    return int(generator(context, *names).integers(2**31))


@contextmanager
def repeatable(notes: list[str]) -> Iterator[None]:
    """One thread, so that sums come in one order; warnings become notes of the evaluation."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    said = [" ".join(str(warning.message).split()).rstrip(".") for warning in caught]
    notes += [text for text in dict.fromkeys(said) if text not in notes]


def rectangle(count: int) -> tuple[int, int]:
    """(height, width) with height·width = count, as near to a square as can be, no higher."""
    height = next(h for h in range(isqrt(count), 0, -1) if count % h == 0)
    return height, count // height


def pictures(values: Array) -> Array:
    """Inner values (n, …) as one picture each, (n, h, w), whatever their shape.

    A vector fills a rectangle row by row; the maps (H, W) of C channels stand in a rectangle of
    their own; a signal (L, C) has a row a channel.
    """
    shape = values.shape[1:]
    if len(shape) == 2:
        return np.ascontiguousarray(values.transpose(0, 2, 1))
    if len(shape) == 3:
        h, w, c = shape
        down, across = rectangle(c)
        tiled = values.reshape(-1, h, w, down, across).transpose(0, 3, 1, 4, 2)
        return np.ascontiguousarray(tiled).reshape(-1, down * h, across * w)
    return values.reshape(len(values), *rectangle(prod(shape)))
