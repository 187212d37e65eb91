"""A compiled configuration: the graph, the arrays that it reads, and what its outputs mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from ldl.arrays import Array
from ldl.compile.experiment_config import Config
from ldl.compile.freeze import frozen_weights
from ldl.compile.loss_nodes import Task
from ldl.compile.parallelism import Parallelism, choose_parallelism
from ldl.config.tree import KeyPath
from ldl.data import AffineScaler, DatasetInfo, Split, split_sizes
from ldl.engine.graph import Graph
from ldl.engine.losses import Hinge, Loss

DEFAULT_BATCH: Final = 32


@dataclass(frozen=True)
class Experiment:
    """A checked configuration and the graph that it describes.

    `targets` maps each target input of the graph to "labels", to an extra target of the data or
    to the data input that it repeats. `output` and `code` name the values that are evaluated.
    `origins` maps each node to its key path in the configuration.
    """

    config: Config
    info: DatasetInfo
    graph: Graph
    task: Task
    output: str
    code: str | None
    targets: Mapping[str, str]
    origins: Mapping[str, KeyPath]

    def arrays(self, split: Split, scale: AffineScaler | None = None) -> dict[str, Array]:
        """The arrays of a split by the names of the graph's inputs.

        The targets of a reconstruction are without noise. `scale` scales the labels.
        """
        arrays = dict(split.inputs)
        for name, source in self.targets.items():
            if source == "labels":
                assert split.targets is not None
                arrays[name] = scale.transform(split.targets) if scale else split.targets
            elif source in self.info.inputs:
                arrays[name] = split.clean[source]
            else:
                arrays[name] = split.extra_targets[source]
        return arrays

    @property
    def input_targets(self) -> dict[str, str]:
        """Those of `targets` that repeat an input of the data."""
        return {name: source for name, source in self.targets.items() if source in self.info.inputs}

    @property
    def batch_size(self) -> int:
        """Samples in a step; the last step of an epoch may have fewer.

        `full` and full-batch optimizers take the whole training set.
        """
        size = self.config.train.batch_size
        available = split_sizes(self.config.data.split, self.info).train
        if size == "full" or self.config.optimizer.full_batch:
            return available
        return min(DEFAULT_BATCH if size is None else size, available)

    @property
    def parallelism(self) -> Parallelism:
        """How the work of a step is divided among threads."""
        return choose_parallelism(self.graph, self.batch_size, self.config.train.threads)

    @property
    def label_input(self) -> str:
        """The input of the graph that takes the labels."""
        return next(name for name, source in self.targets.items() if source == "labels")

    @property
    def frozen(self) -> frozenset[str]:
        """The names of the weights that `train.freeze` keeps as they are."""
        return frozen_weights(self.config.train.freeze, self.graph)

    @property
    def main_loss(self) -> Loss:
        """The first loss, which decides what the output means."""
        return self.graph.losses[0].layer

    def predicted_classes(self, outputs: Array) -> Array:
        """Class indices (n,) of outputs (n, C): the largest.

        A single output is class 1 above the loss's threshold: ½ for a probability, 0 for a logit.
        """
        if outputs.shape[1] == 1:
            return np.greater(outputs[:, 0], self.main_loss.decision_threshold).astype(np.int64)
        indices: Array = np.argmax(outputs, axis=1)
        return indices

    def final_outputs(self, outputs: Array) -> Array:
        """The outputs; those of a reconstruction by bce_with_logits as probabilities."""
        if self.task == "reconstruction" and self.main_loss.input_kind == "binary_logits":
            return _sigmoid(outputs)
        return outputs

    def probabilities(self, outputs: Array) -> Array:
        """Class probabilities (n, C) of outputs (n, C), rows summing to 1.

        Logits and log-probabilities go through softmax, single logits and those of bce_with_logits
        through the sigmoid. One value p becomes (1 − p, p).
        """
        input_kind = self.main_loss.input_kind
        if input_kind == "binary_logits" or (input_kind == "logits" and outputs.shape[1] == 1):
            outputs = _sigmoid(outputs)
        if outputs.shape[1] == 1:
            p = np.clip(outputs, 0.0, 1.0)
            return np.concatenate([1.0 - p, p], axis=1)
        if input_kind in ("logits", "log_probabilities"):
            scores = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        else:
            scores = np.maximum(outputs, 1e-12)
        probabilities: Array = np.divide(scores, scores.sum(axis=1, keepdims=True))
        return probabilities

    def probability_note(self, outputs: Array) -> str | None:
        """How `probabilities` changes outputs (n, C) that are none; None if they are."""
        if isinstance(self.main_loss, Hinge):
            return "hinge gives scores, no probabilities: softmax makes probabilities of them"
        if self.main_loss.input_kind != "probabilities":
            return None
        excess = np.abs(outputs.sum(axis=1) - 1.0).max() if outputs.shape[1] > 1 else 0.0
        if excess < 1e-3 and outputs.min() >= 0.0 and outputs.max() <= 1.0:
            return None
        return "the outputs are no probabilities: they are clipped at 0 and divided by their sum"


def _sigmoid(logits: Array) -> Array:
    """1 / (1 + exp(−x)), in a form that cannot overflow."""
    probabilities: Array = 0.5 + 0.5 * np.tanh(0.5 * logits)
    return probabilities
