"""Pairs of MNIST digits to compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ldl.arrays import Array
from ldl.data.dataset import DatasetInfo, ProgressCallback, RawDataset, Target
from ldl.data.sources.digit_sets import Mnist
from ldl.data.sources.embedded import DIGIT_NAMES
from ldl.engine.streams import stream
from ldl.errors import DataError
from ldl.fields import Range

SIDE = 14  # pixels


@dataclass(frozen=True)
class DigitPairs:
    """Two MNIST digits at 14×14: is the first at most the second? Inputs `first` and `second`.

    `pairs` of MNIST's training set and `test_pairs` of its test set, no digit twice, drawn from
    `split.seed`; pixels are means of 2×2, from 0 to 255. The digits themselves are the extra
    targets `first_digit` and `second_digit`, for auxiliary losses. Source: F. Fleuret's course
    EE-559.
    """

    pairs: Annotated[int, Range(1, 30_000)] = 1000
    test_pairs: Annotated[int, Range(1, 5000)] = 1000

    def describe(self) -> DatasetInfo:
        """Shapes and names by the settings; reads no file."""
        digits = Target("classes", DIGIT_NAMES)
        return DatasetInfo(
            inputs={"first": (SIDE, SIDE), "second": (SIDE, SIDE)},
            target=Target("classes", ("first > second", "first ≤ second")),
            samples=self.pairs + self.test_pairs,
            official_test=self.test_pairs,
            extra_targets={"first_digit": digits, "second_digit": digits},
        )

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """Draws the pairs; reads MNIST, and downloads it if it is absent."""
        mnist = Mnist().read(seed, progress)
        assert mnist.targets is not None
        test = mnist.info.official_test
        available = {"train": len(mnist.targets) - test, "test": test}
        rows = [
            _draw(seed, split, count, available[split])
            for split, count in (("train", self.pairs), ("test", self.test_pairs))
        ]
        pairs = np.concatenate([rows[0], rows[1] + available["train"]]).reshape(-1, 2)
        names = ("first", "second")
        images = {name: _halved(mnist.inputs["x"][pairs[:, i]]) for i, name in enumerate(names)}
        first, second = (mnist.targets[pairs[:, i]] for i in (0, 1))
        digits = {"first_digit": first, "second_digit": second}
        return RawDataset(self.describe(), images, (first <= second).astype(np.int64), digits)


def _draw(seed: int, split: str, pairs: int, digits: int) -> Array:
    """The indices (2·pairs,) of digits of a split. Raises DataError where there are too few."""
    if 2 * pairs > digits:
        raise DataError(f"{pairs} pairs need {2 * pairs} digits; there are {digits}")
    return stream(seed, "data", "digit_pairs", split).permutation(digits)[: 2 * pairs]


def _halved(x: Array) -> Array:
    """uint8 (n, 784) → float32 (n, 14, 14), the exact mean of each 2×2."""
    means: Array = x.reshape(-1, SIDE, 2, SIDE, 2).mean(axis=(2, 4), dtype=np.float32)
    return means
