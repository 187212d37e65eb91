"""Where trials run: the interface of an executor, and the executors by name.

An executor hands tasks to a `WorkerPool` somewhere. Retries, time limits and lack of memory are
handled in the pool, and leases are held by its processes, so that an executor only transports tasks
and reports. A further one is a file with a class and a row in EXECUTORS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ldl.execute.worker_pool import Task, TaskReport, WorkerPool
from ldl.grid.dask_executor import DaskExecutor
from ldl.grid.trial_worker import TRIAL_WORKER

DownloadCallback = Callable[[str, int, int], None]  # name, bytes done, bytes in all


class TrialExecutor(Protocol):
    """Runs tasks. Each task that was started comes back from `wait` once, with its result."""

    @property
    def free_slots(self) -> int:
        """How many more tasks to start now."""

    @property
    def running(self) -> int:
        """How many trials are running."""

    def start(self, task: Task) -> None:
        """Start a task, or put it into a short queue. Raises WorkerPoolError."""

    def wait(self, seconds: float) -> list[TaskReport]:
        """The tasks that have come back, after at most so many seconds. Raises WorkerPoolError."""

    def stop(self) -> None:
        """Ask all trials to stop with a checkpoint; `wait` reports each of them."""

    def close(self) -> None:
        """Free all resources; trials that still run are stopped."""


class LocalExecutor(WorkerPool):
    """`jobs` processes at a time on this computer."""

    def __init__(
        self, arguments: Mapping[str, Any], jobs: int, address: str | None,
        on_download: DownloadCallback,
    ) -> None:  # fmt: skip
        """`arguments` are those of a TrialWorker; an `address` is not needed."""
        super().__init__(TRIAL_WORKER, arguments, jobs, lambda message: on_download(*message))


EXECUTORS: Mapping[str, Callable[..., TrialExecutor]] = {
    "local": LocalExecutor,
    "dask": DaskExecutor,
}
"""By name; called with (arguments, jobs, address, on_download)."""
