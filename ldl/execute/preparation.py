"""From a file to a checked experiment and its data; every mistake gets its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ldl.arrays import Array
from ldl.compile import REGISTRIES as COMPILE_REGISTRIES
from ldl.compile import CompileError, Config, Experiment, PathProblem, compile_config, task_of
from ldl.compile.experiment import DEFAULT_BATCH
from ldl.config import Item, Loaded, loads, to_yaml
from ldl.config.load import UncheckedConfig, check_config, load_unchecked
from ldl.config.tree import KeyPath
from ldl.data import (
    SOURCES,
    Dataset,
    DatasetInfo,
    InputScalers,
    ProgressCallback,
    SplitSpec,
    describe_data,
    load_data,
)
from ldl.engine.layers.activation import Sigmoid
from ldl.engine.layers.embedding import Embedding
from ldl.engine.losses import Bce
from ldl.errors import ConfigError, DataError, LdlError, Problem
from ldl.evaluate import EVALUATIONS, Evaluation, default_evaluations
from ldl.evaluate.context import NetworkInfo, SettingProblem
from ldl.execute.introspection import network_info
from ldl.execute.retraining import changed
from ldl.execute.transfer import pretrained_weights

REGISTRIES = {**COMPILE_REGISTRIES, "evaluation": EVALUATIONS}
SOURCE_NAMES = {kind: name for name, kind in SOURCES.items()}
LARGE_TARGET = 100.0
GRAPH_KEYS = ("data", "network", "blocks", "loss")
IGNORED_SECTIONS = ("grid",)  # sections of a file that no single run looks at


@dataclass(frozen=True)
class PreparedExperiment:
    """A configuration that was found to be sound, and the experiment that it describes."""

    loaded: Loaded[Config]
    experiment: Experiment
    weights: dict[str, Array]  # of the run to start from; none where there is no such

    @property
    def yaml(self) -> str:
        """The resolved configuration, every default filled in."""
        return to_yaml(self.experiment.config, REGISTRIES)

    def data(
        self, progress: ProgressCallback | None = None, scaler: InputScalers | None = None
    ) -> Dataset:
        """The data set, scaled as a run before was where its `scaler` is given.

        Raises ConfigError, at the setting to which a fault is due.
        """
        config = self.experiment.config
        try:
            dataset = load_data(config.data, config.seed, progress, scaler)
        except DataError as error:
            raise ConfigError([_data_problem(self.loaded, error)]) from error
        self.check(dataset)
        return dataset

    def check(self, dataset: Dataset) -> None:
        """Raises ConfigError where a loss or a layer cannot take the values of its data set."""
        faults = _target_faults(self.experiment, dataset)
        faults += _index_faults(self.experiment, dataset)
        if faults:
            raise ConfigError([self.loaded.problem(*fault) for fault in faults])


def prepare(path: Path, overrides: Sequence[str] = (), start: bool = True) -> PreparedExperiment:
    """Read, check and build. Raises ConfigError with every mistake; reads no more than headers.

    Only with `start` are the weights of `start_from` read.
    """
    unchecked = load_unchecked(path, Config, REGISTRIES, overrides, IGNORED_SECTIONS)
    return prepare_unchecked(unchecked, path.stem, start)


def prepare_unchecked(
    unchecked: UncheckedConfig, stem: str, start: bool = True
) -> PreparedExperiment:
    """`prepare` of a file that has been read; `stem` names the experiment where it has no name."""
    try:
        loaded = check_config(unchecked, Config, REGISTRIES, ignored_sections=IGNORED_SECTIONS)
    except ConfigError as error:
        raise sorted_problems([*error.problems, *_network_problems(unchecked)]) from None
    return _built(loaded, stem, start)


def prepare_text(text: str, name: str, start: bool = True) -> PreparedExperiment:
    """`prepare` of a text that `to_yaml` has made; messages call it `name`."""
    loaded = loads(text, name, Config, REGISTRIES, ignored_sections=IGNORED_SECTIONS, emitted=True)
    return _built(loaded, Path(name).stem, start)


def _built(loaded: Loaded[Config], stem: str, start: bool) -> PreparedExperiment:
    config = replace(loaded.value, name=loaded.value.name or stem)
    try:
        info = describe_data(config.data)
    except DataError as error:
        raise ConfigError([_data_problem(loaded, error)]) from error
    config = with_default_evaluations(config, info)
    experiment, faults = build_and_check(config, info)
    try:
        weights = pretrained_weights(config.start_from) if start and config.start_from else {}
    except DataError as error:
        faults.append((("start_from",), str(error)))
    if faults or experiment is None:
        raise sorted_problems([loaded.problem(*fault) for fault in faults])
    return PreparedExperiment(loaded, replace(experiment, config=with_batch_size(config)), weights)


def build_and_check(
    config: Config, info: DatasetInfo
) -> tuple[Experiment | None, list[PathProblem]]:
    """The experiment, or None, and all that is wrong with it and its evaluations."""
    experiment: Experiment | None = None
    network: NetworkInfo | None = None
    faults: list[PathProblem] = []
    try:
        experiment = compile_config(config, info)
        network = network_info(experiment)
    except CompileError as error:
        faults += error.problems
    return experiment, faults + evaluation_problems(config, info, network)


def with_default_evaluations(config: Config, info: DatasetInfo) -> Config:
    """The configuration with the evaluations of its task, where it names none."""
    if config.evaluate is not None:
        return config
    chosen = default_evaluations(task_of(config, info), info)
    return replace(config, evaluate=list(chosen))


def with_batch_size(config: Config) -> Config:
    """The configuration with the batch size that it leaves to its optimizer."""
    size = "full" if config.optimizer.full_batch else config.train.batch_size or DEFAULT_BATCH
    return replace(config, train=replace(config.train, batch_size=size))


def classifier_experiment(config: Config, layers: Sequence[Item], info: DatasetInfo) -> Experiment:
    """The experiment of a classifier that an evaluation trains on `info`. Raises CompileError."""
    everything = SplitSpec(train=1.0, validation=0, test=0)  # `info` counts training samples alone
    data = replace(config.data, target="labels", noise=None, fresh_noise=False, split=everything)
    small = Config(data=data, network=layers, blocks=config.blocks, seed=config.seed)
    return compile_config(small, info)


def evaluation_problems(
    config: Config, info: DatasetInfo, network: NetworkInfo | None
) -> list[PathProblem]:
    """Evaluations that do not fit the data, the task or the network, or whose own cannot be built.

    Without `network`, which could not be built, what depends on it is left unsaid.
    """
    names = {kind: name for name, kind in EVALUATIONS.items()}
    faults: list[PathProblem] = []
    for i, evaluation in enumerate(config.evaluate or []):
        here: KeyPath = ("evaluate", i)
        name = names[type(evaluation)]
        problem = evaluation.data_problem(info, task_of(config, info))
        problem = problem or evaluation.size_problem(info, config.data.split)
        if problem:
            faults.append((here, problem))
            continue
        inner: list[SettingProblem] = []
        if network is not None:
            inner = evaluation.network_problems(info, network)
        faults += [((*here, name, key) if key else here, message) for key, message in inner]
        if network is not None:
            for key, changes in evaluation.config_changes():
                try:
                    compile_config(changed(config, changes), info)
                except CompileError as error:
                    told = dict.fromkeys(message for _, message in error.problems)
                    faults += [((*here, name, *key), message) for message in told]
        if info.target.kind == "classes" and not inner:
            faults += _classifier_faults(config, info, network, evaluation, (*here, name))
    return faults


def _classifier_faults(
    config: Config,
    info: DatasetInfo,
    network: NetworkInfo | None,
    evaluation: Evaluation,
    here: KeyPath,
) -> list[PathProblem]:
    """What is wrong with an evaluation's own classifier."""
    own = evaluation.own_classifier(info, network or NetworkInfo())
    if own is None:
        return []
    layers, shape = own
    try:
        classifier_experiment(
            config,
            layers,
            DatasetInfo({"x": shape}, info.target, None, info.samples),
        )
    except CompileError as error:
        place = (*here, "classifier")
        return [(p if p[0] == "evaluate" else place, message) for p, message in error.problems]
    return []


