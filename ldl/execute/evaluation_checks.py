"""Checks of the evaluations in a configuration, before any data is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ldl.arrays import Shape
from ldl.compile import CompileError, Config, Experiment, PathProblem, compile_config, task_of
from ldl.config import Item
from ldl.config.tree import KeyPath
from ldl.data import DatasetInfo, SplitSpec
from ldl.evaluate import EVALUATIONS, Evaluation, default_evaluations
from ldl.evaluate.context import NetworkInfo
from ldl.execute.retraining import apply_changes
from ldl.fields import former_names

EVALUATION_NAMES = {kind: name for name, kind in EVALUATIONS.items()}
# Results are keyed by the first name that an evaluation ever had, so that no key changes.
RESULT_NAMES = {kind: (*former_names(kind), name)[0] for name, kind in EVALUATIONS.items()}


def with_default_evaluations(config: Config, info: DatasetInfo) -> Config:
    """The configuration with the default evaluations of its task, if it names none."""
    if config.evaluate is not None:
        return config
    return replace(config, evaluate=list(default_evaluations(task_of(config, info), info)))


def evaluation_problems(
    config: Config, info: DatasetInfo, network: NetworkInfo | None
) -> list[PathProblem]:
    """Evaluations that do not fit the data, task or network, or whose own networks do not compile.

    Without a `network`, because it does not compile, the checks that need it are left out.
    """
    problems: list[PathProblem] = []
    for i, evaluation in enumerate(config.evaluate or []):
        path: KeyPath = ("evaluate", i)
        settings_path = (*path, EVALUATION_NAMES[type(evaluation)])
        message = evaluation.data_problem(info, task_of(config, info))
        message = message or evaluation.size_problem(info, config.data.split)
        if message:
            problems.append((path, message))
            continue
        unsuitable = evaluation.network_problems(info, network) if network else []
        problems += [((*settings_path, k) if k else path, message) for k, message in unsuitable]
        if network is not None:
            problems += _changes_problems(config, info, evaluation, settings_path)
        if info.target.kind == "classes" and not unsuitable:
            classifier = evaluation.classifier_layers(info, network or NetworkInfo())
            if classifier is not None:
                layers, shape = classifier
                problems += _classifier_problems(config, info, layers, shape, settings_path)
    return problems


def _changes_problems(
    config: Config, info: DatasetInfo, evaluation: Evaluation, path: KeyPath
) -> list[PathProblem]:
    """The problems of the changed configurations that an evaluation trains."""
    problems: list[PathProblem] = []
    for keys, changes in evaluation.config_changes():
        try:
            compile_config(apply_changes(config, changes), info)
        except CompileError as error:
            messages = dict.fromkeys(message for _, message in error.problems)
            problems += [((*path, *keys), message) for message in messages]
    return problems


def _classifier_problems(
    config: Config, info: DatasetInfo, layers: Sequence[Item], shape: Shape, path: KeyPath
) -> list[PathProblem]:
    """The problems of the classifier that an evaluation trains on samples of this shape."""
    try:
        inputs = DatasetInfo({"x": shape}, info.target, None, info.samples)
        classifier_experiment(config, layers, inputs)
    except CompileError as error:
        setting = (*path, "classifier")
        return [(p if p[0] == "evaluate" else setting, text) for p, text in error.problems]
    return []


def classifier_experiment(config: Config, layers: Sequence[Item], info: DatasetInfo) -> Experiment:
    """The experiment of a classifier that an evaluation trains on `info`. Raises CompileError."""
    split = SplitSpec(train=1.0, validation=0, test=0)  # `info` counts training samples only
    data = replace(config.data, target="labels", noise=None, fresh_noise=False, split=split)
    classifier = Config(data=data, network=layers, blocks=config.blocks, seed=config.seed)
    return compile_config(classifier, info)
