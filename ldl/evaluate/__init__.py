"""Judgements of a trained network: one file an evaluation, each in the registry EVALUATIONS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldl.evaluate.activations import Activations
from ldl.evaluate.baselines import Baselines
from ldl.evaluate.by_hand import ByHand
from ldl.evaluate.classification import Classification
from ldl.evaluate.clustering import Clustering
from ldl.evaluate.compression import Compression
from ldl.evaluate.context import ClassifierSettings, Context, Evaluation, Task
from ldl.evaluate.denoising import Denoising
from ldl.evaluate.embedding import Embedding
from ldl.evaluate.filters import Filters
from ldl.evaluate.folds import Folds
from ldl.evaluate.latent_classifier import LatentClassifier
from ldl.evaluate.matrix import Matrix
from ldl.evaluate.noise_sweep import NoiseSweep
from ldl.evaluate.reconstruction import Reconstruction
from ldl.evaluate.regions import DecisionRegions
from ldl.evaluate.regression import Regression

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo

__all__ = [
    "EVALUATIONS",
    "ClassifierSettings",
    "Context",
    "Evaluation",
    "default_evaluations",
]

EVALUATIONS: dict[str, type[Evaluation]] = {
    "classification": Classification,
    "regression": Regression,
    "reconstruction": Reconstruction,
    "denoising": Denoising,
    "decision_regions": DecisionRegions,
    "clustering": Clustering,
    "compression": Compression,
    "latent_classifier": LatentClassifier,
    "embedding": Embedding,
    "noise_sweep": NoiseSweep,
    "baselines": Baselines,
    "folds": Folds,
    "matrix": Matrix,
    "by_hand": ByHand,
    "filters": Filters,
    "activations": Activations,
}


def default_evaluations(task: Task, info: DatasetInfo | None = None) -> tuple[Evaluation, ...]:
    """What a run is judged by where its configuration does not say: its task's own evaluation.

    Given what is known of the data, two-number inputs also get their decision regions.
    """
    defaults = (EVALUATIONS[task](), DecisionRegions())
    if info is None or defaults[1].problem(info, task):
        return defaults[:1]
    return defaults
