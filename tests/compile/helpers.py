"""Networks in the language, built on data that is only described."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ldl.compile import CompileError, Config, Experiment, compile_config, config_warnings
from ldl.config import loads
from ldl.data import DatasetInfo, Target
from ldl.execute import REGISTRIES

DIGITS = tuple(map(str, range(10)))


def classes(count: int = 10) -> Target:
    """Class targets."""
    return Target("classes", tuple(f"c{i}" for i in range(count)))


def values(count: int = 1) -> Target:
    """Number targets."""
    return Target("values", tuple(f"v{i}" for i in range(count)))


def info(
    target: Target | None = None, shape: tuple[int, ...] = (6,), **inputs: tuple[int, ...]
) -> DatasetInfo:
    """A hundred samples: one input x of `shape`, or the named `inputs`."""
    return DatasetInfo(
        inputs or {"x": shape}, classes(3) if target is None else target, samples=100
    )


def config(text: str) -> Config:
    """A configuration of these lines, with a section `data` where they have none."""
    data = "" if text.startswith("data:") else "data: {source: digits}\n"
    return loads(data + text, "t.yaml", Config, REGISTRIES).value


def compiled(text: str, data_info: DatasetInfo | None = None) -> Experiment:
    """The experiment of a configuration on described data."""
    return compile_config(config(text), data_info or info())


def problems_of(text: str, data_info: DatasetInfo | None = None) -> list[tuple[str, str]]:
    """The problems: dotted paths and messages."""
    with pytest.raises(CompileError) as caught:
        compiled(text, data_info)
    return [(".".join(map(str, path)), message) for path, message in caught.value.problems]


def warnings_of(text: str, data_info: DatasetInfo | None = None) -> list[tuple[str, str]]:
    """The warnings: dotted paths and messages."""
    warnings = config_warnings(compiled(text, data_info))
    return [(".".join(map(str, path)), message) for path, message in warnings]


def wiring(experiment: Experiment) -> dict[str, tuple[str, ...]]:
    """What each layer reads, in the graph's order; losses are left out."""
    losses = {loss.name for loss in experiment.graph.losses}
    return {p.name: p.inputs for p in experiment.graph.order if p.name not in losses}


def shapes(experiment: Experiment) -> dict[str, tuple[int, ...]]:
    """The shape of every layer's value, in the graph's order."""
    return {name: experiment.graph.specs[name].shape for name in wiring(experiment)}


def weights(experiment: Experiment) -> Mapping[str, tuple[int, ...]]:
    """Names and shapes of all weights."""
    return {name: weight.shape for name, weight in experiment.graph.weights.items()}
