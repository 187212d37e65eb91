"""`python -m benchmarks.networks`: milliseconds a training step of convolutional networks.

The loop of `ldl train` against PyTorch eager, on the same data in memory, the same starting
weights and 2 threads, after a check that both compute the same loss. PyTorch runs with the
fastest of its settings: threads, memory format. Rows on which PyTorch is ahead stand first.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.clean import run_clean
from benchmarks.measure import PAUSE, ROUND_SECONDS
from benchmarks.others import Others, warning
from ldl.engine.memory import Array

STEPS = 4  # batches of data in memory
RATE = 0.001
Layers = tuple[tuple[str, dict[str, Any]], ...]

LeNet: Layers = (
    ("conv2d", {"out_channels": 6, "kernel_size": 5, "padding": 2}), ("tanh", {}),
    ("avgpool2d", {}), ("conv2d", {"out_channels": 16, "kernel_size": 5}), ("tanh", {}),
    ("avgpool2d", {}), ("flatten", {}), ("linear", {"units": 120}), ("tanh", {}),
    ("linear", {"units": 84}), ("tanh", {}), ("linear", {"units": 10}),
)  # fmt: skip


def report_e(*front: tuple[str, dict[str, Any]]) -> Layers:
    """Report e's networks: some layers, then 100 hidden units and ten classes."""
    head = (("linear", {"units": 100}), ("relu", {}), ("linear", {"units": 10}))
    return (*front, ("flatten", {}), *head)


def cifar(normalised: bool) -> Layers:
    """Report c's network, with or without batch normalisation."""
    norm: Layers = (("batch_norm", {}),) if normalised else ()
    front = [
        each
        for channels in (32, 64, 64)
        for each in (
            ("conv2d", {"out_channels": channels, "kernel_size": 5, "padding": 2}),
            *norm,
            ("relu", {}),
            ("maxpool2d", {}),
        )
    ]
    tail = (("linear", {"units": 1000}), ("relu", {}), ("linear", {"units": 10}))
    return (*front, ("flatten", {}), *tail)


def conv1d(*channels: int) -> Layers:
    """conv1d of width 3 and a pool, once for each number of channels."""
    return report_e(
        *(
            each
            for c in channels
            for each in (("conv1d", {"out_channels": c}), ("maxpool1d", {}))
        )
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A network, the shape of its input and its batch."""

    name: str
    layers: Layers
    shape: tuple[int, ...]
    batch: int


CASES = (
    Case("conv1d 32", conv1d(32), (256, 1), 32),
    Case("conv1d 128-64-32", conv1d(128, 64, 32), (256, 1), 64),
    Case(
        "conv2d 32",
        report_e(("conv2d", {"out_channels": 32}), ("avgpool2d", {})),
        (16, 16, 1),
        32,
    ),
    Case(
        "conv2d 32-64",
        report_e(
            ("conv2d", {"out_channels": 32}),
            ("avgpool2d", {"stride": 1}),
            ("conv2d", {"out_channels": 64}),
            ("avgpool2d", {}),
        ),
        (16, 16, 1),
        32,
    ),
    Case("LeNet-5", LeNet, (28, 28, 1), 64),
    Case("CIFAR 32-64-64", cifar(False), (32, 32, 3), 128),
    Case("CIFAR 32-64-64, batch_norm", cifar(True), (32, 32, 3), 128),
)


def data(case: Case) -> tuple[Array, Array]:
    """Inputs (n, …) in [0, 1) and classes (n,)."""
    rng = np.random.default_rng(0)
    count = case.batch * STEPS
    return rng.random((count, *case.shape), np.float32), rng.integers(0, 10, count)


class Ours:
    """The trainer's loop."""

    def __init__(self, case: Case) -> None:
        from ldl.build.division import divide
        from ldl.engine.graph import Graph, LossPlace, Place
        from ldl.engine.layer import Spec
        from ldl.engine.layers import LAYERS
        from ldl.engine.losses import CrossEntropy
        from ldl.engine.model import Model
        from ldl.engine.optim import Sgd
        from ldl.train.steps import Steps

        places, value = [], "x"
        for i, (name, settings) in enumerate(case.layers):
            places.append(Place(f"{i}", LAYERS[name](**settings), (value,)))
            value = f"{i}"
        inputs = {"x": Spec(case.shape), "t": Spec((), True)}
        self.graph = Graph(inputs, places, [LossPlace("loss", CrossEntropy(), (value, "t"))])
        self.division = divide(self.graph, case.batch)
        self.model = Model(self.graph, threads=self.division.parts)
        x, t = data(case)
        self.steps = Steps(self.model, Sgd(RATE), {"x": x, "t": t}, case.batch, 0, shuffle=False)
        self.epochs = 0

    def epoch(self) -> float:
        """The mean loss of the steps over the data."""
        from threadpoolctl import threadpool_limits

        from ldl.train.steps import Totals

        self.epochs += 1
        totals = Totals()
        with threadpool_limits(self.division.blas or 2, user_api="blas"):
            self.steps.epoch(self.epochs, totals)
        return totals.loss / totals.samples


class Torch:
    """The same network in PyTorch, starting from our weights."""

    def __init__(self, case: Case, ours: Ours, threads: int, last: bool) -> None:
        import torch

        self.torch, self.threads = torch, threads
        x, t = data(case)
        order = (0, len(case.shape), *range(1, len(case.shape)))
        self.x = torch.from_numpy(np.ascontiguousarray(x.transpose(order)))
        self.t, self.batch = torch.from_numpy(t), case.batch
        self.net = torch.nn.Sequential(*_modules(case, ours))
        if last:
            self.x = self.x.contiguous(memory_format=torch.channels_last)
            self.net = self.net.to(memory_format=torch.channels_last)
        self.loss = torch.nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.net.parameters(), RATE)

    def epoch(self) -> float:
        """The mean loss of the steps over the data."""
        self.torch.set_num_threads(self.threads)
        total = 0.0
        for start in range(0, len(self.x), self.batch):
            rows = slice(start, start + self.batch)
            loss = self.loss(self.net(self.x[rows]), self.t[rows])
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        return total / STEPS


