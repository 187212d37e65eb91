"""Equal samples: which there are, how many are shared by splits, splits that keep them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ldl.arrays import Array

BLOCK = 4096  # samples whose bytes are in memory at once


def duplicate_groups(inputs: Mapping[str, Array]) -> Array:
    """A number for each sample (n,), the same for samples with equal values in all inputs.

    Groups are numbered from 0 in the order of their first samples.
    """
    samples = list(inputs.values())
    starts = range(0, len(samples[0]), BLOCK)
    hashes = [_hashes([_as_bytes(x[i : i + BLOCK]) for x in samples]) for i in starts]
    _, groups, counts = np.unique(np.concatenate(hashes), return_inverse=True, return_counts=True)
    exact: dict[tuple[bytes, ...], int] = {}
    for i in np.flatnonzero(counts[groups] > 1):
        values = tuple(_as_bytes(x[i : i + 1]).tobytes() for x in samples)
        groups[i] = len(counts) + exact.setdefault(values, len(exact))
    _, first, groups = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[groups]


def _as_bytes(x: Array) -> Array:
    """The samples (n, ...) as rows of bytes, with zeros up to a multiple of eight."""
    x = x + 0.0 if x.dtype.kind == "f" else x  # -0.0 is equal to 0.0
    rows = np.ascontiguousarray(x).reshape(len(x), -1).view(np.uint8)
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 8))) if rows.shape[1] % 8 else rows


def _hashes(rows: Sequence[Array]) -> Array:
    """Σ wᵢ·xᵢ mod 2⁶⁴ of each sample's words of eight bytes x, with random odd numbers w.

    Source: multiplicative hashing of vectors, Dietzfelbinger et al., 1997.
    """
    rng, words = np.random.default_rng(0), [x.view(np.uint64) for x in rows]
    weights = [rng.integers(2**63, size=x.shape[1], dtype=np.uint64) * 2 + 1 for x in words]
    hashes: Array = np.sum([x @ w for x, w in zip(words, weights, strict=True)], axis=0)
    return hashes


def count_shared(groups: Array, indices: Mapping[str, Array]) -> dict[str, int]:
    """How many samples of each split but the training split are equal to a training sample.

    `indices` are the sample indices of each split; splits without such samples are left out.
    """
    trained = np.zeros(groups.max(initial=-1) + 1, bool)
    trained[groups[indices["train"]]] = True
    counts = {name: int(trained[groups[rows]].sum()) for name, rows in indices.items()}
    return {name: count for name, count in counts.items() if count and name != "train"}


def grouped_split(
    groups: Array, sizes: Sequence[int], classes: Array, quotas: Array, rng: np.random.Generator
) -> list[Array]:
    """Disjoint index arrays with all samples of a group (n,) in one of them.

    Greedy: the groups, largest first and in random order, each go where most samples of their class
    (of the first sample's) are missing of `quotas` (classes, splits), among the splits with room
    for them; where no split has, into the one with most. So a size is missed by less than the size
    of a group. `quotas` has a last column for samples in no split, and `classes` (n,) its rows.
    """
    room = np.array([*sizes, len(groups) - sum(sizes)])
    missing, chosen = quotas.copy(), np.empty(len(groups), np.int64)
    order = rng.permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    units = [members[i] for i in rng.permutation(len(members))]
    for unit in sorted(units, key=len, reverse=True):
        wanted = np.where(room >= len(unit), missing[classes[unit[0]]], -len(groups))
        best = int(wanted.argmax()) if (room >= len(unit)).any() else int(room.argmax())
        chosen[unit] = best
        room[best] -= len(unit)
        np.subtract.at(missing[:, best], classes[unit], 1)
    return [rng.permutation(np.flatnonzero(chosen == split)) for split in range(len(sizes))]
