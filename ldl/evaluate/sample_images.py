"""Samples and inner values as images, and the choice of samples to show."""

from __future__ import annotations

from math import isqrt, prod

import numpy as np

from ldl.arrays import Array
from ldl.data.dataset import DatasetInfo, Split

SHOWN_SAMPLES = 10
NO_IMAGES = "the inputs are not images: no image plots"


def sample_images(samples: Array, info: DatasetInfo) -> Array:
    """Samples (n, …) of image data as float32 images (n, height, width, channels)."""
    assert info.image is not None
    return np.ascontiguousarray(samples, np.float32).reshape(len(samples), *info.image)


def squared_errors(original: Array, outputs: Array) -> Array:
    """Squared error of each pixel, the mean over channels: (n, h, w, c) twice to (n, h, w)."""
    errors: Array = np.square(original - outputs).mean(axis=-1)
    return errors


def spread_over_classes(targets: Array | None, samples: int, count: int = SHOWN_SAMPLES) -> Array:
    """Indices of `count` samples: the first of every class, then the second of every class, …

    The first `count` where `targets` is None or holds no classes. Sorted by class.
    """
    if targets is None or targets.ndim != 1 or targets.dtype.kind not in "iu":
        return np.arange(min(count, samples))
    order = np.argsort(targets, kind="stable")
    _, starts, sizes = np.unique(targets[order], return_index=True, return_counts=True)
    rank_in_class = np.arange(samples) - np.repeat(starts, sizes)
    chosen = np.sort(np.argsort(rank_in_class, kind="stable")[:count])
    return order[chosen]


def sample_class_names(split: Split, info: DatasetInfo, indices: Array) -> Array:
    """The names of the samples' classes; empty strings without classes."""
    if split.targets is None or info.target.kind != "classes":
        return np.full(len(indices), "")
    names: Array = np.array(info.target.names)[split.targets[indices]]
    return names


def comparison_images(
    info: DatasetInfo, split: Split, indices: Array, **outputs: Array
) -> dict[str, Array]:
    """Images of a few samples: `original`, each of `outputs`, `error` of the last one, `labels`.

    `outputs` are shaped like the split's inputs, `indices` choose among all of them.
    """
    original = sample_images(split.clean["x"][indices], info)
    images = {name: sample_images(x[indices], info) for name, x in outputs.items()}
    return {
        "original": original,
        **images,
        "error": squared_errors(original, list(images.values())[-1]),
        "labels": sample_class_names(split, info, indices),
        "samples": np.asarray(indices),
    }


def rectangle(area: int) -> tuple[int, int]:
    """(height, width) nearest to a square with height·width = area and height ≤ width."""
    height = next(h for h in range(isqrt(area), 0, -1) if area % h == 0)
    return height, area // height


def latent_images(z: Array) -> Array:
    """Inner values (n, …) of any shape as one grey image each, (n, h, w).

    A vector fills a rectangle row by row; the maps (H, W) of C channels are tiled in a rectangle;
    a signal (L, C) has a row for each channel.
    """
    shape = z.shape[1:]
    if len(shape) == 2:
        return np.ascontiguousarray(z.transpose(0, 2, 1))
    if len(shape) == 3:
        h, w, c = shape
        rows, columns = rectangle(c)
        tiled = z.reshape(-1, h, w, rows, columns).transpose(0, 3, 1, 4, 2)
        return np.ascontiguousarray(tiled).reshape(-1, rows * h, columns * w)
    return z.reshape(len(z), *rectangle(prod(shape)))