def _modules(case: Case, ours: Ours) -> list[Any]:
    """PyTorch's modules with our weights, in its own order of axes."""
    from torch import from_numpy, nn

    made: list[Any] = []
    flat: tuple[int, ...] | None = None  # the image that the last flatten read
    plain = {"tanh": nn.Tanh, "relu": nn.ReLU, "flatten": nn.Flatten}
    pools = {"maxpool1d": nn.MaxPool1d, "maxpool2d": nn.MaxPool2d, "avgpool2d": nn.AvgPool2d}
    for i, (name, settings) in enumerate(case.layers):
        before = ours.graph.specs[f"{i - 1}" if i else "x"].shape
        if name in plain:
            made.append(plain[name]())
            flat = before if name == "flatten" else flat
        elif name in pools:
            made.append(pools[name](2, **settings))
        elif name == "batch_norm":
            made.append(nn.BatchNorm2d(before[-1]))
        else:
            w = ours.model.parameters.weights[f"{i}.weight"]
            if name == "linear":
                module: Any = nn.Linear(*w.shape)
                image = w.reshape(*flat, -1) if flat else w[None]
                w, flat = np.moveaxis(image, -2, 0).reshape(w.shape).T, None
            else:
                kind = nn.Conv1d if name == "conv1d" else nn.Conv2d
                size, padding = settings.get("kernel_size", 3), settings.get("padding", 0)
                module = kind(before[-1], settings["out_channels"], size, padding=padding)
                w = np.moveaxis(w, (-1, -2), (0, 1))
            module.weight.data.copy_(from_numpy(np.ascontiguousarray(w)))
            module.bias.data.copy_(from_numpy(ours.model.parameters.weights[f"{i}.bias"]))
            made.append(module)
    return made


def seconds(epoch: Callable[[], float], epochs: int) -> float:
    """A step's seconds."""
    start = time.perf_counter()
    for _ in range(epochs):
        epoch()
    return (time.perf_counter() - start) / (epochs * STEPS)


def measure(case: Case, rounds: int) -> tuple[float, dict[str, float], float | None]:
    """PyTorch's time over ours, and all medians in seconds a step."""
    ours = Ours(case)
    variants = [(threads, last) for threads in (1, 2) for last in (False, True)]
    sides: dict[str, Any] = {
        f"torch, {threads} threads{', channels last' if last else ''}": Torch(
            case, ours, threads, last
        )
        for threads, last in variants
        if not last or len(case.shape) == 3
    }
    sides["ldl"] = ours
    losses = {name: side.epoch() for name, side in sides.items()}
    if max(losses.values()) - min(losses.values()) > 1e-4 * abs(losses["ldl"]):
        raise ValueError(f"{case.name}: the losses differ: {losses}")
    epochs = {
        n: max(1, round(ROUND_SECONDS / STEPS / seconds(s.epoch, 1))) for n, s in sides.items()
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    others = Others()
    for _ in range(rounds):
        for name, side in sides.items():
            time.sleep(PAUSE)
            times[name].append(seconds(side.epoch, epochs[name]))
    found = {name: statistics.median(values) for name, values in times.items()}
    best = min(value for name, value in found.items() if name != "ldl")
    return best / found["ldl"], found, others.share()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    options = parser.parse_args()
    run_clean("benchmarks.networks", sys.argv[1:])
    rows, busy = [], 0.0
    for case in CASES:
        if options.only in case.name:
            ratio, found, others = measure(case, options.rounds)
            busy = max(busy, others or 0.0)
            rows.append((ratio, case, found))
    print("ms a step, medians of interleaved rounds, 2 threads")
    print(f"{'network':28}{'batch':>6}{'ldl':>9}{'PyTorch':>9}{'PyTorch/ldl':>13}  its settings")
    for ratio, case, found in sorted(rows, key=lambda row: row[0]):
        torch = min((n for n in found if n != "ldl"), key=found.__getitem__)
        ours, theirs = found["ldl"] * 1e3, found[torch] * 1e3
        settings = torch.removeprefix("torch, ")
        line = f"{case.name:28}{case.batch:>6}{ours:>9.2f}{theirs:>9.2f}{ratio:>13.2f}"
        print(f"{line}  {settings}")
    print(warning(busy))


if __name__ == "__main__":
    main()
