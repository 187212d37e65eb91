"""Trials on a Dask cluster whose computers share the disk of the grid folder.

A task crosses the network as JSON has it, and its result comes back. The leases of the folder say
who works on a trial, so that a task that Dask runs twice trains once. A trial runs in a process of
a pool beside the Dask worker: a trial that dies does not affect the worker, and a worker that dies
leaves a checkpoint. Scheduler, worker and client are Dask's own words.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import queue
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from ldl.errors import LdlError, UsageError
from ldl.execute.worker_pool import Task, TaskReport, TaskResult, WorkerPool, WorkerPoolError
from ldl.grid.trial_worker import TRIAL_WORKER

LOCAL = "local"
SCHEMES = ("tcp", "tls", "ucx", "ws", "wss")
MAX_PORT = 65_535
SCHEDULER_TIMEOUT = 10.0  # seconds for the scheduler to answer
WORKER_TIMEOUT = 30.0  # seconds to wait for a worker where there is none
POLL = 2.0  # seconds between two looks at the cluster
STOP_TIMEOUT = 20.0  # seconds for trials to stop
MAX_LOSSES = 3  # times that Dask may give a task back without a result


class DaskExecutor:
    """A TrialExecutor on the workers of a scheduler, or of a cluster on this computer."""

    def __init__(
        self, arguments: Mapping[str, Any], jobs: int, address: str | None, on_download: object
    ) -> None:
        """`arguments` are those of a TrialWorker; `jobs` counts for a local cluster alone.

        Downloads are not reported. Raises UsageError without `distributed` or for an invalid
        address, WorkerPoolError without a scheduler.
        """
        address = LOCAL if address is None else address
        check_address(address)
        check_scheduler(address)
        import distributed

        check_certificates(address)
        self.arguments, self.address = dict(arguments), address
        self._scheduler_lost = (
            f"the Dask scheduler at {address} is gone; restart it, and the same command continues"
        )
        self._cluster = _local_cluster(jobs) if address == LOCAL else None
        try:
            self._client = distributed.Client(
                self._cluster or address, timeout=SCHEDULER_TIMEOUT, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise WorkerPoolError(f"no Dask scheduler answers at {address}: {error}") from error
        self._futures: dict[str, Any] = {}
        self._done: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._losses: Counter[str] = Counter()
        self._workers: Mapping[str, int] = {}  # threads by address
        self._polled = self._workers_seen = time.monotonic()
        self._stopping_since: float | None = None
        self._poll()

    @property
    def free_slots(self) -> int:
        """One task more for each worker than it has threads, so that none waits for the network."""
        return sum(self._workers.values()) + len(self._workers) - len(self._futures)

    @property
    def running(self) -> int:
        """The tasks that have a thread."""
        return min(len(self._futures), sum(self._workers.values()))

    def start(self, task: Task) -> None:
        """Submit a task. Raises WorkerPoolError without a scheduler."""
        try:
            future = self._client.submit(
                run_task, self.arguments, asdict(task), key=f"{task.id}-{os.urandom(4).hex()}",
                pure=False,
            )  # fmt: skip
        except Exception as error:  # its class depends on Dask's version
            raise WorkerPoolError(self._scheduler_lost) from error
        self._futures[task.id] = future
        future.add_done_callback(lambda future: self._done.put(task.id))

    def wait(self, seconds: float) -> list[TaskReport]:
        """See TrialExecutor. Also raises WorkerPoolError when no worker is left for long."""
        if time.monotonic() - self._polled > POLL:
            self._poll()
        reports: list[TaskReport] = []
        with suppress(queue.Empty):
            reports.append(self._report(self._done.get(timeout=seconds)))
            while True:
                reports.append(self._report(self._done.get_nowait()))
        if self._stopping_since is not None and not reports:
            late = time.monotonic() - self._stopping_since > STOP_TIMEOUT
            if late or not self._workers:
                reports = [TaskReport(id, TaskResult.INTERRUPTED) for id in self._futures]
                self._futures = {}
        return reports

    def stop(self) -> None:
        """Ask every worker to stop its trials."""
        self._stopping_since = time.monotonic()
        with suppress(Exception):  # workers that cannot be reached stop by themselves
            self._client.sync(
                self._client._run, stop_trials, self.arguments, callback_timeout=SCHEDULER_TIMEOUT
            )

    def close(self) -> None:
        """Disconnect from the cluster; end one that was made for this grid."""
        with suppress(Exception):
            self._client.close(timeout=SCHEDULER_TIMEOUT)
        if self._cluster is not None:
            with suppress(Exception):
                self._cluster.close(timeout=SCHEDULER_TIMEOUT)

    def _report(self, id: str) -> TaskReport:
        """What became of a task. Raises WorkerPoolError where Dask loses it several times."""
        future = self._futures.pop(id, None)
        if future is None:
            return TaskReport(id, TaskResult.INTERRUPTED)
        report = TaskReport(id, TaskResult.INTERRUPTED)
        if future.status == "finished":
            with suppress(OSError, CancelledError):  # lost on its way; the folder has the outcome
                report = future.result(timeout=SCHEDULER_TIMEOUT)
        elif future.status != "cancelled":
            report = replace(report, error=str(future.exception()))
        lost = report.result == TaskResult.INTERRUPTED and report.error
        if lost and self._stopping_since is None:
            self._losses[id] += 1
            if self._losses[id] >= MAX_LOSSES:
                raise WorkerPoolError(f"Dask at {self.address} cannot do trial {id}: {lost}")
        return report

    def _poll(self) -> None:
        """Ask the scheduler for its workers. Raises WorkerPoolError without one."""
        now = time.monotonic()
        self._workers = {}
        if self._client.status in ("closed", "closing"):
            raise WorkerPoolError(self._scheduler_lost)
        if self._client.status == "running":
            try:
                self._workers = dict(
                    self._client.sync(
                        self._client.scheduler.ncores, callback_timeout=SCHEDULER_TIMEOUT
                    )
                )
            except Exception as error:
                if now - self._workers_seen > WORKER_TIMEOUT:
                    raise WorkerPoolError(self._scheduler_lost) from error
        if self._workers:
            self._workers_seen = time.monotonic()
        elif now - self._workers_seen > WORKER_TIMEOUT and self._stopping_since is None:
            raise WorkerPoolError(
                f"no Dask worker at {self.address} for {WORKER_TIMEOUT:g} s; "
                f"start one with `dask worker {self.address}`, and the same command continues"
            )
        self._polled = time.monotonic()


def check_address(address: str) -> None:
    """Raises UsageError for a text that cannot be the address of a scheduler."""
    scheme, _, rest = address.partition("://")
    rest = rest.partition("/")[0] if scheme in ("ws", "wss") else rest
    host, colon, port = rest.rpartition(":")
    valid = scheme in SCHEMES and host and colon and port.isdecimal() and int(port) <= MAX_PORT
    if address != LOCAL and not valid:
        schemes = ", ".join(f"{name}://" for name in SCHEMES)
        raise UsageError(
            f"--dask is the address of a scheduler or `local`, not {address}: "
            f"write it as tcp://host:8786 (before the host: {schemes})"
        )


def check_certificates(address: str) -> None:
    """Raises UsageError where Dask's configuration lacks the certificates of an encrypted address.

    `distributed.Client` takes them from there, as scheduler and workers do.
    """
    if not address.startswith(("tls:", "wss:")):
        return
    import distributed

    try:
        context = distributed.Security().get_connection_args("client").get("ssl_context")
    except OSError as error:  # no such file, or no certificate
        raise UsageError(f"the certificates in Dask's configuration: {error}") from error
    if context is None:
        raise UsageError(
            f"{address} needs certificates: set ca-file, client.key and client.cert of "
            "distributed.comm.tls in Dask's configuration"
        )


def check_scheduler(address: str) -> None:
    """Raises UsageError without the package, WorkerPoolError where nobody listens there."""
    if importlib.util.find_spec("distributed") is None:
        raise UsageError("--dask needs another package: pip install 'ldl[dask]'")
    scheme, _, rest = address.partition("://")
    if scheme in ("tcp", "tls"):
        host, _, port = rest.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), SCHEDULER_TIMEOUT).close()
        except (OSError, UnicodeError) as error:  # UnicodeError: no host can have this name
            raise WorkerPoolError(f"no Dask scheduler answers at {address}: {error}") from error


def _local_cluster(jobs: int) -> Any:
    """A scheduler and workers on this computer, which Ctrl-C does not reach."""
    from distributed import LocalCluster

    make = partial(LocalCluster, n_workers=jobs, threads_per_worker=1, dashboard_address=None)
    if threading.current_thread() is not threading.main_thread():
        return make()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the new processes inherit it
    try:
        return make()
    finally:
        signal.signal(signal.SIGINT, handler)


# --- within a Dask worker --------------------------------------------------------------------


def run_task(arguments: Mapping[str, Any], fields: Mapping[str, Any]) -> TaskReport:
    """Run a task in the pool beside this Dask worker and wait for its report."""
    task, folder = Task(**fields), arguments["folder"]
    if not (Path(folder) / "claims").is_dir():
        error = f"{os.uname().nodename} does not see {folder}"
        return TaskReport(task.id, TaskResult.INTERRUPTED, error=error)
    try:
        return _pool(arguments).run(task)
    except LdlError as error:
        return TaskReport(task.id, TaskResult.INTERRUPTED, error=str(error))


def stop_trials(arguments: Mapping[str, Any]) -> None:
    """Ask the trials beside this Dask worker to stop with checkpoints."""
    shared = _pools.get(_pool_key(arguments))
    if shared is not None:
        shared.pool.stop()


class _SharedPool:
    """The pool beside a Dask worker; several threads wait for it."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        from distributed import get_worker

        self.pool = WorkerPool(TRIAL_WORKER, arguments, get_worker().state.nthreads)
        self._lock = threading.Lock()
        self._reports: dict[str, queue.SimpleQueue[TaskReport]] = {}
        self.closed = False
        threading.Thread(target=self._distribute, daemon=True).start()

    def run(self, task: Task) -> TaskReport:
        """The report of a task, once it is there."""
        report: queue.SimpleQueue[TaskReport] = queue.SimpleQueue()
        with self._lock:
            if task.id in self._reports:
                return TaskReport(task.id, TaskResult.LEASED_ELSEWHERE)
            self.pool.start(task)
            self._reports[task.id] = report
        return report.get()

    def _distribute(self) -> None:
        """Give each waiting thread its report, until the fork server ends."""
        error = ""
        try:
            while True:
                for report in self.pool.wait(1.0):
                    with self._lock:
                        self._reports.pop(report.id).put(report)
        except LdlError as caught:
            error = str(caught)
        with self._lock:
            self.closed = True
            for id, waiting in self._reports.items():
                waiting.put(TaskReport(id, TaskResult.INTERRUPTED, error=error))
            self._reports.clear()


_pools: dict[str, _SharedPool] = {}
_pools_lock = threading.Lock()


def _pool_key(arguments: Mapping[str, Any]) -> str:
    return json.dumps(arguments, sort_keys=True)


def _pool(arguments: Mapping[str, Any]) -> _SharedPool:
    """The pool for a grid, started when it is first needed, and again when it has ended."""
    key = _pool_key(arguments)
    with _pools_lock:
        if key not in _pools or _pools[key].closed:
            _pools[key] = _SharedPool(arguments)
            atexit.register(_pools[key].pool.close)
        return _pools[key]
