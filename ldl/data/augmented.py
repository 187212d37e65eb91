"""A training part whose pictures are augmented anew each epoch, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ldl.arrays import Array, Shape
from ldl.data.augment import Augmentation
from ldl.data.info import Picture
from ldl.engine.streams import stream


@dataclass(frozen=True)
class Feed:
    """Samples (n, ...) of the data's input `source`; those of one source change together."""

    source: str
    array: Array
    picture: Picture  # their size
    shape: Shape  # of a sample as the network sees it


@dataclass
class Augmented:
    """Batches of augmented feeds, by the names of the graph's inputs that take them.

    The numbers for sample i in epoch e are drawn from the seed, e and i alone, whatever batch the
    sample is in: a run that is resumed within an epoch, with or without shuffling, sees the same.
    """

    choices: Sequence[Augmentation]
    feeds: Mapping[str, Feed]
    seed: int
    _draws: dict[str, list[Array]] = field(init=False, default_factory=dict)

    def start(self, epoch: int) -> None:
        """Draw the numbers of an epoch."""
        counts = {feed.source: len(feed.array) for feed in self.feeds.values()}
        self._draws = {
            source: [
                stream(self.seed, "augment", epoch, source, i).random((count, choice.draws))
                for i, choice in enumerate(self.choices)
            ]
            for source, count in counts.items()
        }

    def batch(self, rows: Array) -> dict[str, Array]:
        """The feeds of the samples `rows` (b,), each (b, *shape)."""
        return {name: self._changed(feed, rows) for name, feed in self.feeds.items()}

    def _changed(self, feed: Feed, rows: Array) -> Array:
        x = feed.array.take(rows, 0).reshape(len(rows), *feed.picture)
        for choice, u in zip(self.choices, self._draws[feed.source], strict=True):
            x = choice.apply(x, u[rows])
        return np.ascontiguousarray(x).reshape(len(rows), *feed.shape)
