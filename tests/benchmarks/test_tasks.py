"""The benchmark's tasks, comparisons and tables; no other library is needed."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from benchmarks.clean_process import clean_environment
from benchmarks.implementations import IMPLEMENTATIONS, LDL, implementations_for
from benchmarks.implementations.ldl_engine import EngineOnly, LdlTrainLoop
from benchmarks.tables import markdown, steps_report
from benchmarks.tasks import (
    TASKS,
    WARM_UP,
    Task,
    graph,
    initial_weights,
    mlp,
    multiply_adds,
    weight_count,
)
from benchmarks.timing import Measurement, TaskRow, disagreements
from benchmarks.worker import LossAndGradient

SMALL = Task("small", mlp(6, 3), (5,), 4, "sgd", batches=3)


def test_titles_are_unique() -> None:
    titles = [task.title for task in TASKS]
    assert len(set(titles)) == len(titles) == 17


@pytest.mark.parametrize("task", TASKS, ids=[task.title for task in TASKS])
def test_every_task_has_a_valid_network(task: Task) -> None:
    task_graph = graph(task)
    assert set(task_graph.specs) >= {"x", f"{len(task.layers) - 1}"}
    assert initial_weights(task).keys() == task_graph.weights.keys()
    assert multiply_adds(task) > task.batch * weight_count(task)
    assert (
        IMPLEMENTATIONS.keys()
        >= set(implementations_for(task))
        >= {LDL, "eager", "compiled", "jit", "scan"}
    )
    assert (
        ("sklearn" in implementations_for(task))
        == ("hand" in implementations_for(task))
        == task.dense
    )


def test_multiply_adds_of_a_step() -> None:
    """Per sample: forward 5·6 + 6·3, ∂w the same, ∂x of the second layer only."""
    assert multiply_adds(SMALL) == 4 * (2 * 5 * 6 + 3 * 6 * 3)
    assert weight_count(SMALL) == 5 * 6 + 6 + 6 * 3 + 3


def test_the_targets_of_an_autoencoder_are_its_inputs() -> None:
    x, targets = TASKS[0].data()
    assert targets is x and x.dtype == np.float32


@pytest.mark.parametrize("task", [SMALL, WARM_UP])
def test_training_loop_and_engine_agree(task: Task) -> None:
    chosen = np.arange(task.batch)
    values = {}
    with threadpool_limits(1, user_api="blas"):  # restores the limits that they set
        for name, variant in (("ldl", LdlTrainLoop(task)), ("engine", EngineOnly(task))):
            loss, gradient = variant.gradient(chosen)
            values[name] = {"": LossAndGradient(loss, gradient, variant.epoch(shuffle=False))}
    assert disagreements(values) == {}


def test_a_different_gradient_is_detected() -> None:
    reference = LossAndGradient(1.0, {"w": np.ones(3, np.float32)}, 0.9)
    other = LossAndGradient(1.0, {"w": np.full(3, 1.001, np.float32)}, 0.9)
    errors = disagreements(
        {"a": {"": reference}, "b": {"": reference, "2": other}, "c": {"": reference}}
    )
    assert list(errors) == ["b"] and "gradient" in errors["b"]


def test_a_task_on_which_a_peer_is_faster() -> None:
    measurements = {
        LDL: Measurement(2.0),
        "eager": Measurement(6.0),
        "jit": Measurement(1.0),
        "scan": Measurement(),
    }
    row = TaskRow(SMALL, measurements, None, 1e9)
    assert row.fastest == "jit" and row.fastest_peer_ratio == 0.5 and row.is_slower
    assert row.ratio("eager") == 3.0 and row.ratio("scan") is None
    assert "fails" in steps_report([row])


def test_markdown_columns_are_aligned() -> None:
    assert markdown([["a", "b"], ["long", "1.5"]]).splitlines() == [
        "| a    |   b |",
        "|------|----:|",
        "| long | 1.5 |",
    ]


def test_variables_that_slow_blas_are_removed() -> None:
    environment = {"OPENBLAS_CORETYPE": "Haswell", "HOME": "here", "MKL_NUM_THREADS": "9"}
    assert clean_environment(environment) == {
        "HOME": "here",
        "OPENBLAS_NUM_THREADS": "2",
        "OMP_NUM_THREADS": "2",
    }
