"""A step of training allocates nothing that grows with the batch."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from ldl.data import load_data
from ldl.engine.model import Model
from ldl.train import EpochMetrics, TrainLoop

from .helpers import prepared

TEXT = """\
data: {source: {gaussians: {clusters: 4, samples: 90000}}}
network: [{mlp: {units: [12, 12], activation: ACTIVATION}}, linear]
optimizer: adam
"""
BATCH = 16384
COLUMN = BATCH * 4  # bytes: the least that anything with a value a sample takes
NUMPY = 8192 * 4 + 4096  # bytes: a ufunc's own buffer, which ends at 8192 values, and small objects


@pytest.mark.parametrize("activation", ["tanh", "relu", "leaky_relu"])
def test_the_training_loop_allocates_no_arrays(activation: str, tmp_path: Path) -> None:
    """Neither kept nor temporary ones, from an epoch's second step to its last."""
    text = TEXT.replace("ACTIVATION", activation)
    experiment = prepared(
        tmp_path, text, "data.split={train: 81920, validation: 9, test: 9}"
    ).experiment
    arrays = experiment.arrays(load_data(experiment.config.data, 0).train)
    accuracy_of = (experiment.output, experiment.label_input)
    model = Model(experiment.graph)
    loop = TrainLoop(model, experiment.config.optimizer, arrays, BATCH, 0, accuracy_of=accuracy_of)
    loop.run_epoch(1, EpochMetrics())  # creates the executor
    sizes: list[int] = []
    peaks: list[int] = []

    def measure(totals: EpochMetrics) -> None:
        size, peak = tracemalloc.get_traced_memory()
        sizes.append(size)
        peaks.append(peak)
        tracemalloc.reset_peak()

    tracemalloc.start()
    try:
        loop.run_epoch(2, EpochMetrics(), measure)
    finally:
        tracemalloc.stop()
    assert len(sizes) == loop.batches == 5
    assert max(sizes[1:]) - sizes[1] < 4096
    assert NUMPY < COLUMN
    assert (
        max(peak - size_before for size_before, peak in zip(sizes[1:], peaks[2:], strict=False))
        < NUMPY
    )


def test_an_allocation_would_be_detected() -> None:
    """One temporary column raises the peak."""
    import numpy as np

    tracemalloc.start()
    try:
        size_before = tracemalloc.get_traced_memory()[0]
        np.ones(BATCH, np.float32)
        assert tracemalloc.get_traced_memory()[1] - size_before > NUMPY
    finally:
        tracemalloc.stop()
