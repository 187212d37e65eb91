"""Batches of one, whose gradient is never written: the steps are those of the written one."""

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


def graph(items: Items, shape: tuple[int, ...] = (7,)) -> Graph:
    """A chain of layers, and classes."""
    places, value = [], "x"
    for i, (name, settings) in enumerate(items):
        places.append(Node(f"l{i}", LAYERS[name](**settings), (value,)))
        value = f"l{i}"
    loss = LossNode("loss", LOSSES["cross_entropy"](), (value, "t"), 0.7)
    return Graph({"x": TensorSpec(shape), "t": TensorSpec((), True)}, places, [loss])


def arrays(count: int = 23) -> dict[str, np.ndarray]:
    """Random samples."""
    rng = np.random.default_rng(1)
    return {"x": rng.normal(size=(count, 7)), "t": rng.integers(0, 3, count)}


def stepped(optimizer: Optimizer, written: bool, net: Graph) -> tuple[dict[str, Any], float]:
    """The weights after two epochs of samples one by one, and the sum of the norms.

    `written` sums the penalty of nothing, with which the gradient has to be there.
    """
    model = Model(net, 3, np.float64)
    rules = TrainOptions(penalty=_Nothing()) if written else TrainOptions()  # type: ignore[arg-type]
    loop = TrainLoop(model, optimizer, arrays(), 1, seed=4, options=rules)
    totals = EpochMetrics()
    for epoch in (1, 2):
        totals.batch = 0
        loop.run_epoch(epoch, totals)
    assert loop.optimizer_state.steps == 46
    return model.parameters.weights, totals.norm


def replaced(net: Graph) -> bool:
    """Whether a batch of one updates the weights without their gradient."""
    return bool(Model(net).training_executor(1, outer_products=True).outer_products)


class _Nothing:
    """A penalty that adds nothing."""

    def add_gradient(self, *arguments: object) -> None:
        """Leave the gradient alone."""


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("optimizer", [Sgd(0.05), Gd(0.2)])
def test_the_same_steps(name: str, optimizer: Optimizer) -> None:
    """Within float64's rounding; every weight moves."""
    net = graph(NETWORKS[name])
    assert replaced(net)
    start = {k: w.copy() for k, w in Model(net, 3, np.float64).parameters.weights.items()}
    ours, norm = stepped(optimizer, False, net)
    theirs, their_norm = stepped(optimizer, True, net)
    assert norm == pytest.approx(their_norm, rel=1e-12)
    for key, weight in ours.items():
        np.testing.assert_allclose(weight, theirs[key], rtol=0, atol=1e-12)
        assert (weight != start[key]).any(), key


def test_what_is_left_to_the_gradient() -> None:
    """Weights used twice or on several positions, other layers, other rules, larger batches."""
    twice = LAYERS["linear"](units=7)
    places = [Node("a", twice, ("x",)), Node("b", twice, ("a",))]
    loss = LossNode("loss", LOSSES["cross_entropy"](), ("b", "t"))
    assert not replaced(Graph({"x": TensorSpec((7,)), "t": TensorSpec((), True)}, places, [loss]))
    assert not replaced(graph([("linear", {"units": 2}), ("flatten", {}), *MLP], (3, 4)))
    assert not replaced(graph([("batch_norm", {}), *MLP]))
    model, data = Model(graph(MLP)), arrays()
    for optimizer, size, rules in (
        (Sgd(0.1, momentum=0.9), 1, TrainOptions()),
        (Sgd(0.1, weight_decay=0.1), 1, TrainOptions()),
        (Sgd(0.1), 2, TrainOptions()),
        (Sgd(0.1), 1, TrainOptions(penalty=_Nothing())),  # type: ignore[arg-type]
    ):
        before = model.parameters.gradient.copy()
        TrainLoop(model, optimizer, data, size, seed=0, options=rules).run_epoch(1, EpochMetrics())
        assert (model.parameters.gradient != before).any()


TEXT = """\
data: {source: iris, scale: standard}
network: [{linear: 6}, tanh, linear]
optimizer: {sgd: 0.05}
train: {epochs: 4, batch_size: 1, checkpoint_seconds: 0}
"""


def test_an_interrupted_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    """From the checkpoint after two epochs."""
    whole = train(prepared(tmp_path, TEXT), tmp_path / "whole")
    half = train(prepared(tmp_path, TEXT, "train.epochs=2"), tmp_path / "half")
    arrays, state = half.load_checkpoint("last") or ({}, {})
    half.config.write_text(whole.config.read_text())
    half.save_checkpoint("last", arrays, {**state, "reason": None})
    half.set_status("interrupted")
    assert same(saved(resume(half)), saved(whole))


def test_inputs_whose_square_is_beyond_float32(tmp_path: Path) -> None:
    """No overflow where the gradient itself has none."""
    net = graph(NETWORKS["several"])
    model, data = Model(net, 3), arrays(5)
    loop = TrainLoop(
        model, Sgd(0.05), {"x": (data["x"] * 1e20).astype(np.float32), "t": data["t"]}, 1, 0
    )
    totals = EpochMetrics()
    loop.run_epoch(1, totals)
    assert totals.samples == 5 and np.isfinite(totals.norm)


def test_a_divergence_is_told(tmp_path: Path) -> None:
    """With the weight whose gradient went wrong, or the loss."""
    with pytest.raises(Diverged, match=r"batch \d+.*learning_rate"):
        train(
            prepared(tmp_path, TEXT, "network.1=relu", "optimizer={sgd: 1e20}"), tmp_path / "runs"
        )
