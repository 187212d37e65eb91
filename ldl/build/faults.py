"""What is wrong, or hardly meant, in a network that can be planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldl.build.network import Network
from ldl.build.spec import Config
from ldl.config.tree import Path
from ldl.data import Info
from ldl.engine.graph import Graph, LossPlace
from ldl.engine.layers.activation import Softmax
from ldl.engine.layers.linear import Linear
from ldl.engine.layers.shapes import words
from ldl.engine.losses import Bce, CrossEntropy

if TYPE_CHECKING:
    from ldl.build.experiment import Experiment

Fault = tuple[Path, str]
MISSING_UNITS = "units are missing"
MOST_WEIGHTS = 500_000_000  # 2 GB, and as much again for gradients and for each moment


def graph_faults(graph: Graph, network: Network, info: Info) -> list[Fault]:
    """Nothing to train, far too much to train, or outputs that do not fit the classes."""
    weights = sum(weight.size for weight in graph.weights.values())
    if not weights:
        return [(("network",), "the network has no weights: there is nothing to train")]
    if weights > MOST_WEIGHTS:
        return [(("network",), f"{weights:,} weights; {MOST_WEIGHTS:,} are the most")]
    found = (_class_fault(loss, graph, network, info) for loss in graph.losses)
    return [fault for fault in found if fault]


def _class_fault(loss: LossPlace, graph: Graph, network: Network, info: Info) -> Fault | None:
    """A loss on class indices needs an output a class, or one for two classes."""
    value, classes = loss.inputs[0], info.target.size
    shape = graph.specs[value].shape
    if not graph.specs[loss.inputs[1]].integer or shape == (classes,):
        return None
    if shape == (1,) and classes == 2 and not isinstance(loss.layer, CrossEntropy):
        return None
    path = network.origins.get(value, ("loss",))
    return path, f"{value} gives {words(shape)}, but the data has {classes} classes"


def training_faults(config: Config, task: str) -> list[Fault]:
    """Settings of `train` that another section rules out."""
    faults: list[Fault] = []
    settings = config.train
    if config.optimizer.whole_set and settings.batch_size not in (None, "full"):
        faults.append((("train", "batch_size"), "gd takes the whole set a step: leave this out"))
    stopping = settings.early_stopping
    if stopping and stopping.monitor == "accuracy" and task != "classification":
        path = ("train", "early_stopping", "monitor")
        faults.append((path, "only a network that learns classes has an accuracy"))
    return faults


def advice(experiment: Experiment) -> list[Fault]:
    """What is allowed but hardly meant: a place in the configuration and a sentence each."""
    notes: list[Fault] = []
    graph = experiment.graph
    layers = {place.name: place.layer for place in graph.places}
    for loss in graph.losses:
        layer = layers.get(loss.inputs[0])
        path = experiment.origins.get(loss.inputs[0], ("loss",))
        if isinstance(loss.layer, CrossEntropy) and isinstance(layer, Softmax):
            notes.append((path, "cross_entropy applies softmax itself: leave this one out"))
        if isinstance(loss.layer, Bce) and isinstance(layer, Linear):
            notes.append((path, "bce takes probabilities: a sigmoid usually comes last"))
    used = {place.name for place in graph.needed(loss.name for loss in graph.losses)}
    idle = [place.name for place in graph.places if place.name not in used]
    return notes + [(experiment.origins[name], f"no loss depends on {name}") for name in idle]
