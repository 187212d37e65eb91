"""Batches of one sample: outer-product updates equal those by a written gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.model import Model
from ldl.engine.optim import Gd, Optimizer, Sgd
from ldl.errors import Diverged
from ldl.execute import resume, train
from ldl.train import EpochMetrics, TrainLoop
from ldl.train.loop import TrainOptions

from .helpers import prepared, same, saved

Items = list[tuple[str, dict[str, Any]]]
MLP: Items = [("linear", {"units": 5}), ("tanh", {}), ("linear", {"units": 1}), ("sigmoid", {}),
              ("linear", {"units": 3})]  # fmt: skip
NETWORKS: dict[str, Items] = {
    "one layer": [("linear", {"units": 3})],
    "several": MLP,
    "without bias": [("linear", {"units": 4, "bias": False}), ("sigmoid", {}), *MLP],
    "a view between": [("linear", {"units": 6}), ("reshape", {"shape": (2, 3)}), ("flatten", {}),
                       *MLP],
}  # fmt: skip


def graph(layers: Items, shape: tuple[int, ...] = (7,)) -> Graph:
    """A chain of layers, and classes."""
    nodes, value = [], "x"
    for i, (name, settings) in enumerate(layers):
        nodes.append(Node(f"l{i}", LAYERS[name](**settings), (value,)))
        value = f"l{i}"
    loss = LossNode("loss", LOSSES["cross_entropy"](), (value, "t"), 0.7)
    return Graph({"x": TensorSpec(shape), "t": TensorSpec((), True)}, nodes, [loss])


def arrays(count: int = 23) -> dict[str, np.ndarray]:
    """Random samples."""
    rng = np.random.default_rng(1)
    return {"x": rng.normal(size=(count, 7)), "t": rng.integers(0, 3, count)}


def train_two_epochs(
    optimizer: Optimizer, with_gradient: bool, network: Graph
) -> tuple[dict[str, Any], float]:
    """The weights after two epochs of single samples, and the sum of the gradient norms.

    `with_gradient` sets a penalty of nothing, which needs the gradient to be written.
    """
    model = Model(network, 3, np.float64)
    options = TrainOptions(penalty=_NoPenalty()) if with_gradient else TrainOptions()  # type: ignore[arg-type]
    loop = TrainLoop(model, optimizer, arrays(), 1, seed=4, options=options)
    metrics = EpochMetrics()
    for epoch in (1, 2):
        metrics.batch = 0
        loop.run_epoch(epoch, metrics)
    assert loop.optimizer_state.steps == 46
    return model.parameters.weights, metrics.norm


def replaced(network: Graph) -> bool:
    """Whether a batch of one updates the weights without their gradient."""
    return bool(Model(network).training_executor(1, outer_products=True).outer_products)


class _NoPenalty:
    """A penalty that adds nothing."""

    def add_gradient(self, *arguments: object) -> None:
        """Leave the gradient alone."""


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("optimizer", [Sgd(0.05), Gd(0.2)])
def test_updates_are_equal(name: str, optimizer: Optimizer) -> None:
    """Within float64's rounding; every weight moves."""
    network = graph(NETWORKS[name])
    assert replaced(network)
    start = {k: w.copy() for k, w in Model(network, 3, np.float64).parameters.weights.items()}
    updated, norm = train_two_epochs(optimizer, False, network)
    reference, reference_norm = train_two_epochs(optimizer, True, network)
    assert norm == pytest.approx(reference_norm, rel=1e-12)
    for key, weight in updated.items():
        np.testing.assert_allclose(weight, reference[key], rtol=0, atol=1e-12)
        assert (weight != start[key]).any(), key


def test_cases_that_need_the_gradient() -> None:
    """Weights used twice or on several positions, other layers, other options, larger batches."""
    twice = LAYERS["linear"](units=7)
    nodes = [Node("a", twice, ("x",)), Node("b", twice, ("a",))]
    loss = LossNode("loss", LOSSES["cross_entropy"](), ("b", "t"))
    assert not replaced(Graph({"x": TensorSpec((7,)), "t": TensorSpec((), True)}, nodes, [loss]))
    assert not replaced(graph([("linear", {"units": 2}), ("flatten", {}), *MLP], (3, 4)))
    assert not replaced(graph([("batch_norm", {}), *MLP]))
    model, data = Model(graph(MLP)), arrays()
    for optimizer, size, options in (
        (Sgd(0.1, momentum=0.9), 1, TrainOptions()),
        (Sgd(0.1, weight_decay=0.1), 1, TrainOptions()),
        (Sgd(0.1), 2, TrainOptions()),
        (Sgd(0.1), 1, TrainOptions(penalty=_NoPenalty())),  # type: ignore[arg-type]
    ):
        before = model.parameters.gradient.copy()
        TrainLoop(model, optimizer, data, size, seed=0, options=options).run_epoch(
            1, EpochMetrics()
        )
        assert (model.parameters.gradient != before).any()


TEXT = """\
data: {source: iris, scale: standard}
network: [{linear: 6}, tanh, linear]
optimizer: {sgd: 0.05}
train: {epochs: 4, batch_size: 1, checkpoint_seconds: 0}
"""


def test_a_resumed_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    """From the checkpoint after two epochs."""
    whole = train(prepared(tmp_path, TEXT), tmp_path / "whole")
    half = train(prepared(tmp_path, TEXT, "train.epochs=2"), tmp_path / "half")
    arrays, state = half.load_checkpoint("last") or ({}, {})
    half.config.write_text(whole.config.read_text())
    half.save_checkpoint("last", arrays, {**state, "reason": None})
    half.set_status("interrupted")
    assert same(saved(resume(half)), saved(whole))


def test_inputs_whose_square_is_beyond_float32(tmp_path: Path) -> None:
    """No overflow of the norm where the gradient itself has none."""
    network = graph(NETWORKS["several"])
    model, data = Model(network, 3), arrays(5)
    loop = TrainLoop(
        model, Sgd(0.05), {"x": (data["x"] * 1e20).astype(np.float32), "t": data["t"]}, 1, 0
    )
    metrics = EpochMetrics()
    loop.run_epoch(1, metrics)
    assert metrics.samples == 5 and np.isfinite(metrics.norm)


def test_a_divergence_is_reported(tmp_path: Path) -> None:
    """With the weight whose gradient is not finite, or the loss."""
    with pytest.raises(Diverged, match=r"batch \d+.*learning_rate"):
        train(
            prepared(tmp_path, TEXT, "network.1=relu", "optimizer={sgd: 1e20}"), tmp_path / "runs"
        )
