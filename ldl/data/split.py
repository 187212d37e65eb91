"""Dividing samples into training, validation and test parts, seeded and stratified."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any, NamedTuple

import numpy as np

from ldl.arrays import Array
from ldl.data.data_spec import SplitSpec
from ldl.data.dataset import DatasetInfo, RawDataset
from ldl.engine.streams import stream
from ldl.errors import DataError

Way = Generator[Any, Any, bool]


class SplitSizes(NamedTuple):
    """How many samples each part has."""

    train: int
    validation: int
    test: int


def split_sizes(split: SplitSpec, info: DatasetInfo) -> SplitSizes:
    """Counts as they are, shares by largest remainder, so that shares adding up to 1 use all.

    Raises DataError where the parts want more samples than there are, or one would be empty.
    """
    samples = info.samples or 0
    official = 0 if split.pooled else info.official_test
    pool = samples - official
    test = split.test if split.test is not None else (1.0 if official else 0.2)
    if official:
        (test_size,) = _apportion({"test": test}, official, "the official test part's")
        train_size, validation_size = _with_rest(split, {}, pool)
        return SplitSizes(train_size, validation_size, test_size)
    return SplitSizes(*_with_rest(split, {"test": test}, pool))


def _with_rest(split: SplitSpec, others: dict[str, int | float], pool: int) -> list[int]:
    """Sizes of train, validation and the others out of `pool`; an unnamed train takes the rest."""
    wanted = {"validation": split.validation or 0, **others}
    if split.train is not None:
        return _apportion({"train": split.train, **wanted}, pool, "the")
    sizes = _apportion(wanted, pool, "the")
    if sum(sizes) >= pool:
        raise DataError(f"split: of {pool} samples none is left for the training part", "split")
    return [pool - sum(sizes), *sizes]


def _apportion(wanted: dict[str, int | float], pool: int, whose: str) -> list[int]:
    exact = [share * pool if isinstance(share, float) else share for share in wanted.values()]
    if sum(exact) > pool + 1e-6:
        asked = ", ".join(f"{name} {share:g}" for name, share in wanted.items())
        raise DataError(
            f"split: {asked} ask for {math.ceil(sum(exact) - 1e-6)} of {whose} {pool} samples; "
            "whole numbers are counts, fractions are shares",
            "split",
        )
    sizes = [math.floor(e) for e in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: sizes[i] - exact[i])
    for i in by_remainder[: min(pool, round(sum(exact))) - sum(sizes)]:
        sizes[i] += 1
    for (name, share), size in zip(wanted.items(), sizes, strict=True):
        if share and not size:
            raise DataError(f"split: {name}, {share:g} of {pool} samples, is not even one", "split")
    return sizes


def split_indices(split: SplitSpec, raw: RawDataset, seed: int) -> dict[str, Array]:
    """The rows of each part, in random order; a whole official test part keeps its own order."""
    sizes = split_sizes(split, raw.info)
    classes = raw.targets if split.stratify and raw.info.target.kind == "classes" else None
    official = 0 if split.pooled else raw.info.official_test
    pool = (raw.info.samples or 0) - official
    rng = stream(seed, "data", "split")
    if not official:
        train, validation, test = random_split(pool, list(sizes), classes, rng)
        return {"train": train, "validation": validation, "test": test}
    ours = None if classes is None else classes[:pool]
    train, validation = random_split(pool, [sizes.train, sizes.validation], ours, rng)
    if sizes.test == official:
        return {"train": train, "validation": validation, "test": np.arange(pool, pool + official)}
    theirs = None if classes is None else classes[pool:]
    (test,) = random_split(official, [sizes.test], theirs, stream(seed, "data", "split", "test"))
    return {"train": train, "validation": validation, "test": pool + test}


def random_split(
    samples: int, sizes: list[int], classes: Array | None, rng: np.random.Generator
) -> list[Array]:
    """Disjoint random index arrays of these sizes; stratified where `classes` (n,) is given."""
    order = rng.permutation(samples)
    if classes is None:
        return np.split(order, np.cumsum(sizes))[:-1]
    labels, counts = np.unique(classes, return_counts=True)
    table = stratified_counts(counts.tolist(), [*sizes, samples - sum(sizes)])
    chosen: list[list[Array]] = [[] for _ in sizes]
    for label, row in zip(labels, table, strict=True):
        members = order[classes[order] == label]
        for part, piece in zip(chosen, np.split(members, np.cumsum(row)), strict=False):
            part.append(piece)
    return [rng.permutation(np.concatenate(part)) for part in chosen]


def stratified_counts(counts: list[int], sizes: list[int]) -> list[list[int]]:
    """Whole numbers (classes, parts) with these sums, each floor or ceil of counts·sizes/n.

    Both sums must be n. Floors first; then each class hands out what it has left by augmenting
    paths (Kuhn 1955), and the integrality of flows says that they always suffice.
    """
    total = max(sum(counts), 1)
    table = [[count * size // total for size in sizes] for count in counts]
    remainder = [[count * size % total for size in sizes] for count in counts]
    room = [size - sum(row[p] for row in table) for p, size in enumerate(sizes)]
    holders: list[set[int]] = [set() for _ in sizes]  # the classes that got a part's ceil
    wanted = [_largest_first(row) for row in remainder]

    def place(c: int, tried: set[int]) -> Way:
        for p in wanted[c]:
            if p in tried or c in holders[p]:
                continue
            tried.add(p)
            if len(holders[p]) >= room[p]:
                for other in sorted(holders[p]):
                    if (yield place(other, tried)):
                        holders[p].remove(other)
                        break
                else:
                    continue
            holders[p].add(c)
            return True
        return False

    for c, count in enumerate(counts):
        for _ in range(count - sum(table[c])):
            _walk(place(c, set()))
    return [[floor + (c in holders[p]) for p, floor in enumerate(r)] for c, r in enumerate(table)]


def _largest_first(row: list[int]) -> list[int]:
    """The places of all but zeros."""
    return sorted((p for p, rest in enumerate(row) if rest), key=lambda p: -row[p])


def _walk(way: Way) -> bool:
    """Carry out a recursion that yields its calls, of any depth, and is sent what they return."""
    stack, returned = [way], None
    while stack:
        try:
            stack.append(stack[-1].send(returned))
            returned = None
        except StopIteration as end:
            stack.pop()
            returned = end.value
    return bool(returned)
