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
def test_the_hot_loop_makes_no_arrays(activation: str, tmp_path: Path) -> None:
    """Neither for good nor for a moment, from an epoch's second step to its last."""
    text = TEXT.replace("ACTIVATION", activation)
    found = prepared(tmp_path, text, "data.split={train: 81920, validation: 9, test: 9}").experiment
    arrays = found.arrays(load_data(found.config.data, 0).train)
    judged = (found.output, found.label_input)
    model = Model(found.graph)
    loop = TrainLoop(model, found.config.optimizer, arrays, BATCH, 0, accuracy_of=judged)
    loop.run_epoch(1, EpochMetrics())  # makes the binding
    held: list[int] = []
    peaks: list[int] = []

    def measure(totals: EpochMetrics) -> None:
        now, peak = tracemalloc.get_traced_memory()
        held.append(now)
        peaks.append(peak)
        tracemalloc.reset_peak()

    tracemalloc.start()
    try:
        loop.run_epoch(2, EpochMetrics(), measure)
    finally:
        tracemalloc.stop()
    assert len(held) == loop.batches == 5
    assert max(held[1:]) - held[1] < 4096
    assert NUMPY < COLUMN
    assert max(peak - before for before, peak in zip(held[1:], peaks[2:], strict=False)) < NUMPY


def test_an_array_would_be_seen() -> None:
    """One column made and thrown away shows up in the peak."""
    import numpy as np

    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        np.ones(BATCH, np.float32)
        assert tracemalloc.get_traced_memory()[1] - before > NUMPY
    finally:
        tracemalloc.stop()
