"""What is wrong, or hardly meant, in a network that can be planned."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from ldl.compile.experiment_config import Config
from ldl.compile.graph_builder import GraphBuilder
from ldl.config.tree import KeyPath
from ldl.data import DatasetInfo, Target, split_sizes
from ldl.engine.graph import Graph, LossNode
from ldl.engine.layer import Layer
from ldl.engine.layers.activation import LogSoftmax, Sigmoid, Softmax
from ldl.engine.layers.batch_norm import BatchNorm
from ldl.engine.layers.linear import Linear
from ldl.engine.layers.shape_checks import words
from ldl.engine.losses import (
    LOSSES,
    Bce,
    BceWithLogits,
    CrossEntropy,
    Hinge,
    KlDivergence,
    Loss,
    Nll,
)
from ldl.engine.optim import OPTIMIZERS, Optimizer
from ldl.engine.schedules import Cosine, Cyclic, Plateau, Schedule, Warmup

if TYPE_CHECKING:
    from ldl.compile.experiment import Experiment

PathProblem = tuple[KeyPath, str]
OPTIMIZER_NAMES: dict[type[Optimizer], str] = {rule: name for name, rule in OPTIMIZERS.items()}
SHOWN = 5  # target columns in a message
MISSING_UNITS = "units are missing"
MOST_VALUES = 4_000_000_000  # 16 GB, before gradients
MOST_WEIGHTS = 500_000_000  # 2 GB, and as much again for gradients and for each moment


def graph_faults(graph: Graph, network: GraphBuilder, info: DatasetInfo) -> list[PathProblem]:
    """Nothing to train, far too much to train, or outputs that do not fit the classes."""
    weights = sum(weight.size for weight in graph.weights.values())
    if not weights:
        return [(("network",), "the network has no weights: there is nothing to train")]
    if weights > MOST_WEIGHTS:
        return [(("network",), f"{weights:,} weights; {MOST_WEIGHTS:,} are the most")]
    found = [_class_fault(loss, graph, network, info) for loss in graph.losses]
    found += [_bce_fault(loss, graph, network) for loss in graph.losses]
    return [fault for fault in found if fault]


def size_faults(graph: Graph, batch: int, network: GraphBuilder) -> list[PathProblem]:
    """Values of a step that no memory holds; said at the layer that has most of them."""
    sizes = {place.name: prod(graph.plans[place.name].y) for place in graph.nodes}
    values, largest = sum(sizes.values()) * batch, max(sizes, key=sizes.__getitem__)
    if values <= MOST_VALUES:
        return []
    message = f"a step of {batch} samples has {values:,} values; {MOST_VALUES:,} are the most"
    return [(network.origins[largest], f"{message} ({largest} gives most)")]


def class_faults(loss: Loss, target: Target, source: object, at: KeyPath) -> list[PathProblem]:
    """A single class, or values for a loss on classes, whatever the network; `at` is the loss."""
    if target.kind == "classes" and target.size == 1:
        message = f'the target "{target.label}" has a single class, "{target.names[0]}"'
        return [(("data", "source"), f"{message}: two or more are needed to learn from")]
    # Several values may be a row of probabilities, which all of these take but hinge.
    of_classes = isinstance(loss, Hinge) or (
        isinstance(loss, CrossEntropy | Nll | KlDivergence) and target.size == 1
    )
    if target.kind != "values" or not of_classes:
        return []
    name = next(name for name, kind in LOSSES.items() if kind is type(loss))
    names = ", ".join(target.names[:SHOWN]) + (", …" if target.size > SHOWN else "")
    advice = "use mse"
    if hasattr(source, "task"):
        advice += ", or set `task: classes` where its numbers stand for classes"
    return [(at, f"{name} learns classes, but the target, {names}, is values: {advice}")]


def _bce_fault(loss: LossNode, graph: Graph, network: GraphBuilder) -> PathProblem | None:
    """bce on the values of a linear layer would take logarithms of negative numbers."""
    places = {place.name: place for place in graph.nodes}
    place = places.get(loss.inputs[0])
    if place is None or not isinstance(loss.layer, Bce) or not isinstance(place.layer, Linear):
        return None
    message = "bce takes probabilities: end with a sigmoid, or use bce_with_logits"
    return network.origins[place.name], message


def _class_fault(
    loss: LossNode, graph: Graph, network: GraphBuilder, info: DatasetInfo
) -> PathProblem | None:
    """A loss on class indices needs an output a class, or one for two classes."""
    value, target = loss.inputs
    shape = graph.specs[value].shape
    if not graph.specs[target].integer:
        return None
    classes = info.target_named(target.removeprefix("target.")).size
    if shape == (classes,):
        return None
    scored = CrossEntropy | Nll | KlDivergence
    if shape == (1,) and classes == 2 and not isinstance(loss.layer, scored):
        return None
    path = network.origins.get(value, ("loss",))
    return path, f"{value} gives {words(shape)}, but the data has {classes} classes"


def training_faults(config: Config, task: str) -> list[PathProblem]:
    """Settings of `train` that another section rules out."""
    faults: list[PathProblem] = []
    settings = config.train
    if config.optimizer.full_batch and settings.batch_size not in (None, "full"):
        reason = f"{OPTIMIZER_NAMES[type(config.optimizer)]} takes the whole set a step"
        faults.append((("train", "batch_size"), f"{reason}: leave this out"))
    for name in ("clip_norm", "clip_value"):
        if config.optimizer.needs_closure and getattr(settings, name) is not None:
            name_of = OPTIMIZER_NAMES[type(config.optimizer)]
            reason = f"{name_of} searches along a line, for which the gradient has to be whole"
            faults.append((("train", name), reason))
    stopping = settings.early_stopping
    if stopping and stopping.monitor == "accuracy" and task != "classification":
        path = ("train", "early_stopping", "monitor")
        faults.append((path, "only a network that learns classes has an accuracy"))
    rate = config.optimizer.learning_rate
    return faults + schedule_faults(config.schedule, rate, ("schedule",))


def schedule_faults(schedule: Schedule | None, rate: float, at: KeyPath) -> list[PathProblem]:
    """Limits of a schedule that lie on the wrong side of the optimizer's learning rate."""
    if isinstance(schedule, Warmup):
        return schedule_faults(schedule.then, rate, (*at, "warmup", "then"))
    found = f"the optimizer's learning_rate is {rate:g}"
    if isinstance(schedule, Cyclic) and schedule.max_lr < rate:
        return [((*at, "cyclic", "max_lr"), f"the rate cycles up to max_lr, but {found}")]
    if isinstance(schedule, Plateau) and schedule.min_lr > rate:
        return [((*at, "plateau", "min_lr"), f"the rate falls to min_lr, but {found}")]
    if isinstance(schedule, Cosine) and schedule.eta_min > rate:
        return [((*at, "cosine", "eta_min"), f"the rate falls to eta_min, but {found}")]
    return []


