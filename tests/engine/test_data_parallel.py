"""Data parallelism: shards give the values and gradients of the whole batch but for rounding."""

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


def graph(*middle_layers: str) -> Graph:
    """A convolution, the layers named by `middle_layers`, and class scores."""
    layers = [
        ("conv2d", {"out_channels": 3, "padding": 1}),
        ("relu", {}),
        *((name, {}) for name in middle_layers),
        ("flatten", {}),
        ("linear", {"units": 4}),
    ]
    communicators, value = [], "x"
    for i, (name, settings) in enumerate(layers):
        communicators.append(Node(f"l{i}", LAYERS[name](**settings), (value,)))
        value = f"l{i}"
    loss = LossNode("loss", LOSSES["cross_entropy"](), (value, "t"), 0.7)
    return Graph({"x": TensorSpec(SHAPE), "t": TensorSpec((), True)}, communicators, [loss])


def run(
    model: Model, samples: int, seed: int = 0, in_one_call: bool = True
) -> dict[str, np.ndarray]:
    """Loss, scores, gradient and state of one random batch."""
    rng = np.random.default_rng(seed)
    scores = model.graph.nodes[-1].name
    executor = model.training_executor(samples, (scores,))
    executor.inputs["x"][...] = rng.normal(3.0, 2.0, size=(samples, *SHAPE))
    executor.inputs["t"][...] = rng.integers(0, 4, samples)
    if in_one_call:
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
@pytest.mark.parametrize(
    "middle_layers", [(), ("batch_norm",), ("batch_norm", "tanh", "batch_norm")]
)
def test_shards_compute_the_values_of_the_whole_batch(
    samples: int, threads: int, middle_layers: tuple[str, ...]
) -> None:
    """Also for shards of different sizes, and for a second batch."""
    single, sharded = (Model(graph(*middle_layers), 1, np.float64, threads=n) for n in (1, threads))
    assert isinstance(sharded.training_executor(samples), DataParallelExecutor)
    for seed in (0, 1):
        expected, result = run(single, samples, seed), run(sharded, samples, seed)
        for name, array in expected.items():
            np.testing.assert_allclose(result[name], array, rtol=1e-11, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("middle_layers", [(), ("batch_norm", "batch_norm")])
def test_the_same_number_of_threads_gives_the_same_bits(middle_layers: tuple[str, ...]) -> None:
    """For any order in which the threads end."""
    results = [
        run(Model(graph(*middle_layers), 1, threads=3), 16, in_one_call=i > 2) for i in range(6)
    ]
    assert len({result["gradient"].tobytes() for result in results}) == 1
    assert len({result["loss"].tobytes() for result in results}) == 1


def test_dropout_has_no_shards() -> None:
    """A layer that draws random numbers has one executor, for any number of threads."""
    model = Model(graph("dropout"), threads=2)
    assert type(model.training_executor(8)) is Executor


def test_one_sample_has_no_shards() -> None:
    """A batch of one has one executor."""
    assert type(Model(graph(), threads=2).training_executor(1)) is Executor


@pytest.mark.parametrize("middle_layers", [(), ("batch_norm",)])
@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_in_a_shard_is_raised_by_forward(
    middle_layers: tuple[str, ...], failing: int
) -> None:
    """Also where other shards wait in a barrier; the next step runs as usual."""
    model, reference = (Model(graph(*middle_layers), 1, threads=3) for _ in range(2))
    executor = model.training_executor(6, (model.graph.nodes[-1].name,))
    assert isinstance(executor, DataParallelExecutor)
    calls = executor._shards[failing]._forward
    calls.insert(0, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        executor.forward()
    del calls[0]
    expected = run(reference, 6)
    for name, array in run(model, 6).items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_a_fast_rank_does_not_overwrite_values_that_others_read() -> None:
    """A hundred all_gather calls in a row, each rank with its own values."""
    barrier, communicators = thread_communicators([1, 1, 1])

    def gather_hundred_times(communicator: ThreadCommunicator) -> list[list[int]]:
        values = (np.array([k * 3 + communicator.rank]) for k in range(100))
        return [[int(result[0]) for result in communicator.all_gather(array)] for array in values]

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(gather_hundred_times, communicators))
    assert results == [[[k * 3 + i for i in range(3)] for k in range(100)]] * 3
    assert not barrier.broken
