"""Trials on a Dask cluster whose computers share the disk that the grid folder lies on.

What crosses the network is a task as JSON has it and a word back. The folder's claims say who works
on what, so a task that Dask runs twice trains once; and a trial runs in a process of its own beside
the Dask worker, so a trial that dies takes no worker along, and a worker that dies leaves a
checkpoint. Dask's own words here are those of its documentation: scheduler, worker, client.
"""

from __future__ import annotations

import atexit
import importlib.util
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
from functools import partial
from pathlib import Path
from typing import Any

from ldl.errors import LdlError, UsageError
from ldl.grid.executors import GridError, Local
from ldl.grid.work import Task, Word

LOCAL = "local"
SCHEMES = ("tcp", "tls", "ucx", "ws", "wss")
MOST_PORT = 65_535
ANSWER = 10.0  # seconds for the scheduler to answer
WORKERS = 30.0  # seconds to wait for a worker where there is none
LOOK = 2.0  # seconds between two looks at the cluster
STOP = 20.0  # seconds for trials to stop
TRIES = 3  # times that Dask may give a task back without a word
Reply = dict[str, str]  # "word", and "error" where there is none


class Cluster:
    """An Executor of trials on the workers of a scheduler, or of a cluster on this computer."""

    def __init__(self, folder: Path, address: str, jobs: int) -> None:
        """Raises UsageError for no `distributed` or no address, GridError for no scheduler."""
        check_address(address)
        check_scheduler(address)
        import distributed

        self.folder, self.address = folder.absolute(), address
        self._gone = (
            f"the Dask scheduler at {address} is gone; start it again, and the same command goes on"
        )
        self._cluster = _local_cluster(jobs) if address == LOCAL else None
        try:
            self._client = distributed.Client(
                self._cluster or address, timeout=ANSWER, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise GridError(f"no Dask scheduler answers at {address}: {error}") from error
        self._out: dict[str, Any] = {}  # futures
        self._back: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._given_up: Counter[str] = Counter()
        self._workers: Mapping[str, int] = {}  # threads by address
        self._looked = self._seen = time.monotonic()
        self._stopping: float | None = None
        self._look()

    @property
    def room(self) -> int:
        """One more for each worker than it has threads: so that none waits for the network."""
        return sum(self._workers.values()) + len(self._workers) - len(self._out)

    @property
    def running(self) -> int:
        """Those that do not wait for a thread."""
        return min(len(self._out), sum(self._workers.values()))

    def start(self, task: Task) -> None:
        """Submit a task. Raises GridError without a scheduler."""
        id = task.trial.id
        try:
            future = self._client.submit(
                run_task, str(self.folder), task.to_dict(), key=f"{id}-{os.urandom(4).hex()}",
                pure=False,
            )  # fmt: skip
        except Exception as error:  # its class depends on Dask's version
            raise GridError(self._gone) from error
        self._out[id] = future
        future.add_done_callback(lambda future: self._back.put(id))

    def wait(self, seconds: float) -> list[tuple[str, Word]]:
        """See Executor. Raises GridError without a scheduler or, for long, without a worker."""
        if time.monotonic() - self._looked > LOOK:
            self._look()
        back: list[tuple[str, Word]] = []
        with suppress(queue.Empty):
            back.append(self._returned(self._back.get(timeout=seconds)))
            while True:
                back.append(self._returned(self._back.get_nowait()))
        if self._stopping is not None and not back:
            late = time.monotonic() - self._stopping > STOP
            if late or not self._workers:
                back, self._out = [(id, "stopped") for id in self._out], {}
        return back

    def stop(self) -> None:
        """Ask every worker to stop its trials."""
        self._stopping = time.monotonic()
        with suppress(Exception):  # what cannot be reached stops by itself
            self._client.sync(
                self._client._run, stop_trials, str(self.folder), callback_timeout=ANSWER
            )

    def close(self) -> None:
        """Let go of the cluster, or end one that was made for this grid."""
        with suppress(Exception):
            self._client.close(timeout=ANSWER)
        if self._cluster is not None:
            with suppress(Exception):
                self._cluster.close(timeout=ANSWER)

    def _returned(self, id: str) -> tuple[str, Word]:
        """What came of a task. Raises GridError where Dask gives it up again and again."""
        future = self._out.pop(id, None)
        if future is None:
            return id, "stopped"
        reply: Reply = {"word": "stopped", "error": ""}
        if future.status == "finished":
            with suppress(OSError, CancelledError):  # lost on its way; the folder says what is done
                reply = future.result(timeout=ANSWER)
        elif future.status != "cancelled":
            reply["error"] = str(future.exception())
        error = reply["error"]
        if error and self._stopping is None:
            self._given_up[id] += 1
            if self._given_up[id] >= TRIES:
                raise GridError(f"Dask at {self.address} cannot do trial {id}: {error}")
        word: Any = reply["word"]
        return id, word

    def _look(self) -> None:
        """See whether there is a scheduler and a worker. Raises GridError."""
        now = time.monotonic()
        if self._client.status in ("closed", "closing"):
            raise GridError(self._gone)
        if self._client.status == "running":
            try:
                self._workers = dict(
                    self._client.sync(self._client.scheduler.ncores, callback_timeout=ANSWER)
                )
            except Exception as error:
                if now - self._seen > WORKERS:
                    raise GridError(self._gone) from error
                self._workers = {}
        else:
            self._workers = {}
        if self._workers:
            self._seen = time.monotonic()
        elif now - self._seen > WORKERS and self._stopping is None:
            raise GridError(
                f"no Dask worker at {self.address} for {WORKERS:g} s; "
                f"start one with `dask worker {self.address}`, and the same command goes on"
            )
        self._looked = time.monotonic()


def check_address(address: str) -> None:
    """Raises UsageError for what cannot be the address of a scheduler."""
    scheme, _, rest = address.partition("://")
    rest = rest.partition("/")[0] if scheme in ("ws", "wss") else rest
    host, colon, port = rest.rpartition(":")
    named = scheme in SCHEMES and host and colon and port.isdecimal() and int(port) <= MOST_PORT
    if address != LOCAL and not named:
        schemes = ", ".join(f"{each}://" for each in SCHEMES)
        raise UsageError(
            f"--dask is the address of a scheduler or `local`, not {address}: "
            f"write it as tcp://host:8786 (before the host: {schemes})"
        )


def check_scheduler(address: str) -> None:
    """Raises UsageError without the package, GridError where nobody listens at the address."""
    if importlib.util.find_spec("distributed") is None:
        raise UsageError("--dask needs another package: pip install 'ldl[dask]'")
    scheme, _, rest = address.partition("://")
    if scheme in ("tcp", "tls"):
        host, _, port = rest.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), ANSWER).close()
        except (OSError, UnicodeError) as error:  # a name that no host can have is not Unicode's
            raise GridError(f"no Dask scheduler answers at {address}: {error}") from error


