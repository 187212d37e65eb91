"""Warnings of a sound configuration: what is allowed but probably not intended."""

from __future__ import annotations

from typing import Final

from ldl.compile.compile_checks import PathProblem
from ldl.compile.experiment import Experiment
from ldl.data import split_sizes
from ldl.engine.averaging import Swa
from ldl.engine.layer import Layer
from ldl.engine.layers.activation import LogSoftmax, Sigmoid, Softmax
from ldl.engine.layers.batch_norm import BatchNorm
from ldl.engine.losses import BceWithLogits, CrossEntropy, Hinge, KlDivergence, Loss, Nll
from ldl.engine.optim.sam import Sam
from ldl.engine.schedules import Plateau, Warmup

# (losses, last layers, what is probably wrong when the one follows the other)
_REDUNDANT_OUTPUTS: Final[tuple[tuple[type[Layer], tuple[type[Layer], ...], str], ...]] = (
    (
        CrossEntropy,
        (Softmax, LogSoftmax),
        "cross_entropy applies softmax itself: leave this one out",
    ),
    (BceWithLogits, (Sigmoid,), "bce_with_logits applies a sigmoid itself: leave this one out"),
    (Hinge, (Sigmoid, Softmax), "hinge takes scores as they are: leave this one out"),
)


def config_warnings(experiment: Experiment) -> list[PathProblem]:
    """What is allowed but probably not intended, as (key path, message) pairs."""
    return [
        *_output_warnings(experiment),
        *_training_warnings(experiment),
        *_ineffective_settings(experiment),
        *_batch_norm_warnings(experiment),
        *_unused_layer_warnings(experiment),
    ]


def _output_warnings(experiment: Experiment) -> list[PathProblem]:
    """Losses that do not suit the layer that they read."""
    layers = {node.name: node.layer for node in experiment.graph.nodes}
    warnings: list[PathProblem] = []
    for loss in experiment.graph.losses:
        message = _output_warning(loss.layer, layers.get(loss.inputs[0]))
        if message is not None:
            warnings.append((experiment.origins.get(loss.inputs[0], ("loss",)), message))
    return warnings


def _output_warning(loss: Loss, layer: Layer | None) -> str | None:
    for losses, layers, message in _REDUNDANT_OUTPUTS:
        if isinstance(loss, losses) and isinstance(layer, layers):
            return message
    if isinstance(loss, Nll | KlDivergence) and not isinstance(layer, LogSoftmax):
        return "log-probabilities are expected: log_softmax usually comes last"
    return None


def _training_warnings(experiment: Experiment) -> list[PathProblem]:
    """A warm-up that never ends, and validation that there is no data for."""
    config, warnings = experiment.config, list[PathProblem]()
    schedule, epochs = config.schedule, config.train.epochs
    if isinstance(schedule, Warmup) and schedule.epochs >= epochs:
        length = "1 epoch" if epochs == 1 else f"{epochs} epochs"
        message = f"the warm-up never ends: the training has {length}"
        warnings.append((("schedule", "warmup", "epochs"), message))
    if not split_sizes(config.data.split, experiment.info).validation:
        message = "without a validation split it monitors the training metrics"
        if config.train.early_stopping is not None:
            warnings.append((("train", "early_stopping"), message))
        if isinstance(schedule, Plateau):
            warnings.append((("schedule",), message))
    return warnings


def _ineffective_settings(experiment: Experiment) -> list[PathProblem]:
    """Settings of the training that others leave without an effect."""
    config, train, warnings = experiment.config, experiment.config.train, list[PathProblem]()
    epochs = train.epochs
    if isinstance(train.average, Swa) and not train.average.begins(epochs - 1, epochs):
        message = "it averages one epoch only, so the average is the last weights"
        warnings.append((("train", "average"), message))
    optimizer = (
        config.optimizer.optimizer if isinstance(config.optimizer, Sam) else config.optimizer
    )
    if train.decay == "all" and not (
        train.l1 or train.l2 or getattr(optimizer, "weight_decay", 0.0)
    ):
        message = "it has no effect: weight_decay, l1 and l2 are 0"
        warnings.append((("train", "decay"), message))
    samples = split_sizes(config.data.split, experiment.info).train
    batches = -(-samples // experiment.batch_size)
    if train.accumulation_steps > batches:
        count = "1 batch" if batches == 1 else f"{batches} batches"
        message = f"an epoch has only {count}, so a step takes the mean gradient of {count}"
        warnings.append((("train", "accumulation_steps"), message))
    return warnings


def _batch_norm_warnings(experiment: Experiment) -> list[PathProblem]:
    """Batch normalisation over batches of one sample."""
    if experiment.batch_size > 1:
        return []
    message = "batch_norm needs batches of more than one sample"
    nodes = [node for node in experiment.graph.nodes if isinstance(node.layer, BatchNorm)]
    return [(experiment.origins[node.name], message) for node in nodes]


def _unused_layer_warnings(experiment: Experiment) -> list[PathProblem]:
    """Layers on which no loss depends."""
    graph = experiment.graph
    used = {node.name for node in graph.ancestors(loss.name for loss in graph.losses)}
    unused = [node.name for node in graph.nodes if node.name not in used]
    return [(experiment.origins[name], f"no loss depends on {name}") for name in unused]
