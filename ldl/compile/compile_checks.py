"""Problems of a network that can be planned, and of settings that another section rules out."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Final

from ldl.compile.experiment_config import Config
from ldl.compile.registries import LOSS_NAMES, OPTIMIZER_NAMES
from ldl.config.tree import KeyPath
from ldl.data import DatasetInfo, Target
from ldl.engine.graph import Graph, LossNode
from ldl.engine.layers.linear import Linear
from ldl.engine.layers.shape_checks import format_shape
from ldl.engine.losses import Bce, CrossEntropy, Hinge, KlDivergence, Loss, Nll
from ldl.engine.schedules import Cosine, Cyclic, Plateau, Schedule, Warmup

PathProblem = tuple[KeyPath, str]
Origins = Mapping[str, KeyPath]

MISSING_UNITS: Final = "units are missing"
MAX_VALUES: Final = 4_000_000_000  # 16 GB, before gradients
MAX_WEIGHTS: Final = 500_000_000  # 2 GB, and as much again for gradients and for each moment
_MAX_LISTED: Final = 5  # target columns in a message


def graph_problems(graph: Graph, origins: Origins, info: DatasetInfo) -> list[PathProblem]:
    """A network without weights or with too many, and outputs that do not fit the classes."""
    weights = sum(weight.size for weight in graph.weights.values())
    if not weights:
        return [(("network",), "the network has no weights: there is nothing to train")]
    if weights > MAX_WEIGHTS:
        return [(("network",), f"{weights:,} weights; {MAX_WEIGHTS:,} are the most")]
    problems = [_output_size_problem(loss, graph, origins, info) for loss in graph.losses]
    problems += [_bce_problem(loss, graph, origins) for loss in graph.losses]
    return [problem for problem in problems if problem]


def size_problems(graph: Graph, batch_size: int, origins: Origins) -> list[PathProblem]:
    """A step with more values than fit in memory, reported at the layer with most of them."""
    sizes = {node.name: prod(graph.plans[node.name].y) for node in graph.nodes}
    values, largest = sum(sizes.values()) * batch_size, max(sizes, key=sizes.__getitem__)
    if values <= MAX_VALUES:
        return []
    message = f"a step of {batch_size} samples has {values:,} values; {MAX_VALUES:,} are the most"
    return [(origins[largest], f"{message} ({largest} gives most)")]


def target_problem(loss: Loss, target: Target, source: object, path: KeyPath) -> PathProblem | None:
    """A target of a single class, or values as the target of a classification loss at `path`."""
    if target.kind == "classes" and target.size == 1:
        message = f'the target "{target.label}" has a single class, "{target.names[0]}"'
        return ("data", "source"), f"{message}: two or more are needed to learn from"
    # Several values may be a row of probabilities, which all of these accept but hinge.
    needs_classes = isinstance(loss, Hinge) or (
        isinstance(loss, CrossEntropy | Nll | KlDivergence) and target.size == 1
    )
    if target.kind != "values" or not needs_classes:
        return None
    names = ", ".join(target.names[:_MAX_LISTED]) + (", …" if target.size > _MAX_LISTED else "")
    hint = "use mse"
    if hasattr(source, "task"):
        hint += ", or set `task: classes` where its numbers stand for classes"
    name = LOSS_NAMES[type(loss)]
    return path, f"{name} learns classes, but the target, {names}, is values: {hint}"


def _bce_problem(loss: LossNode, graph: Graph, origins: Origins) -> PathProblem | None:
    """bce directly on a linear layer, whose negative values have no logarithm."""
    nodes = {node.name: node for node in graph.nodes}
    node = nodes.get(loss.inputs[0])
    if node is None or not isinstance(loss.layer, Bce) or not isinstance(node.layer, Linear):
        return None
    message = "bce takes probabilities: end with a sigmoid, or use bce_with_logits"
    return origins[node.name], message


def _output_size_problem(
    loss: LossNode, graph: Graph, origins: Origins, info: DatasetInfo
) -> PathProblem | None:
    """A classification loss whose input has not one value a class, or one for two classes."""
    value, target = loss.inputs
    shape = graph.specs[value].shape
    if not graph.specs[target].integer:
        return None
    classes = info.target_named(target.removeprefix("target.")).size
    if shape == (classes,):
        return None
    one_a_class = CrossEntropy | Nll | KlDivergence
    if shape == (1,) and classes == 2 and not isinstance(loss.layer, one_a_class):
        return None
    path = origins.get(value, ("loss",))
    return path, f"{value} gives {format_shape(shape)}, but the data has {classes} classes"


def training_problems(config: Config, task: str) -> list[PathProblem]:
    """Settings of `train` and `schedule` that the optimizer or the task rules out."""
    problems: list[PathProblem] = []
    settings, optimizer = config.train, config.optimizer
    name = OPTIMIZER_NAMES[type(optimizer)]
    if optimizer.full_batch and settings.batch_size not in (None, "full"):
        message = f"{name} takes the whole set in each step: leave this out"
        problems.append((("train", "batch_size"), message))
    for key in ("clip_norm", "clip_value"):
        if optimizer.line_search and getattr(settings, key) is not None:
            message = f"{name} searches along a line, for which the gradient has to be whole"
            problems.append((("train", key), message))
    stopping = settings.early_stopping
    if stopping and stopping.monitor == "accuracy" and task != "classification":
        path = ("train", "early_stopping", "monitor")
        problems.append((path, "only a network that learns classes has an accuracy"))
    return problems + _schedule_problems(config.schedule, optimizer.learning_rate, ("schedule",))


def _schedule_problems(
    schedule: Schedule | None, learning_rate: float, path: KeyPath
) -> list[PathProblem]:
    """Limits of a schedule on the wrong side of the optimizer's learning rate."""
    if isinstance(schedule, Warmup):
        return _schedule_problems(schedule.then, learning_rate, (*path, "warmup", "then"))
    rate = f"the optimizer's learning_rate is {learning_rate:g}"
    if isinstance(schedule, Cyclic) and schedule.max_lr < learning_rate:
        return [((*path, "cyclic", "max_lr"), f"the rate cycles up to max_lr, but {rate}")]
    if isinstance(schedule, Plateau) and schedule.min_lr > learning_rate:
        return [((*path, "plateau", "min_lr"), f"the rate falls to min_lr, but {rate}")]
    if isinstance(schedule, Cosine) and schedule.eta_min > learning_rate:
        return [((*path, "cosine", "eta_min"), f"the rate falls to eta_min, but {rate}")]
    return []
