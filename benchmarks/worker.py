"""A contender's own process: it waits for orders on a pipe, so that its threads disturb nobody."""

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

from benchmarks.contenders import CONTENDERS
from ldl.arrays import Array

if TYPE_CHECKING:
    from benchmarks.contenders.base import Side
    from benchmarks.tasks import Task, Weights

WARM = 0.01  # seconds of steps before a clock starts: caches and clock rates settle
GRACE = 5.0  # seconds that a process may take to end
HOPELESS = 2.0
SLOW = 2.0  # seconds an epoch; what takes longer is timed once


@dataclass
class Numbers:
    """What one variant computes from the common start, for the comparison."""

    loss: float
    gradient: Weights | None
    epoch: float = nan  # the mean loss of the first epoch, in order


@dataclass
class Worked:
    """What a contender has made: its variants, or why there are none."""

    numbers: dict[str, Numbers] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    build: float = 0.0  # seconds to make (and compile) all variants
    slow: dict[str, float] = field(default_factory=dict)  # seconds a step of those not timed again


def seconds_a_step(side: Side, seconds: float, steps: int, epoch_seconds: float) -> float:
    """Mean over about `seconds` of epochs run without a break, after some that warm up."""
    for _ in range(round(WARM / epoch_seconds)):
        side.epoch()
    epochs = max(1, round(seconds / epoch_seconds))
    start = time.perf_counter()
    for _ in range(epochs):
        side.epoch()
    return (time.perf_counter() - start) / (epochs * steps)


class Bench:
    """One contender on one task: what the orders of the pipe do."""

    def __init__(self, name: str, task: Task) -> None:
        from benchmarks import memory
        from benchmarks.tasks import WARM_UP

        self.task, self.memory = task, memory
        self.sides: dict[str, Side] = {}
        self.epoch_seconds: dict[str, float] = {}
        self.found, self.chosen = Worked(), ""
        contender = CONTENDERS[name]
        for maker in contender.variants(WARM_UP).values():  # loads what libraries load when used
            with suppress(Exception):
                maker().epoch()
            break
        self.makers = contender.variants(task)
        memory.reset_peak()
        self.base = memory.resident()

    def build(self, chosen: Array) -> None:
        """Make all variants, with loss and gradient on `chosen`; those that fail say why."""
        for name, maker in self.makers.items():
            start = time.perf_counter()
            try:
                side = maker()
                self.found.build += time.perf_counter() - start
                self.found.numbers[name] = Numbers(*side.gradient(chosen))
                self.sides[name] = side
            except Exception as error:
                self._failed(name, error)
        self.makers = {}

    def learn(self) -> Worked:
        """What has been built, after an epoch in order; what is slow is timed by that alone."""
        for name in list(self.sides):
            side = self.sides.pop(name)
            numbers = self.found.numbers.pop(name)
            start = time.perf_counter()
            try:
                numbers.epoch = side.epoch(shuffle=False)
            except Exception as error:
                self._failed(name, error)
                continue
            self.found.numbers[name] = numbers
            seconds = time.perf_counter() - start
            if seconds > SLOW:
                self.found.slow[name] = seconds / self.task.batches
            else:
                self.sides[name] = side
        return self.found

    def _failed(self, name: str, error: Exception) -> None:
        traceback.print_exc()
        self.found.faults[name] = f"{type(error).__name__}: {error}".split("\n")[0]

    def choose(self, seconds: float, rounds: int) -> str:
        """The fastest variant by its best round; the others are dropped, with their memory.

        One that takes twice as long as another over its first epoch has no chance.
        """
        for name, side in self.sides.items():
            start = time.perf_counter()
            side.epoch()
            self.epoch_seconds[name] = time.perf_counter() - start
        limit = HOPELESS * min(self.epoch_seconds.values())
        best = {name: found for name, found in self.epoch_seconds.items() if found <= limit}
        for _ in range(rounds if len(best) > 1 else 1):
            for name in best:
                epoch = self._timed(name, seconds) * self.task.batches
                self.epoch_seconds[name] = best[name] = min(best[name], epoch)
        self.chosen = min(best, key=best.__getitem__)
        self.sides = {self.chosen: self.sides[self.chosen]}
        self.memory.reset_peak()
        return self.chosen

    def _timed(self, name: str, seconds: float) -> float:
        steps, epoch = self.task.batches, self.epoch_seconds[name]
        return seconds_a_step(self.sides[name], seconds, steps, epoch)

    def run(self, seconds: float) -> float:
        """Seconds a step of the chosen variant."""
        return self._timed(self.chosen, seconds)

    def cpu(self) -> float:
        """Seconds that this process and its ended children have computed."""
        return time.process_time() + sum(os.times()[2:4])

    def bytes(self) -> int:
        """The most memory held while it trained, without libraries."""
        return max(0, self.memory.peak() - self.base)


def serve(pipe: Connection, name: str, task: Task) -> None:
    """Obey the pipe's orders, (method, arguments), until it closes."""
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # no pool of compilers beside the benchmark
    try:
        bench: Any = Bench(name, task)
        pipe.send((True, None))
        while True:
            method, arguments = pipe.recv()
            pipe.send((True, getattr(bench, method)(*arguments)))
    except EOFError:
        pass
    except Exception as error:
        traceback.print_exc()
        pipe.send((False, f"{type(error).__name__}: {error}"))


class Failed(Exception):
    """A contender could not do what it was asked."""


class Worker:
    """The parent's end. `tell` sends an order, `hear` waits for its answer."""

    def __init__(self, name: str, task: Task) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=serve, args=(theirs, name, task), daemon=True
        )
        self.process.start()
        theirs.close()

    def tell(self, method: str, *arguments: Any) -> None:
        """Send an order."""
        self.pipe.send((method, arguments))

    def hear(self, limit: float = 300.0) -> Any:
        """The answer. Raises Failed where there is none within `limit` seconds, or a fault."""
        if not self.pipe.poll(limit):
            self.process.terminate()
            raise Failed(f"no answer within {limit:.0f} s")
        try:
            good, answer = self.pipe.recv()
        except EOFError:
            raise Failed(f"its process ended with {self.process.exitcode}") from None
        if not good:
            raise Failed(answer)
        return answer

    def ask(self, method: str, *arguments: Any) -> Any:
        """`tell`, then `hear`."""
        self.tell(method, *arguments)
        return self.hear()


def close(workers: Iterable[Worker]) -> None:
    """End processes: each ends by itself once its pipe is closed, unless it is stuck."""
    workers = list(workers)
    for worker in workers:
        worker.pipe.close()
    for worker in workers:
        worker.process.join(GRACE)
        if worker.process.is_alive():
            worker.process.terminate()
            worker.process.join()
