"""Sharpness-aware minimisation in the training loop: the second gradient of each step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.model import Model
from ldl.engine.optim import OPTIMIZERS
from ldl.engine.penalty import Clipping, Penalty
from ldl.errors import ConfigError, Diverged
from ldl.execute import resume
from ldl.train import EpochMetrics, TrainLoop
from ldl.train.loop import TrainOptions

from .helpers import CLASSES, prepared, same, saved, trained

RHO, RATE = 0.1, 0.05
SAM = OPTIMIZERS["sam"](RHO, OPTIMIZERS["sgd"](RATE))


def network(*entries: str) -> Graph:
    """Two linear layers around the named ones, and a squared error."""
    nodes, value = [Node("first", LAYERS["linear"](4), ("x",))], "first"
    for entry in entries:
        nodes.append(Node(entry, LAYERS[entry](), (value,)))
        value = entry
    nodes.append(Node("last", LAYERS["linear"](2), (value,)))
    loss = LossNode("loss", LOSSES["mse"](), ("last", "t"))
    return Graph({"x": TensorSpec((3,)), "t": TensorSpec((2,))}, nodes, [loss])


def arrays(samples: int = 8) -> dict[str, Array]:
    """Random inputs and targets."""
    rng = np.random.default_rng(0)
    return {"x": rng.normal(size=(samples, 3)), "t": rng.normal(size=(samples, 2))}


def one_step(graph: Graph, options: TrainOptions | None = None) -> Model:
    """The model after one step on the whole batch."""
    model = Model(graph, 1, np.float64)
    loop = TrainLoop(model, SAM, arrays(), 8, seed=0, options=options or TrainOptions())
    loop.run_epoch(1, EpochMetrics())
    return model


def gradient(graph: Graph, theta: Array | None = None) -> tuple[Model, Array]:
    """A fresh model at `theta`, and its gradient on the batch in the order of the loop."""
    model = Model(graph, 1, np.float64)
    if theta is not None:
        model.parameters.theta[...] = theta
    loop = TrainLoop(model, OPTIMIZERS["sgd"](RATE), arrays(), 8, seed=0)
    before = model.parameters.theta.copy()
    loop.run_epoch(1, EpochMetrics())
    return model, (before - model.parameters.theta) / RATE


@pytest.mark.parametrize("entry", ["tanh", "dropout", "batch_norm"])
def test_the_second_gradient_sees_the_same_draws(entry: str) -> None:
    """A fresh model at θ + ε draws the masks of the first step anew: they are the same ones."""
    graph = network(entry)
    start = Model(graph, 1, np.float64).parameters.theta.copy()
    _, first = gradient(graph)
    _, second = gradient(graph, start + RHO * first / np.linalg.norm(first))
    expected = start - RATE * second
    np.testing.assert_allclose(one_step(graph).parameters.theta, expected, rtol=1e-9, atol=1e-12)


def test_running_statistics_follow_the_first_pass_alone() -> None:
    graph = network("batch_norm")
    once, _ = gradient(graph)
    for name, array in one_step(graph).parameters.state.items():
        np.testing.assert_array_equal(array, once.parameters.state[name], err_msg=name)


def test_clipping_and_penalties_hold_for_the_second_gradient() -> None:
    graph, norm = network("tanh"), 0.01
    start = Model(graph, 1, np.float64).parameters.theta.copy()
    clipped = one_step(graph, TrainOptions(clipping=Clipping(norm=norm))).parameters.theta
    assert np.linalg.norm(clipped - start) <= RATE * norm * (1 + 1e-9)
    penalised = one_step(graph, TrainOptions(penalty=Penalty(l2=0.5))).parameters.theta
    assert np.abs(penalised - one_step(graph).parameters.theta).max() > 1e-3


def test_a_second_gradient_that_is_not_finite_ends_the_training() -> None:
    """ρ leads far beyond what float32 holds, where the first gradient is sound."""
    model = Model(network("tanh"), 1)
    rule = OPTIMIZERS["sam"](1e30, OPTIMIZERS["sgd"](RATE))
    start = model.parameters.theta.copy()
    with pytest.raises(Diverged, match="epoch 1, batch 1"):
        TrainLoop(model, rule, arrays(), 8, seed=0).run_epoch(1, EpochMetrics())
    assert np.isfinite(start).all()


TEXT = CLASSES + (
    "optimizer: {sam: {rho: 0.1, optimizer: {adam: 0.02}}}\n"
    "train: {epochs: 4, batch_size: 16, checkpoint_seconds: 0, keep: last}\n"
)


def test_an_interrupted_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole = trained(tmp_path, TEXT)
    half = trained(tmp_path, TEXT, "train.epochs=2")
    checkpoint, state = half.load_checkpoint("last") or ({}, {})
    half.config.write_text(whole.config.read_text())
    half.save_checkpoint("last", checkpoint, {**state, "reason": None})
    half.set_status("interrupted")
    assert same(saved(resume(half)), saved(whole))


@pytest.mark.parametrize("inner", ["lbfgs", "gd", "sam"])
def test_an_optimizer_that_does_not_fit_is_reported_with_its_line(
    tmp_path: Path, inner: str
) -> None:
    with pytest.raises(ConfigError, match="one gradient a step") as error:
        prepared(tmp_path, CLASSES + f"optimizer: {{sam: {{optimizer: {inner}}}}}\n")
    assert error.value.problems[0].line == 5
