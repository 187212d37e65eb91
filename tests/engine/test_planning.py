"""Memory planning changes nothing: random graphs, planned and unplanned, give the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from ldl.engine.binding import Binding
from ldl.engine.check import gradcheck
from ldl.engine.layers import LAYERS
from ldl.engine.lifetimes import Lifetimes
from ldl.engine.losses import LOSSES
from ldl.engine.memory import Array
from ldl.engine.parameters import Parameters

from .helpers import fill
from .naive import Naive
from .random_graphs import INPUTS, TRIED, Maker

SEEDS = range(300)


def near(got: Array, expected: Array, what: str) -> None:
    """Equal but for the order in which parts were summed."""
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11 * scale, err_msg=what)


@pytest.mark.parametrize("seed", SEEDS)
@np.errstate(divide="ignore")  # the logarithm of a share that has become 0
def test_a_planned_step_equals_an_unplanned_one(seed: int) -> None:
    maker = Maker(seed, inner_targets=True)
    graph, samples = maker.graph(), 1 + seed % 3
    parameters = Parameters(graph, seed, np.float64)
    names = sorted(place.name for place in graph.places)
    outputs = maker.rng.choice(names, seed % 4)
    asked = bool(seed % 2)
    binding = Binding(
        graph, parameters, samples, outputs, gradients=True, input_gradients=asked, train=True
    )
    streams = Parameters(graph, seed, np.float64).streams
    for _ in range(2):
        batch = maker.batch(samples)
        fill(binding, batch)
        expected = Naive(graph, parameters.weights, batch, streams)
        binding.forward()
        assert binding.loss() == pytest.approx(expected.loss, rel=1e-12)
        binding.backward()
        for name in (*outputs, *(loss.name for loss in graph.losses)):
            near(binding.values[name], expected.values[name], f"{name} after backward")
        for name, gradient in expected.gradients.items():
            near(parameters.gradients[name], gradient, f"∂ {name}")
        for name, gradient in binding.input_gradients.items():
            near(gradient, expected.value_gradients[name], f"∂ {name}")
        graded = {n for n in INPUTS if asked and np.any(expected.value_gradients[n])}
        assert graded <= set(binding.input_gradients)
        for name, array in batch.items():
            np.testing.assert_array_equal(binding.inputs[name], array, err_msg=name)


@pytest.mark.parametrize("seed", SEEDS[:100])
@np.errstate(divide="ignore")  # the logarithm of a share that has become 0
def test_a_planned_evaluation_equals_an_unplanned_one(seed: int) -> None:
    maker = Maker(seed, inner_targets=True)
    graph, samples = maker.graph(), 1 + seed % 3
    parameters = Parameters(graph, seed, np.float64)
    outputs = maker.rng.choice(sorted(place.name for place in graph.places), 1 + seed % 2)
    binding = Binding(graph, parameters, samples, outputs, losses=bool(seed % 2))
    for _ in range(2):
        batch = maker.batch(samples)
        fill(binding, batch)
        binding.forward()
        expected = Naive(graph, parameters.weights, batch, train=False)
        for name in outputs:
            near(binding.values[name], expected.values[name], name)
        assert binding.loss() == pytest.approx(expected.loss if seed % 2 else 0.0, rel=1e-12)


@pytest.mark.parametrize("seed", range(1000, 1012))
def test_a_planned_step_agrees_with_central_differences(seed: int) -> None:
    maker = Maker(seed, inner_targets=False)
    graph = maker.graph()
    rows = gradcheck(graph, maker.batch(2), seed, entries=6, input_gradients=True)
    assert rows
    assert {row.name: row.error for row in rows if not row.error < 1e-5} == {}


def test_the_random_graphs_hold_what_they_are_there_to_try() -> None:
    used, absorbed, kept, shared, twice, in_place, pruned = set(), 0, 0, 0, 0, 0, 0
    for seed in SEEDS:
        graph = Maker(seed, inner_targets=True).graph()
        lives = Lifetimes(graph, [loss.name for loss in graph.losses], gradients=True)
        used |= {type(place.layer) for place in graph.order}
        absorbed += len(lives.absorbed)
        kept += sum(isinstance(loss.layer, LOSSES["bce"]) for loss in graph.losses)
        shared += any(owner != name for name, owner in graph.owners.items())
        twice += any(len(set(place.inputs)) < len(place.inputs) for place in graph.places)
        roots = lives.shared_values()
        in_place += any(
            roots[p.name] != p.name and p.layer.in_place and not p.layer.view for p in lives.order
        )
        pruned += len(lives.order) < len(graph.order)
    assert used == {*(LAYERS[entry] for entry in TRIED), *LOSSES.values()}
    assert absorbed > 20
    assert kept > absorbed + 20
    assert min(shared, twice, in_place, pruned) > 30