def _network_problems(unchecked: UncheckedConfig) -> list[Problem]:
    """What is wrong with the shapes, where only other sections have kept them from being looked at.

    The network needs `data`, `network`, `blocks` and `loss` to be sound; otherwise nothing is said.
    """
    try:
        loaded = check_config(unchecked, Config, REGISTRIES, GRAPH_KEYS, IGNORED_SECTIONS)
        compile_config(loaded.value, describe_data(loaded.value.data))
    except CompileError as error:
        return [loaded.problem(*fault) for fault in error.problems]
    except LdlError:
        return []
    return []


def sorted_problems(problems: Sequence[Problem]) -> ConfigError:
    """All problems in the order of their files, lines and columns."""
    files = list(dict.fromkeys(problem.file for problem in problems))
    return ConfigError(sorted(problems, key=lambda p: (files.index(p.file), p.line, p.column)))


def _data_problem(loaded: Loaded[Config], error: DataError) -> Problem:
    """A fault of the data at the setting to which it is due."""
    message, _, rest = str(error).partition("\n")
    return loaded.problem(data_setting(error, loaded.value.data.source), message, rest)


def data_setting(error: DataError, source: Any) -> KeyPath:
    """The setting to which a fault of the data is due; of a source that is a file, its path."""
    if error.setting == "source" and hasattr(source, "path"):
        return ("data", "source", SOURCE_NAMES[type(source)], "path")
    steps = (int(step) if step.isdecimal() else step for step in error.setting.split("."))
    return ("data", *steps)


