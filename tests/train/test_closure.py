"""Steps with several gradients: the metrics of the first pass, random draws, running statistics."""

from __future__ import annotations

import numpy as np
import pytest

from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.model import Model
from ldl.engine.optim import OPTIMIZERS, Optimizer
from ldl.train import EpochMetrics, TrainLoop

SAM = OPTIMIZERS["sam"](0.3, OPTIMIZERS["sgd"](0.05))
LBFGS = OPTIMIZERS["lbfgs"](max_iter=4)
SAMPLES = 8


def train_loop(optimizer: Optimizer, entry: str = "tanh") -> TrainLoop:
    """The named layer, then a linear one, and two losses; a step sees all samples."""
    nodes = [Node("first", LAYERS[entry](), ("x",)), Node("last", LAYERS["linear"](2), ("first",))]
    losses = [
        LossNode("loss.mse", LOSSES["mse"](), ("last", "t")),
        LossNode("loss.mae", LOSSES["mae"](), ("last", "t"), 0.5),
    ]
    graph = Graph({"x": TensorSpec((3,)), "t": TensorSpec((2,))}, nodes, losses)
    rng = np.random.default_rng(0)
    arrays = {"x": rng.normal(2.0, 1.0, (SAMPLES, 3)), "t": rng.normal(size=(SAMPLES, 2))}
    return TrainLoop(Model(graph, 1, np.float64), optimizer, arrays, SAMPLES, seed=0)


@pytest.mark.parametrize("optimizer", [SAM, LBFGS], ids=["sam", "lbfgs"])
def test_the_terms_of_the_loss_are_those_of_the_first_pass(optimizer: Optimizer) -> None:
    metrics = EpochMetrics(terms=[0.0, 0.0])
    train_loop(optimizer).run_epoch(1, metrics)
    assert sum(metrics.terms) == pytest.approx(metrics.loss, rel=1e-12)


@pytest.mark.parametrize(("optimizer", "every_pass"), [(SAM, False), (LBFGS, True)])
def test_all_passes_of_a_step_see_the_same_draws(optimizer: Optimizer, every_pass: bool) -> None:
    """Running statistics follow every pass of a line search: n of them count as 1 − 0.9ⁿ."""
    loop = train_loop(optimizer, "batch_norm")
    passes = _count_passes(loop)
    loop.run_epoch(1, EpochMetrics())
    assert len(passes) >= (4 if every_pass else 2)
    share = 1.0 - 0.9 ** (len(passes) if every_pass else 1)
    running_mean = loop.model.parameters.state["first.running_mean"]
    np.testing.assert_allclose(running_mean, share * loop.arrays["x"].mean(axis=0), rtol=1e-9)

    loop = train_loop(optimizer, "dropout")
    passes = _count_passes(loop)
    loop.run_epoch(1, EpochMetrics())
    reference = Model(loop.model.graph, 1, np.float64).parameters.streams["first"]
    assert len(passes) > 1
    reference.random((SAMPLES, 3), dtype=np.float32)  # of the first pass; the others repeat them
    assert loop.model.parameters.streams["first"].random() == reference.random()


def _count_passes(loop: TrainLoop) -> list[None]:
    """A list that gets an entry whenever the executor of the loop runs."""
    executor = loop.model.training_executor(SAMPLES)
    run, passes = executor.forward_backward, list[None]()

    def counted() -> None:
        passes.append(None)
        run()

    executor.forward_backward = counted  # type: ignore[method-assign]
    return passes