def _local_cluster(jobs: int) -> Any:
    """A scheduler and workers on this computer, which Ctrl-C does not check_scheduler."""
    from distributed import LocalCluster

    make = partial(LocalCluster, n_workers=jobs, threads_per_worker=1, dashboard_address=None)
    if threading.current_thread() is not threading.main_thread():
        return make()
    held = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited by what is started now
    try:
        return make()
    finally:
        signal.signal(signal.SIGINT, held)


# --- within a Dask worker --------------------------------------------------------------------


def run_task(folder: str, task: Mapping[str, Any]) -> Reply:
    """Carry out a task beside this worker and wait for its word; both are plain data."""
    if not (Path(folder) / "claims").is_dir():
        return {"word": "stopped", "error": f"{os.uname().nodename} does not see {folder}"}
    try:
        return _room(folder).carry_out(Task.from_dict(task))
    except LdlError as error:
        return {"word": "stopped", "error": str(error)}


def stop_trials(folder: str) -> None:
    """Ask the trials beside this worker to leave checkpoints and end."""
    room = _rooms.get(folder)
    if room is not None:
        room.local.stop()


class _Room:
    """The nursery beside a worker; several threads wait for it."""

    def __init__(self, folder: str) -> None:
        from distributed import get_worker

        self.local = Local(Path(folder), get_worker().state.nthreads)
        self._lock = threading.Lock()
        self._words: dict[str, queue.SimpleQueue[Reply]] = {}
        self.closed = False
        threading.Thread(target=self._listen, daemon=True).start()

    def carry_out(self, task: Task) -> Reply:
        """The word on a task, once it is there."""
        answer: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        with self._lock:
            if task.trial.id in self._words:
                return {"word": "taken", "error": ""}
            self.local.start(task)
            self._words[task.trial.id] = answer
        return answer.get()

    def _listen(self) -> None:
        """Pass words on until the nursery ends."""
        error = ""
        try:
            while True:
                for id, word in self.local.wait(1.0):
                    with self._lock:
                        self._words.pop(id).put({"word": word, "error": ""})
        except LdlError as caught:
            error = str(caught)
        with self._lock:
            self.closed = True
            for answer in self._words.values():
                answer.put({"word": "stopped", "error": error})
            self._words.clear()


_rooms: dict[str, _Room] = {}
_making = threading.Lock()


def _room(folder: str) -> _Room:
    """The nursery for a grid folder, started when it is first needed or has ended."""
    with _making:
        if folder not in _rooms or _rooms[folder].closed:
            _rooms[folder] = _Room(folder)
            atexit.register(_rooms[folder].local.close)
        return _rooms[folder]
