"""Random splits of the samples into training, validation and test, seeded and stratified."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any, NamedTuple

import numpy as np

from ldl.arrays import Array
from ldl.data.data_spec import SplitSpec
from ldl.data.dataset import DatasetInfo, RawDataset
from ldl.data.duplicates import grouped_split
from ldl.engine.streams import stream
from ldl.errors import DataError

Recursion = Generator[Any, Any, bool]  # yields its recursive calls and is sent their results


class SplitSizes(NamedTuple):
    """The number of samples of each split."""

    train: int
    validation: int
    test: int


def split_sizes(split: SplitSpec, info: DatasetInfo) -> SplitSizes:
    """Counts as given; shares by largest remainder, so that shares that add up to 1 use all.

    Raises DataError where there are too few samples, or where a split with a share has none.
    """
    samples = info.samples or 0
    official = 0 if split.pooled else info.official_test
    available = samples - official
    test = split.test if split.test is not None else (1.0 if official else 0.2)
    if official:
        (test_size,) = _apportion({"test": test}, official, " in the official test set")
        train_size, validation_size = _apportion_with_train(split, {}, available)
        return SplitSizes(train_size, validation_size, test_size)
    return SplitSizes(*_apportion_with_train(split, {"test": test}, available))


def _apportion_with_train(
    split: SplitSpec, shares: dict[str, int | float], available: int
) -> list[int]:
    """Sizes of train, validation and `shares`; a train of null gets the remaining samples."""
    shares = {"validation": split.validation or 0, **shares}
    if split.train is not None:
        return _apportion({"train": split.train, **shares}, available)
    sizes = _apportion(shares, available)
    if sum(sizes) >= available:
        raise DataError(
            f"split: of {available} samples none is left for the training split", "split"
        )
    return [available - sum(sizes), *sizes]


def _apportion(shares: dict[str, int | float], available: int, source: str = "") -> list[int]:
    exact = [share * available if isinstance(share, float) else share for share in shares.values()]
    if sum(exact) > available + 1e-6:
        text = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise DataError(
            f"split: {text} need {math.ceil(sum(exact) - 1e-6)} samples, and there are {available}"
            f"{source}; whole numbers are counts, fractions are shares",
            "split",
        )
    sizes = [math.floor(e) for e in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: sizes[i] - exact[i])
    for i in by_remainder[: min(available, round(sum(exact))) - sum(sizes)]:
        sizes[i] += 1
    for (name, share), size in zip(shares.items(), sizes, strict=True):
        if share and not size:
            raise DataError(
                f"split: {name}, {share:g} of {available} samples, is less than one sample", "split"
            )
    return sizes


def split_indices(
    split: SplitSpec, raw: RawDataset, groups: Array | None = None
) -> dict[str, Array]:
    """The sample indices of each split, shuffled; a whole official test set keeps its order.

    `groups` (n,) numbers the samples; those with equal numbers are kept in one split.
    """
    sizes = split_sizes(split, raw.info)
    classes = raw.targets if split.stratify and raw.info.target.kind == "classes" else None
    official = 0 if split.pooled else raw.info.official_test
    available = (raw.info.samples or 0) - official
    rng = stream(split.seed, "data", "split")
    if not official:
        train, validation, test = random_split(available, list(sizes), classes, rng, groups)
        return {"train": train, "validation": validation, "test": test}
    train_classes = None if classes is None else classes[:available]
    train, validation = random_split(
        available,
        [sizes.train, sizes.validation],
        train_classes,
        rng,
        None if groups is None else groups[:available],
    )
    if sizes.test == official:
        test = np.arange(official)
    else:
        test_classes = None if classes is None else classes[available:]
        test_rng = stream(split.seed, "data", "split", "test")
        (test,) = random_split(official, [sizes.test], test_classes, test_rng)
    return {"train": train, "validation": validation, "test": available + test}


def random_split(
    samples: int,
    sizes: list[int],
    classes: Array | None,
    rng: np.random.Generator,
    groups: Array | None = None,
) -> list[Array]:
    """Disjoint random index arrays of these sizes, stratified where `classes` (n,) is given.

    With `groups` (n,) as in `split_indices`. Raises DataError where they leave a split empty.
    """
    if groups is not None:
        labels, members = np.unique(
            classes if classes is not None else groups * 0, return_inverse=True
        )
        quotas = stratified_counts(np.bincount(members).tolist(), [*sizes, samples - sum(sizes)])
        splits = grouped_split(groups, sizes, members, np.array(quotas), rng)
        if any(size and not len(rows) for size, rows in zip(sizes, splits, strict=True)):
            raise DataError("split: with duplicates kept together, a split is empty", "split")
        return splits
    order = rng.permutation(samples)
    if classes is None:
        return np.split(order, np.cumsum(sizes))[:-1]
    labels, counts = np.unique(classes, return_counts=True)
    table = stratified_counts(counts.tolist(), [*sizes, samples - sum(sizes)])
    chunks: list[list[Array]] = [[] for _ in sizes]
    for label, row in zip(labels, table, strict=True):
        members = order[classes[order] == label]
        for split, chunk in zip(chunks, np.split(members, np.cumsum(row)), strict=False):
            split.append(chunk)
    return [rng.permutation(np.concatenate(split)) for split in chunks]


def stratified_counts(counts: list[int], sizes: list[int]) -> list[list[int]]:
    """Whole numbers (classes, splits) with these sums, each floor or ceil of counts·sizes/n.

    Both sums must be n. Every cell gets its floor; then each class adds 1 to as many cells as it
    has samples left, by augmenting paths (Kuhn 1955). The integrality of flows guarantees that
    the paths exist.
    """
    total = max(sum(counts), 1)
    table = [[count * size // total for size in sizes] for count in counts]
    remainder = [[count * size % total for size in sizes] for count in counts]
    capacity = [size - sum(row[s] for row in table) for s, size in enumerate(sizes)]
    rounded_up: list[set[int]] = [set() for _ in sizes]  # the classes that get a split's ceil
    preferences = [_by_remainder(row) for row in remainder]

    def assign(c: int, visited: set[int]) -> Recursion:
        for s in preferences[c]:
            if s in visited or c in rounded_up[s]:
                continue
            visited.add(s)
            if len(rounded_up[s]) >= capacity[s]:
                for occupant in sorted(rounded_up[s]):
                    if (yield assign(occupant, visited)):
                        rounded_up[s].remove(occupant)
                        break
                else:
                    continue
            rounded_up[s].add(c)
            return True
        return False

    for c, count in enumerate(counts):
        for _ in range(count - sum(table[c])):
            _run_recursion(assign(c, set()))
    return [[n + (c in rounded_up[s]) for s, n in enumerate(row)] for c, row in enumerate(table)]


def _by_remainder(row: list[int]) -> list[int]:
    """The splits with a remainder, the largest first."""
    return sorted((s for s, value in enumerate(row) if value), key=lambda s: -row[s])


def _run_recursion(recursion: Recursion) -> bool:
    """Run a recursion of any depth that yields its calls and is sent their results."""
    stack, result = [recursion], None
    while stack:
        try:
            stack.append(stack[-1].send(result))
            result = None
        except StopIteration as end:
            stack.pop()
            result = end.value
    return bool(result)
