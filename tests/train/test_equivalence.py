"""One network three ways gives the same float32 bits: layers by hand, the graph, `ldl train`.

The order in which BLAS adds depends on the order of memory, so by hand too hidden values
are feature-major, with a spare row, and a bias is adjacent to its weight.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.data import load_data
from ldl.engine.executor import Executor
from ldl.engine.layer import Call, Context, Layer, TensorSpec
from ldl.engine.layers.activation import Tanh
from ldl.engine.layers.linear import Linear
from ldl.engine.losses import CrossEntropy
from ldl.engine.memory import FlatVector, padded_feature_major
from ldl.engine.optim import Optimizer
from ldl.engine.parameters import Parameters
from ldl.engine.streams import stream

from .helpers import CLASSES, prepared, same, saved, trained

SEED, EPOCHS, BATCH = 5, 3, 16
SETTINGS = (f"train={{epochs: {EPOCHS}, batch_size: {BATCH}, keep: last}}",)
OPTIMIZERS = {
    "gd": "optimizer={gd: 0.3}",
    "momentum": "optimizer={sgd: {learning_rate: 0.1, momentum: 0.9, nesterov: true}}",
    "decay": "optimizer={sgd: {learning_rate: 0.1, weight_decay: 0.01}}",
    "adam": "optimizer={adam: 0.01}",
    "adamw": "optimizer={adamw: {learning_rate: 0.01, weight_decay: 0.1}}",
}
Batches = list[Array]
Step = Callable[[str, Array, Array], None]


def orders(count: int, batch: int) -> list[Batches]:
    """The rows of each batch of each epoch, as a run of this seed shuffles them."""
    shuffled = [stream(SEED, "shuffle", e).permutation(count) for e in range(1, EPOCHS + 1)]
    return [[order[i : i + batch] for i in range(0, count, batch)] for order in shuffled]


class ManualNetwork:
    """linear, tanh, linear and cross entropy, each with arrays that are made here."""

    def __init__(self) -> None:
        self.layers: dict[str, Layer] = {
            "linear1": Linear(5),
            "tanh1": Tanh(),
            "linear2": Linear(4),
        }
        self.loss = CrossEntropy()
        self.w: dict[str, Array] = {}
        self.dw: dict[str, Array] = {}
        self.decay: dict[str, bool] = {}
        shape: tuple[int, ...] = (2,)
        for name, layer in self.layers.items():
            plan = layer.plan((TensorSpec(shape),))
            shapes = {key: weight.shape for key, weight in plan.w.items()}
            adjacent = {key for key, weight in plan.w.items() if weight.adjacent}
            for arrays in (self.w, self.dw):
                flat = FlatVector(shapes, np.float32, adjacent)
                arrays |= {f"{name}.{key}": flat[key] for key in shapes}
            for key, weight in plan.w.items():
                rng = stream(SEED, "weight", f"{name}.{key}")
                drawn = weight.init.draw(weight.shape, weight.fans, rng)
                self.w[f"{name}.{key}"][...] = drawn
                self.decay[f"{name}.{key}"] = weight.decay
            shape = plan.y

    def calls(self, x: Array, labels: Array) -> tuple[list[Call], list[Call]]:
        """Forward and backward for one batch; every array is its own."""
        forward: list[Call] = []
        backward: list[Call] = []
        dx = padded = None
        value: tuple[Array, ...] = (x,)
        for name, layer in [*self.layers.items(), ("loss", self.loss)]:
            if layer is self.loss:
                value = (*value, labels)
            specs = tuple(TensorSpec(v.shape[1:], v.dtype.kind == "i") for v in value)
            plan = layer.plan(specs)
            y, before = np.zeros((len(x), *plan.y), np.float32), padded
            if name in ("linear1", "tanh1"):
                padded = padded_feature_major(plan.y[0], len(x), np.float32)
                y = padded[:-1].T
            last = layer is self.loss
            dy = np.full(len(x), 1.0 / len(x), np.float32) if last else np.zeros_like(y)
            buffers = {
                key: np.zeros((len(x), *spec.shape), np.int64 if spec.integer else np.float32)
                for key, spec in plan.buffers.items()
            }
            ctx = Context(
                x=value,
                y=y,
                dx=(dx, None) if last else (dx,),
                dy=dy,
                w={key: self.w[f"{name}.{key}"] for key in plan.w},
                dw={key: self.dw[f"{name}.{key}"] for key in plan.w},
                state={},
                buffers=buffers,
                rng=np.random.default_rng(0),
                training=True,
                padded=before,
            )
            scratch = layer.prepare(ctx)
            forward.extend(layer.forward(ctx, scratch))
            backward[:0] = layer.backward(ctx, scratch)
            value, dx = (y,), dy
        return forward, backward

    def step(self, x: Array, labels: Array, update: Step) -> None:
        """Forward, backward, update."""
        forward, backward = self.calls(x, labels)
        with np.errstate(all="ignore"):
            for call in (*forward, *backward):
                call()
        for name, array in self.w.items():
            update(name, array, self.dw[name])


def updates(optimizer: Optimizer, manual: ManualNetwork) -> Step:
    """The optimizer on each array alone."""
    states = {name: optimizer.start(array.reshape(-1)) for name, array in manual.w.items()}
    assert optimizer.learning_rate

    def update(name: str, array: Array, gradient: Array) -> None:
        flat = array.reshape(-1)
        decayed = [slice(None)] if manual.decay[name] else []
        optimizer.step(flat, gradient.reshape(-1), states[name], optimizer.learning_rate, decayed)

    return update


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_manual_calls_graph_and_command_give_the_same_bits(name: str, tmp_path: Path) -> None:
    """After three epochs with a smaller last batch, for every optimizer."""
    whole = name == "gd"
    overrides = (OPTIMIZERS[name], *([s.replace(f"batch_size: {BATCH}", "batch_size: full")
                                      for s in SETTINGS] if whole else SETTINGS))  # fmt: skip
    by_command = saved(trained(tmp_path, CLASSES, *overrides))

    experiment = prepared(tmp_path, CLASSES, *overrides).experiment
    optimizer = experiment.config.optimizer
    split = load_data(experiment.config.data, SEED).train
    assert split.targets is not None
    x, labels = split.inputs["x"], split.targets
    batches = orders(len(x), len(x) if whole else BATCH)
    assert whole or len(batches[0][-1]) < BATCH

    manual = ManualNetwork()
    update = updates(optimizer, manual)
    for epoch in batches:
        for indices in epoch:
            manual.step(x[indices], labels[indices], update)

    parameters = Parameters(experiment.graph, SEED)
    state = optimizer.start(parameters.theta)
    executors = {
        size: Executor(experiment.graph, parameters, size, gradients=True, training=True)
        for size in {len(indices) for indices in batches[0]}
    }
    for epoch in batches:
        for indices in epoch:
            executor = executors[len(indices)]
            executor.inputs["x"][...] = x[indices]
            executor.inputs["target.labels"][...] = labels[indices]
            executor.forward()
            executor.backward()
            optimizer.step(
                parameters.theta,
                parameters.gradient,
                state,
                optimizer.learning_rate,
                parameters.decay_slices,
            )
    assert all(array.dtype == np.float32 for array in by_command.values())
    assert same(by_command, manual.w)
    assert same(by_command, parameters.arrays())


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    """The test above does not compare constants."""
    one = saved(trained(tmp_path, CLASSES, *SETTINGS))
    assert same(one, saved(trained(tmp_path, CLASSES, *SETTINGS)))
    assert not same(one, saved(trained(tmp_path, CLASSES, *SETTINGS, "seed=6")))
