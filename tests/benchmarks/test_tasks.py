"""The benchmark's table of rows, and how it compares and counts; no peer is needed for that."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from benchmarks.clean import cleaned
from benchmarks.contenders import CONTENDERS, OURS, entered
from benchmarks.contenders.ours import Engine, Trainer
from benchmarks.race import Figures, Row, compare
from benchmarks.tables import markdown, steps_report
from benchmarks.tasks import TASKS, WARM_UP, Task, graph, mlp, multiply_adds, start, weight_count
from benchmarks.worker import Numbers

SMALL = Task("small", mlp(6, 3), (5,), 4, "sgd", batches=3)


def test_rows_are_told_apart() -> None:
    titles = [task.title for task in TASKS]
    assert len(set(titles)) == len(titles) == 17


@pytest.mark.parametrize("task", TASKS, ids=[task.title for task in TASKS])
def test_a_row_is_a_network_that_can_be_built(task: Task) -> None:
    planned = graph(task)
    assert set(planned.specs) >= {"x", f"{len(task.layers) - 1}"}
    assert start(task).keys() == planned.weights.keys()
    assert multiply_adds(task) > task.batch * weight_count(task)
    assert CONTENDERS.keys() >= set(entered(task)) >= {OURS, "eager", "compiled", "jit", "scan"}
    assert ("sklearn" in entered(task)) == ("hand" in entered(task)) == task.dense


def test_the_work_of_a_step_is_counted() -> None:
    """Per sample: forward 5·6 + 6·3, ∂w the same, ∂x of the second layer alone."""
    assert multiply_adds(SMALL) == 4 * (2 * 5 * 6 + 3 * 6 * 3)
    assert weight_count(SMALL) == 5 * 6 + 6 + 6 * 3 + 3


def test_an_autoencoder_learns_its_inputs() -> None:
    x, targets = TASKS[0].data()
    assert targets is x and x.dtype == np.float32


@pytest.mark.parametrize("task", [SMALL, WARM_UP])
def test_the_trainers_loop_and_the_engine_compute_the_same(task: Task) -> None:
    chosen = np.arange(task.batch)
    found = {}
    with threadpool_limits(1, user_api="blas"):  # put back afterwards what they set
        for name, side in (("ldl", Trainer(task)), ("engine", Engine(task))):
            loss, gradient = side.gradient(chosen)
            found[name] = {"": Numbers(loss, gradient, side.epoch(shuffle=False))}
    assert compare(found) == {}


def test_another_gradient_is_found_out() -> None:
    mine = Numbers(1.0, {"w": np.ones(3, np.float32)}, 0.9)
    other = Numbers(1.0, {"w": np.full(3, 1.001, np.float32)}, 0.9)
    faults = compare({"a": {"": mine}, "b": {"": mine, "2": other}, "c": {"": mine}})
    assert list(faults) == ["b"] and "gradient" in faults["b"]


def test_a_row_falls_short_of_its_fastest_peer() -> None:
    figures = {OURS: Figures(2.0), "eager": Figures(6.0), "jit": Figures(1.0), "scan": Figures()}
    row = Row(SMALL, figures, None, 1e9)
    assert row.fastest == "jit" and row.lead == 0.5 and row.short
    assert row.ratio("eager") == 3.0 and row.ratio("scan") is None
    assert "fails" in steps_report([row])


def test_markdown_columns_line_up() -> None:
    assert markdown([["a", "b"], ["long", "1.5"]]).splitlines() == [
        "| a    |   b |",
        "|------|----:|",
        "| long | 1.5 |",
    ]


def test_what_slows_blas_is_taken_out_of_the_environment() -> None:
    given = {"OPENBLAS_CORETYPE": "Haswell", "HOME": "here", "MKL_NUM_THREADS": "9"}
    assert cleaned(given) == {
        "HOME": "here",
        "OPENBLAS_NUM_THREADS": "2",
        "OMP_NUM_THREADS": "2",
    }
