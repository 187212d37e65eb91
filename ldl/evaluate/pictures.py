"""Samples as pictures, and which of them to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ldl.arrays import Array

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo, Split

SHOWN = 10
NO_PICTURES = "the inputs are not images: no pictures"


def images(samples: Array, info: DatasetInfo) -> Array:
    """Samples (n, …) as float32 pictures (n, height, width, channels)."""
    assert info.image is not None
    return np.ascontiguousarray(samples, np.float32).reshape(len(samples), *info.image)


def heat_maps(truth: Array, shown: Array) -> Array:
    """Squared error by pixel, the mean over channels: (n, h, w, c) twice to (n, h, w)."""
    errors: Array = np.square(truth - shown).mean(axis=-1)
    return errors


def spread(targets: Array | None, samples: int, count: int = SHOWN) -> Array:
    """Indices of `count` samples: the first of every class, then the second of every class, …

    Without classes (None, or values) the first `count`. Sorted by class where there are classes.
    """
    if targets is None or targets.ndim != 1 or targets.dtype.kind not in "iu":
        return np.arange(min(count, samples))
    order = np.argsort(targets, kind="stable")
    _, starts, sizes = np.unique(targets[order], return_index=True, return_counts=True)
    turn = np.arange(samples) - np.repeat(starts, sizes)
    first = np.sort(np.argsort(turn, kind="stable")[:count])
    return order[first]


def class_names(part: Split, info: DatasetInfo, chosen: Array) -> Array:
    """The names of the chosen samples' classes; empty strings without classes."""
    if part.targets is None or info.target.kind != "classes":
        return np.full(len(chosen), "")
    names: Array = np.array(info.target.names)[part.targets[chosen]]
    return names