def data_warnings(experiment: Experiment, dataset: Dataset) -> list[str]:
    """What the data shows that is allowed but hardly meant."""
    notes = []
    values = dataset.train.targets
    if experiment.task == "regression" and dataset.target_scaler is None and values is not None:
        largest = float(np.abs(values).max())
        if largest > LARGE_TARGET:
            advice = "`data.scale_targets: standard` usually trains better, in the same units"
            notes.append(f"the values to learn go up to {largest:g}: {advice}")
    layers = {place.name: place.layer for place in experiment.graph.nodes}
    arrays = experiment.arrays(dataset.train, dataset.target_scaler)
    for loss in experiment.graph.losses:
        target = arrays[loss.inputs[1]]
        if not isinstance(layers.get(loss.inputs[0]), Sigmoid) or target.dtype.kind == "i":
            continue
        low, high = float(target.min()), float(target.max())
        if low < 0.0 or high > 1.0:
            given = (
                f"{loss.inputs[0]} gives 0 to 1, but its targets go from {low:.3g} to {high:.3g}"
            )
            notes.append(f"{given}: scale them with minmax, or end with another layer")
    return notes


def _target_faults(experiment: Experiment, dataset: Dataset) -> list[PathProblem]:
    """Targets that a loss cannot take, which only the data shows."""
    faults: list[PathProblem] = []
    arrays = experiment.arrays(dataset.train, dataset.target_scaler)
    for loss in experiment.graph.losses:
        target = arrays[loss.inputs[1]]
        if not isinstance(loss.layer, Bce) or target.dtype.kind == "i":
            continue
        low, high = float(np.min(target)), float(np.max(target))
        if low < 0.0 or high > 1.0:
            message = f"bce takes targets from 0 to 1, and these go from {low:g} to {high:g}"
            labels = experiment.targets.get(loss.inputs[1]) == "labels"
            advice = (
                "`data.scale_targets: minmax` brings them there"
                if labels
                else "`data.scale: minmax` brings inputs there"
            )
            faults.append((("loss",), f"{message}; {advice}"))
    return faults


def _index_faults(experiment: Experiment, dataset: Dataset) -> list[PathProblem]:
    """Values of the data that an embedding has no row for."""
    faults: list[PathProblem] = []
    parts = [part for part in (dataset.train, dataset.validation, dataset.test) if part]
    for place in experiment.graph.nodes:
        (name, *_), layer = place.inputs, place.layer
        if not isinstance(layer, Embedding) or name not in dataset.train.inputs:
            continue
        values = [part.inputs[name] for part in parts]
        low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
        whole = all(np.array_equal(v, np.rint(v)) for v in values)
        if low < 0.0 or high > layer.entries - 1 or not whole:
            found = f"{'' if whole else 'fractions '}from {low:g} to {high:g}"
            message = f"embedding takes whole numbers from 0 to {layer.entries - 1}"
            advice = "" if whole else "; `data.scale` and `noise` leave none whole"
            faults.append(
                (experiment.origins[place.name], f"{message}, and these go {found}{advice}")
            )
    return faults
