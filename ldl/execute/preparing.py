"""From a file to a checked experiment and its data; every mistake gets its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ldl import build as building
from ldl.build import BuildError, Config, Experiment
from ldl.build.experiment import DEFAULT_BATCH
from ldl.config import Item, Loaded, load, to_yaml
from ldl.config.tree import Path as ConfigPath
from ldl.data import Dataset, Info, Progress, Scaling, describe
from ldl.data import load as load_data
from ldl.engine.layers.activation import Sigmoid
from ldl.engine.losses import Bce
from ldl.engine.memory import Array
from ldl.errors import ConfigError, DataError, LdlError, Problem
from ldl.evaluate import EVALUATIONS, default_evaluations
from ldl.evaluate.denoising import Denoising
from ldl.execute.transfer import donor

KINDS = {**building.KINDS, "evaluation": EVALUATIONS}
LARGE_TARGET = 100.0
GRAPH_KEYS = ("data", "network", "blocks", "loss")
Fault = tuple[ConfigPath, str]


@dataclass(frozen=True)
class Prepared:
    """A configuration that was found to be sound, and the experiment that it describes."""

    loaded: Loaded[Config]
    experiment: Experiment
    weights: dict[str, Array]  # of the run to start from; none where there is no such

    @property
    def yaml(self) -> str:
        """The resolved configuration, every default filled in."""
        return to_yaml(self.experiment.config, KINDS)

    def data(self, progress: Progress | None = None, scaler: Scaling | None = None) -> Dataset:
        """The data set, scaled as a run before was where its `scaler` is given.

        Raises ConfigError, at the setting to which a fault is due.
        """
        config = self.experiment.config
        try:
            dataset = load_data(config.data, config.seed, progress, scaler)
        except DataError as error:
            raise ConfigError([_data_problem(self.loaded, error)]) from error
        faults = _target_faults(self.experiment, dataset)
        if faults:
            raise ConfigError([self.loaded.problem(*fault) for fault in faults])
        return dataset


def prepare(path: Path, overrides: Sequence[str] = (), start: bool = True) -> Prepared:
    """Read, check and build. Raises ConfigError with every mistake; reads no more than headers.

    Only with `start` are the weights of `start_from` read.
    """
    try:
        loaded = load(path, Config, KINDS, overrides)
    except ConfigError as error:
        raise _sorted([*error.problems, *_network_problems(path, overrides)]) from None
    config = replace(loaded.value, name=loaded.value.name or path.stem)
    try:
        info = describe(config.data)
    except DataError as error:
        raise ConfigError([_data_problem(loaded, error)]) from error
    if config.evaluate is None:
        chosen = default_evaluations(building.task_of(config, info), info)
        config = replace(config, evaluate=list(chosen))
    faults = evaluation_faults(config, info)
    try:
        experiment = building.build(config, info)
    except BuildError as error:
        faults += error.faults
    try:
        weights = donor(config.start_from) if start and config.start_from else {}
    except DataError as error:
        faults.append((("start_from",), str(error)))
    if faults:
        raise _sorted([loaded.problem(*fault) for fault in faults])
    size = "full" if config.optimizer.whole_set else config.train.batch_size or DEFAULT_BATCH
    train = replace(config.train, batch_size=size)
    return Prepared(loaded, replace(experiment, config=replace(config, train=train)), weights)


def classifier(config: Config, layers: Sequence[Item], info: Info) -> Experiment:
    """The experiment of a classifier that an evaluation trains on `info`. Raises BuildError."""
    data = replace(config.data, target="labels", noise=None, fresh_noise=False)
    small = Config(data=data, network=layers, blocks=config.blocks, seed=config.seed)
    return building.build(small, info)


def evaluation_faults(config: Config, info: Info) -> list[Fault]:
    """Evaluations that do not fit the data or the task, or whose own networks cannot be built."""
    faults: list[Fault] = []
    for i, evaluation in enumerate(config.evaluate or []):
        fault = evaluation.fault(info, building.task_of(config, info))
        if fault:
            faults.append((("evaluate", i), fault))
        elif isinstance(evaluation, Denoising) and info.target.kind == "classes":
            given = Info({"x": info.inputs["x"]}, info.target, samples=info.samples)
            try:
                classifier(config, evaluation.classifier, given)
            except BuildError as error:
                here = ("evaluate", i, "denoising", "classifier")
                faults += [(p if p[0] == "evaluate" else here, m) for p, m in error.faults]
    return faults


def _network_problems(path: Path, overrides: Sequence[str]) -> list[Problem]:
    """What is wrong with the shapes, where only other sections have kept them from being looked at.

    The network needs `data`, `network`, `blocks` and `loss` to be sound; otherwise nothing is said.
    """
    try:
        loaded = load(path, Config, KINDS, overrides, GRAPH_KEYS)
        building.build(loaded.value, describe(loaded.value.data))
    except BuildError as error:
        return [loaded.problem(*fault) for fault in error.faults]
    except LdlError:
        return []
    return []


def _sorted(problems: Sequence[Problem]) -> ConfigError:
    """All problems in the order of their files, lines and columns."""
    files = list(dict.fromkeys(problem.file for problem in problems))
    return ConfigError(sorted(problems, key=lambda p: (files.index(p.file), p.line, p.column)))


def _data_problem(loaded: Loaded[Config], error: DataError) -> Problem:
    """A fault of the data at the setting to which it is due."""
    steps = (int(step) if step.isdecimal() else step for step in error.setting.split("."))
    message, _, rest = str(error).partition("\n")
    return loaded.problem(("data", *steps), message, rest)


def data_notes(experiment: Experiment, dataset: Dataset) -> list[str]:
    """What the data shows that is allowed but hardly meant."""
    notes = []
    values = dataset.train.targets
    if experiment.task == "regression" and dataset.target_scale is None and values is not None:
        largest = float(np.abs(values).max())
        if largest > LARGE_TARGET:
            advice = "`data.scale_targets: standard` usually trains better, in the same units"
            notes.append(f"the values to learn go up to {largest:g}: {advice}")
    layers = {place.name: place.layer for place in experiment.graph.places}
    feeds = experiment.feeds(dataset.train, dataset.target_scale)
    for loss in experiment.graph.losses:
        target = feeds[loss.inputs[1]]
        if not isinstance(layers.get(loss.inputs[0]), Sigmoid) or target.dtype.kind == "i":
            continue
        low, high = float(target.min()), float(target.max())
        if low < 0.0 or high > 1.0:
            given = (
                f"{loss.inputs[0]} gives 0 to 1, but its targets go from {low:.3g} to {high:.3g}"
            )
            notes.append(f"{given}: scale them with minmax, or end with another layer")
    return notes


def _target_faults(experiment: Experiment, dataset: Dataset) -> list[Fault]:
    """Targets that a loss cannot take, which only the data shows."""
    faults: list[Fault] = []
    feeds = experiment.feeds(dataset.train, dataset.target_scale)
    for loss in experiment.graph.losses:
        target = feeds[loss.inputs[1]]
        if not isinstance(loss.layer, Bce) or target.dtype.kind == "i":
            continue
        low, high = float(np.min(target)), float(np.max(target))
        if low < 0.0 or high > 1.0:
            message = f"bce takes targets from 0 to 1, and these go from {low:g} to {high:g}"
            faults.append((("loss",), f"{message}; `data.scale: minmax` brings inputs there"))
    return faults
