"""Small experiments, trained in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ldl.arrays import Array
from ldl.execute import NO_CALLBACKS, Callbacks, PreparedExperiment, prepare, train
from ldl.runs import RunFolder, read_metrics
from ldl.runs.metrics_file import MetricsRow

CLASSES = """\
name: small
seed: 5
data: {source: {gaussians: {clusters: 4, samples: 150, std: 0.8}}}
network: [{linear: 5}, tanh, linear]
"""


def prepared(folder: Path, text: str, *overrides: str) -> PreparedExperiment:
    """The experiment of a configuration, written into `folder`."""
    file = folder / "small.yaml"
    file.write_text(text)
    return prepare(file, overrides)


def trained(
    folder: Path, text: str, *overrides: str, callbacks: Callbacks = NO_CALLBACKS
) -> RunFolder:
    """The finished run of a configuration."""
    return train(prepared(folder, text, *overrides), folder / "runs", callbacks)


def rows(run: RunFolder) -> list[MetricsRow]:
    """metrics.csv."""
    return read_metrics(run.metrics)


def column(run: RunFolder, name: str) -> list[float]:
    """One column of metrics.csv, by epoch."""
    return [float(row[name] or 0.0) for row in rows(run)]


def saved(run: RunFolder) -> dict[str, Array]:
    """The saved weights, read without the package."""
    from safetensors.numpy import load

    return load(run.model.read_bytes())


def same(one: dict[str, Array], other: dict[str, Array]) -> bool:
    """Whether all arrays are the same, bit for bit."""
    return one.keys() == other.keys() and all(
        one[k].dtype == other[k].dtype
        and one[k].shape == other[k].shape
        and np.ascontiguousarray(one[k]).tobytes() == np.ascontiguousarray(other[k]).tobytes()
        for k in one
    )
