"""Evaluations of a trained network: one file for each, all in the registry EVALUATIONS."""

from __future__ import annotations

from ldl.data.dataset import DatasetInfo
from ldl.evaluate.ablation import Ablation
from ldl.evaluate.activations import Activations
from ldl.evaluate.baselines import Baselines
from ldl.evaluate.classification import Classification
from ldl.evaluate.clustering import Clustering
from ldl.evaluate.compression import Compression
from ldl.evaluate.consistency_check import ConsistencyCheck
from ldl.evaluate.context import ClassifierSettings, Evaluation, EvaluationContext, Task
from ldl.evaluate.decision_regions import DecisionRegions
from ldl.evaluate.denoising import Denoising
from ldl.evaluate.filters import Filters
from ldl.evaluate.folds import Folds
from ldl.evaluate.latent_classifier import LatentClassifier
from ldl.evaluate.latent_embedding import LatentEmbedding
from ldl.evaluate.noise_sweep import NoiseSweep
from ldl.evaluate.reconstruction import Reconstruction
from ldl.evaluate.regression import Regression

__all__ = [
    "EVALUATIONS",
    "ClassifierSettings",
    "Evaluation",
    "EvaluationContext",
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
    "embedding": LatentEmbedding,
    "noise_sweep": NoiseSweep,
    "baselines": Baselines,
    "folds": Folds,
    "ablation": Ablation,
    "consistency_check": ConsistencyCheck,
    "filters": Filters,
    "activations": Activations,
}


def default_evaluations(task: Task, info: DatasetInfo | None = None) -> tuple[Evaluation, ...]:
    """The evaluations of a configuration that names none: the task's own one.

    With `info`, also decision regions for inputs of two numbers.
    """
    defaults = (EVALUATIONS[task](), DecisionRegions())
    if info is None or defaults[1].data_problem(info, task):
        return defaults[:1]
    return defaults
