"""Collective communication between the shards of a batch, in MPI's terms."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Barrier

from ldl.arrays import Array


class Communicator:
    """One shard's access to all shards of a batch; this base class is a batch in one piece.

    `samples` holds the size of each shard in rank order, and is empty where there is only one.
    """

    samples: tuple[int, ...] = ()
    rank = 0

    def all_gather(self, local: Array) -> Sequence[Array]:
        """The `local` array of every shard, in rank order.

        Every shard has to call it. No shard may write to its array before the next call.
        """
        return (local,)


SINGLE_PROCESS = Communicator()


class ThreadCommunicator(Communicator):
    """The communicator of one thread; all threads share `barrier` and `gathered`.

    A fast shard may contribute its next array while slow ones still read the previous one, but
    not the array after that, so two sets of slots are enough.
    """

    def __init__(
        self,
        samples: Sequence[int],
        rank: int,
        barrier: Barrier,
        gathered: tuple[list[Array], list[Array]],
    ) -> None:
        self.samples, self.rank = tuple(samples), rank
        self._barrier, self._gathered, self._slot = barrier, gathered, 0

    def all_gather(self, local: Array) -> Sequence[Array]:
        """As above. Raises threading.BrokenBarrierError where another shard has failed."""
        self._slot = 1 - self._slot
        gathered = self._gathered[self._slot]
        gathered[self.rank] = local
        self._barrier.wait()
        return gathered

    def reset(self) -> None:
        """Start a step in phase with the other shards, also after a failure."""
        self._slot = 0


def thread_communicators(samples: Sequence[int]) -> tuple[Barrier, list[ThreadCommunicator]]:
    """A communicator for each shard, and their barrier: a shard that fails aborts it."""
    barrier = Barrier(len(samples))
    empty: list[Array] = [None] * len(samples)  # type: ignore[list-item]
    gathered = (list(empty), list(empty))
    ranks = range(len(samples))
    return barrier, [ThreadCommunicator(samples, rank, barrier, gathered) for rank in ranks]
