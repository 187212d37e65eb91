"""Where the parts of a divided batch meet: each brings numbers, and each sees those of all."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Barrier

from ldl.arrays import Array


class Meeting:
    """A batch that is not divided: what a part brings is all there is.

    `samples` is the size of each part, in their order, where there are several.
    """

    samples: tuple[int, ...] = ()
    number = 0  # of this part

    def exchange(self, mine: Array) -> Sequence[Array]:
        """What every part brings, in the order of the parts.

        Every part has to call it, and none may write to what it brought before all meet again.
        """
        return (mine,)


ALONE = Meeting()


class Round(Meeting):
    """One part's place among the threads that share `barrier` and `brought`.

    A part that leads may bring its next numbers while others still read the last ones, but not
    the ones after those: two sets of places are enough.
    """

    def __init__(
        self,
        samples: Sequence[int],
        number: int,
        barrier: Barrier,
        brought: tuple[list[Array], list[Array]],
    ) -> None:
        self.samples, self.number = tuple(samples), number
        self._barrier, self._brought, self._turn = barrier, brought, 0

    def exchange(self, mine: Array) -> Sequence[Array]:
        """As above. Raises threading.BrokenBarrierError where another part has failed."""
        self._turn = 1 - self._turn
        brought = self._brought[self._turn]
        brought[self.number] = mine
        self._barrier.wait()
        return brought

    def begin(self) -> None:
        """Be in step with the others again, also after a failure."""
        self._turn = 0


def rounds(samples: Sequence[int]) -> tuple[Barrier, list[Round]]:
    """A place for each part, and the barrier: who fails aborts it, so that nobody waits on."""
    barrier = Barrier(len(samples))
    nobody: list[Array] = [None] * len(samples)  # type: ignore[list-item]
    brought = (list(nobody), list(nobody))
    return barrier, [Round(samples, number, barrier, brought) for number in range(len(samples))]
