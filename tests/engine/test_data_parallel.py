"""A batch divided among threads: the same values and, but for rounding, the same gradients."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ldl.engine.communicator import ThreadCommunicator, thread_communicators
from ldl.engine.data_parallel import DataParallelExecutor
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.model import Model

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
    communicators, value = [], "x"
    for i, (name, settings) in enumerate(layers):
        communicators.append(Node(f"l{i}", LAYERS[name](**settings), (value,)))
        value = f"l{i}"
    loss = LossNode("loss", LOSSES["cross_entropy"](), (value, "t"), 0.7)
    return Graph({"x": TensorSpec(SHAPE), "t": TensorSpec((), True)}, communicators, [loss])


def run(model: Model, samples: int, seed: int = 0, at_once: bool = True) -> dict[str, np.ndarray]:
    """Loss, scores, gradient and kept state of one random batch."""
    rng = np.random.default_rng(seed)
    scores = model.graph.nodes[-1].name
    executor = model.training_executor(samples, (scores,))
    executor.inputs["x"][...] = rng.normal(3.0, 2.0, size=(samples, *SHAPE))
    executor.inputs["t"][...] = rng.integers(0, 4, samples)
    if at_once:
        executor.forward_backward()
    else:
        executor.forward()
        executor.backward()
    loss = executor.loss()
    parameters = model.parameters
    return {
        "loss": np.array(loss),
        "scores": executor.values[scores].copy(),
        "gradient": parameters.gradient.copy(),
        **{name: array.copy() for name, array in parameters.state.items()},
    }


@pytest.mark.parametrize("samples", [2, 7, 16])
@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("more", [(), ("batch_norm",), ("batch_norm", "tanh", "batch_norm")])
def test_a_divided_batch_computes_the_same(
    samples: int, threads: int, more: tuple[str, ...]
) -> None:
    """Uneven parts too; and again on the next batch."""
    whole, parts = (Model(graph(*more), 1, np.float64, threads=n) for n in (1, threads))
    assert isinstance(parts.training_executor(samples), DataParallelExecutor)
    for seed in (0, 1):
        one, other = run(whole, samples, seed), run(parts, samples, seed)
        for name, array in one.items():
            np.testing.assert_allclose(other[name], array, rtol=1e-11, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("more", [(), ("batch_norm", "batch_norm")])
def test_the_same_number_of_threads_gives_the_same_bits(more: tuple[str, ...]) -> None:
    """Whatever the order in which the threads end."""
    seen = [run(Model(graph(*more), 1, threads=3), 16, at_once=i > 2) for i in range(6)]
    assert len({each["gradient"].tobytes() for each in seen}) == 1
    assert len({each["loss"].tobytes() for each in seen}) == 1


def test_what_draws_is_not_divided() -> None:
    """Then there is one binding, whatever was asked for."""
    model = Model(graph("dropout"), threads=2)
    assert type(model.training_executor(8)) is Executor


def test_one_sample_is_not_divided() -> None:
    """A last batch of one."""
    assert type(Model(graph(), threads=2).training_executor(1)) is Executor


@pytest.mark.parametrize("more", [(), ("batch_norm",)])
@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_in_a_part_is_raised_here(more: tuple[str, ...], failing: int) -> None:
    """Also where the others wait for that part; and the next step runs as if nothing had been."""
    model, other = (Model(graph(*more), 1, threads=3) for _ in range(2))
    executor = model.training_executor(6, (model.graph.nodes[-1].name,))
    assert isinstance(executor, DataParallelExecutor)
    steps = executor._shards[failing]._forward
    steps.insert(0, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        executor.forward()
    del steps[0]
    expected = run(other, 6)
    for name, array in run(model, 6).items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_parts_that_run_ahead_do_not_disturb_what_others_read() -> None:
    """A hundred exchanges one after the other, each part with numbers of its own."""
    barrier, communicators = thread_communicators([1, 1, 1])

    def exchanges(communicator: ThreadCommunicator) -> list[list[int]]:
        mine = (np.array([step * 3 + communicator.rank]) for step in range(100))
        return [[int(each[0]) for each in communicator.all_gather(array)] for array in mine]

    with ThreadPoolExecutor(3) as pool:
        seen = list(pool.map(exchanges, communicators))
    assert seen == [[[step * 3 + i for i in range(3)] for step in range(100)]] * 3
    assert not barrier.broken