def config_warnings(experiment: Experiment) -> list[PathProblem]:
    """What is allowed but hardly meant: a place in the configuration and a sentence each."""
    notes: list[PathProblem] = []
    graph = experiment.graph
    layers = {place.name: place.layer for place in graph.nodes}
    for loss in graph.losses:
        layer = layers.get(loss.inputs[0])
        path = experiment.origins.get(loss.inputs[0], ("loss",))
        note = _ending(loss.layer, layer)
        if note is not None:
            notes.append((path, note))
    schedule, epochs = experiment.config.schedule, experiment.config.train.epochs
    if isinstance(schedule, Warmup) and schedule.epochs >= epochs:
        message = f"the warm-up never ends: the training has {epochs} epochs"
        notes.append((("schedule", "warmup", "epochs"), message))
    if not split_sizes(experiment.config.data.split, experiment.info).validation:
        message = "without a validation part it watches the training figures"
        if experiment.config.train.early_stopping is not None:
            notes.append((("train", "early_stopping"), message))
        if isinstance(schedule, Plateau):
            notes.append((("schedule",), message))
    if experiment.batch_size == 1:
        notes += [
            (experiment.origins[place.name], "batch_norm needs batches of more than one sample")
            for place in graph.nodes
            if isinstance(place.layer, BatchNorm)
        ]
    used = {place.name for place in graph.needed(loss.name for loss in graph.losses)}
    idle = [place.name for place in graph.nodes if place.name not in used]
    return notes + [(experiment.origins[name], f"no loss depends on {name}") for name in idle]


def _ending(loss: Layer, layer: Layer | None) -> str | None:
    """What is wrong with the layer that gives a loss its values, if anything."""
    for losses, layers, sentence in _ENDINGS:
        if isinstance(loss, losses) and isinstance(layer, layers):
            return sentence
    if isinstance(loss, Nll | KlDivergence) and not isinstance(layer, LogSoftmax):
        return "log-probabilities are expected: log_softmax usually comes last"
    return None


_ENDINGS: tuple[tuple[type[Layer], tuple[type[Layer], ...], str], ...] = (
    (
        CrossEntropy,
        (Softmax, LogSoftmax),
        "cross_entropy applies softmax itself: leave this one out",
    ),
    (BceWithLogits, (Sigmoid,), "bce_with_logits applies a sigmoid itself: leave this one out"),
    (Hinge, (Sigmoid, Softmax), "hinge takes scores as they are: leave this one out"),
)
