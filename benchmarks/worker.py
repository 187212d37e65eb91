"""A process for each implementation, controlled through a pipe, so that no threads interfere."""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from math import nan
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from benchmarks.implementations import IMPLEMENTATIONS
from ldl.arrays import Array

if TYPE_CHECKING:
    from benchmarks.implementations.base import Variant
    from benchmarks.tasks import Task, Weights

WARM_UP_SECONDS = 0.01  # of steps before a measurement: caches and clock rates settle
JOIN_TIMEOUT = 5.0  # seconds that a process may take to end
MAX_SLOWDOWN = 2.0  # over the fastest variant; slower variants are dropped after an epoch
MAX_EPOCH_SECONDS = 2.0  # variants with longer epochs are timed once


@dataclass
class LossAndGradient:
    """What one variant computes from the common initial weights, for the comparison."""

    loss: float
    gradient: Weights | None
    epoch: float = nan  # the mean loss of the first epoch, in order


@dataclass
class BuildResult:
    """The variants of an implementation: their results, or why they failed."""

    values: dict[str, LossAndGradient] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    build: float = 0.0  # seconds to build (and compile) all variants
    slow_variants: dict[str, float] = field(default_factory=dict)  # seconds per step, final


def seconds_per_step(variant: Variant, seconds: float, steps: int, epoch_seconds: float) -> float:
    """The mean over about `seconds` of consecutive epochs, after some that warm up."""
    for _ in range(round(WARM_UP_SECONDS / epoch_seconds)):
        variant.epoch()
    epochs = max(1, round(seconds / epoch_seconds))
    start = time.perf_counter()
    for _ in range(epochs):
        variant.epoch()
    return (time.perf_counter() - start) / (epochs * steps)


class Session:
    """One implementation on one task; its methods are what the pipe can call."""

    def __init__(self, name: str, task: Task) -> None:
        from benchmarks import process_memory
        from benchmarks.tasks import WARM_UP

        self.task, self.memory = task, process_memory
        self.variants: dict[str, Variant] = {}
        self.epoch_seconds: dict[str, float] = {}
        self.result, self.selected = BuildResult(), ""
        implementation = IMPLEMENTATIONS[name]
        for maker in implementation.variants(WARM_UP).values():  # loads what libraries load lazily
            with suppress(Exception):
                maker().epoch()
            break
        self.makers = implementation.variants(task)
        process_memory.reset_peak()
        self.base = process_memory.resident()

    def build(self, samples: Array) -> None:
        """Build all variants, and compute loss and gradient on the sample indices (n,)."""
        for name, maker in self.makers.items():
            start = time.perf_counter()
            try:
                variant = maker()
                self.result.build += time.perf_counter() - start
                self.result.values[name] = LossAndGradient(*variant.gradient(samples))
                self.variants[name] = variant
            except Exception as error:
                self._record_error(name, error)
        self.makers = {}

    def learn(self) -> BuildResult:
        """Train each variant for an epoch in order; the time of slow ones is that of this epoch."""
        for name in list(self.variants):
            variant = self.variants.pop(name)
            values = self.result.values.pop(name)
            start = time.perf_counter()
            try:
                values.epoch = variant.epoch(shuffle=False)
            except Exception as error:
                self._record_error(name, error)
                continue
            self.result.values[name] = values
            seconds = time.perf_counter() - start
            if seconds > MAX_EPOCH_SECONDS:
                self.result.slow_variants[name] = seconds / self.task.batches
            else:
                self.variants[name] = variant
        return self.result

    def _record_error(self, name: str, error: Exception) -> None:
        traceback.print_exc()
        self.result.errors[name] = f"{type(error).__name__}: {error}".split("\n")[0]

    def choose(self, seconds: float, rounds: int) -> str:
        """Select the variant with the fastest round, and drop the others and their memory.

        Variants that take `MAX_SLOWDOWN` times the fastest first epoch are not measured again.
        """
        for name, variant in self.variants.items():
            start = time.perf_counter()
            variant.epoch()
            self.epoch_seconds[name] = time.perf_counter() - start
        limit = MAX_SLOWDOWN * min(self.epoch_seconds.values())
        best = {name: epoch for name, epoch in self.epoch_seconds.items() if epoch <= limit}
        for _ in range(rounds if len(best) > 1 else 1):
            for name in best:
                epoch = self._time(name, seconds) * self.task.batches
                self.epoch_seconds[name] = best[name] = min(best[name], epoch)
        self.selected = min(best, key=best.__getitem__)
        self.variants = {self.selected: self.variants[self.selected]}
        self.memory.reset_peak()
        return self.selected

    def _time(self, name: str, seconds: float) -> float:
        steps, epoch = self.task.batches, self.epoch_seconds[name]
        return seconds_per_step(self.variants[name], seconds, steps, epoch)

    def run(self, seconds: float) -> float:
        """Seconds per step of the selected variant."""
        return self._time(self.selected, seconds)

    def cpu(self) -> float:
        """CPU seconds of this process and its ended children."""
        return time.process_time() + sum(os.times()[2:4])

    def bytes(self) -> int:
        """The peak memory while it trained, without libraries."""
        return max(0, self.memory.peak() - self.base)


def serve(pipe: Connection, name: str, task: Task) -> None:
    """Execute (method, arguments) from the pipe until it closes."""
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # no compiler processes during the benchmark
    try:
        session: Any = Session(name, task)
        pipe.send((True, None))
        while True:
            method, arguments = pipe.recv()
            pipe.send((True, getattr(session, method)(*arguments)))
    except EOFError:
        pass
    except Exception as error:
        traceback.print_exc()
        pipe.send((False, f"{type(error).__name__}: {error}"))


class ImplementationFailed(Exception):
    """An implementation raised an error, ended or did not answer."""


class Worker:
    """The parent's side of the pipe to a new process."""

    def __init__(self, name: str, task: Task) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, child_pipe = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=serve, args=(child_pipe, name, task), daemon=True
        )
        self.process.start()
        child_pipe.close()

    def send(self, method: str, *arguments: Any) -> None:
        """Start a method of the session."""
        self.pipe.send((method, arguments))

    def receive(self, limit: float = 300.0) -> Any:
        """The next result. Raises ImplementationFailed for an error or after `limit` seconds."""
        if not self.pipe.poll(limit):
            self.process.terminate()
            raise ImplementationFailed(f"no answer within {limit:.0f} s")
        try:
            succeeded, result = self.pipe.recv()
        except EOFError:
            raise ImplementationFailed(f"its process ended with {self.process.exitcode}") from None
        if not succeeded:
            raise ImplementationFailed(result)
        return result

    def call(self, method: str, *arguments: Any) -> Any:
        """Start a method of the session and wait for its result."""
        self.send(method, *arguments)
        return self.receive()


def stop_workers(workers: Iterable[Worker]) -> None:
    """End the processes: each ends when its pipe closes, or is terminated after JOIN_TIMEOUT."""
    workers = list(workers)
    for worker in workers:
        worker.pipe.close()
    for worker in workers:
        worker.process.join(JOIN_TIMEOUT)
        if worker.process.is_alive():
            worker.process.terminate()
            worker.process.join()
