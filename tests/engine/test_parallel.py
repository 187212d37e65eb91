"""A batch divided among threads: the same values and, but for rounding, the same gradients."""

from __future__ import annotations

import numpy as np
import pytest

from ldl.engine.binding import Binding
from ldl.engine.graph import Graph, LossPlace, Place
from ldl.engine.layer import Spec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.model import Model
from ldl.engine.parallel import ParallelBinding

SHAPE = (6, 5, 2)


def graph(*more: str) -> Graph:
    """A convolution, what `more` names, and class scores."""
    layers = [
        ("conv2d", {"out_channels": 3, "padding": 1}),
        ("relu", {}),
        *((name, {}) for name in more),
        ("flatten", {}),
        ("linear", {"units": 4}),
    ]
    places, value = [], "x"
    for i, (name, settings) in enumerate(layers):
        places.append(Place(f"l{i}", LAYERS[name](**settings), (value,)))
        value = f"l{i}"
    loss = LossPlace("loss", LOSSES["cross_entropy"](), (value, "t"), 0.7)
    return Graph({"x": Spec(SHAPE), "t": Spec((), True)}, places, [loss])


def run(model: Model, samples: int, seed: int = 0) -> tuple[float, np.ndarray, np.ndarray]:
    """Loss, scores and gradient of one random batch."""
    rng = np.random.default_rng(seed)
    binding = model.training(samples, ("l3",))
    binding.inputs["x"][...] = rng.normal(size=(samples, *SHAPE))
    binding.inputs["t"][...] = rng.integers(0, 4, samples)
    binding.forward()
    loss = binding.loss()
    binding.backward()
    return loss, binding.values["l3"].copy(), model.parameters.gradient.copy()


@pytest.mark.parametrize("samples", [2, 7, 16])
@pytest.mark.parametrize("threads", [2, 3])
def test_a_divided_batch_computes_the_same(samples: int, threads: int) -> None:
    """Uneven parts too; and again on the next batch."""
    whole, parts = Model(graph(), 1, np.float64), Model(graph(), 1, np.float64, threads=threads)
    assert isinstance(parts.training(samples, ("l3",)), ParallelBinding)
    for seed in (0, 1):
        for one, other in zip(run(whole, samples, seed), run(parts, samples, seed), strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-15)


def test_the_same_number_of_threads_gives_the_same_bits() -> None:
    """Whatever the order in which the threads end."""
    seen = [run(Model(graph(), 1, threads=3), 16)[2].tobytes() for _ in range(5)]
    assert len(set(seen)) == 1


@pytest.mark.parametrize("layer", ["batch_norm", "dropout"])
def test_what_mixes_samples_or_draws_is_not_divided(layer: str) -> None:
    """Then there is one binding, whatever was asked for."""
    model = Model(graph(layer), threads=2)
    assert type(model.training(8)) is Binding


def test_one_sample_is_not_divided() -> None:
    """A last batch of one."""
    assert type(Model(graph(), threads=2).training(1)) is Binding


def test_an_error_in_a_thread_is_raised_here() -> None:
    """Nothing is lost in the other thread."""
    model = Model(graph(), threads=2)
    binding = model.training(4)
    assert isinstance(binding, ParallelBinding)
    binding._parts[1]._forward.append(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        binding.forward()
