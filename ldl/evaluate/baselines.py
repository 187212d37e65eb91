"""The evaluation `baselines`: well-known methods without a network on the same data."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, Literal

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.data.dataset import DatasetInfo
from ldl.data.split import random_split
from ldl.errors import DataError, SettingError
from ldl.evaluate.context import (
    EvaluatedSplit,
    Evaluation,
    EvaluationContext,
    NetworkInfo,
    SettingProblem,
    SplitSetting,
    Task,
    feature_names,
    labels,
    unknown_node,
)
from ldl.evaluate.decision_regions import grid_lines
from ldl.evaluate.latents import deterministic, pca_reconstruction, random_state, random_stream
from ldl.evaluate.reconstruction import UNITS, kl_divergences, reconstruction_problem
from ldl.evaluate.result_files import write_arrays, write_table
from ldl.fields import Alias, Doc, Positive, Size

ModelName = Literal["linear_svm", "rbf_svm", "logistic_regression"]
FOLDS = 5
RESOLUTION = 150  # lines of the grid on each axis
PREDICTION_BATCH = 4096


@dataclass(frozen=True)
class Baselines(Evaluation):
    """min over w of ½‖w‖² + C·Σₙ loss(yₙ, f(xₙ)): SVMs and logistic regression, over several C.

    For classifiers: a linear SVM (squared hinge loss, one class against the rest), an SVM with the
    kernel exp(−‖x − x′‖² / (d·var x)) and multinomial logistic regression, on the inputs as the
    network sees them. C is chosen by the accuracy on the validation split, or by five-fold
    cross-validation on the training split where there is none or it is the evaluated one; never on
    the evaluated split, whose accuracies at each C are only reported. Writes `plots/baselines.csv`,
    and `plots/baseline_regions.npz` for inputs of two numbers.
    For autoencoders: principal components, as many as the node `node` has values, with their mean
    squared error and KL divergence as `reconstruction` defines them.
    Source: Cortes and Vapnik, Support-Vector Networks, 1995; scikit-learn's LinearSVC, SVC,
    LogisticRegression and PCA.
    """

    C: Annotated[tuple[Positive, ...], Doc("strengths of the loss to choose from")] = (
        0.01,
        0.1,
        1.0,
        10.0,
        100.0,
    )
    models: tuple[ModelName, ...] = ("linear_svm", "rbf_svm", "logistic_regression")
    samples: Annotated[
        Size, Doc("of the training split, at most; an SVM's time grows with their square")
    ] = 2000
    node: Annotated[str, Doc("node whose size PCA has, for an autoencoder"), Alias("place")] = (
        "code"
    )
    split: SplitSetting = "test"

    def __post_init__(self) -> None:
        """Refuse empty lists."""
        if not self.C:
            raise SettingError("C", "name a value at least")
        if not self.models:
            raise SettingError("models", "name a model at least")

    def data_problem(self, info: DatasetInfo, task: Task) -> str | None:
        """The network needs to be a classifier, or to reconstruct its single input."""
        if task == "reconstruction":
            return reconstruction_problem(info, task, "baselines")
        if task != "classification" or info.target.kind != "classes":
            return f"baselines needs a classifier or an autoencoder; this network's task is {task}"
        if len(info.inputs) > 1:
            return f"baselines needs a single input; this data has {', '.join(info.inputs)}"
        return None

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """An autoencoder needs the node."""
        return unknown_node(self.node, network) if network.task == "reconstruction" else []

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """The metrics of each model and of the network."""
        evaluated = self.select_split(context, self.split)
        notes = list(evaluated.notes)
        compare = self._pca if context.task == "reconstruction" else self._classifiers
        results = compare(evaluated, notes)
        return evaluated.results(results, list(dict.fromkeys(notes)))

    def _pca(self, evaluated: EvaluatedSplit, notes: list[str]) -> dict[str, Any]:
        """The errors of PCA and of the autoencoder."""
        context, split = evaluated.context, evaluated.split
        clean, train = split.clean["x"], context.dataset.train.clean["x"]
        count = prod(context.network.shapes[self.node])
        reconstruction, variance, components = pca_reconstruction(
            train, split.inputs["x"], count, notes
        )
        outputs = {
            "network": context.predict(split.inputs).reshape(clean.shape),
            "pca": reconstruction,
        }
        return {
            "components": components,
            "variance": variance,
            "mse": {name: metrics.mse(clean, x) for name, x in outputs.items()},
            "kl_divergence": kl_divergences(clean, outputs, notes),
            "units": UNITS,
        }

    def _classifiers(self, evaluated: EvaluatedSplit, notes: list[str]) -> dict[str, Any]:
        """The accuracies of the models, of the network and of the majority class."""
        context, true = evaluated.context, labels(evaluated.split)
        train = context.dataset.train
        indices = self._training_samples(context, notes)
        x, classes = _flat(train.inputs)[indices], labels(train)[indices]
        if len(np.unique(classes)) < 2:
            raise DataError("baselines: the training split has samples of a single class")
        majority = np.bincount(classes).argmax()
        predicted = context.classes(context.predict(evaluated.split.inputs))
        accuracy = {
            "network": metrics.accuracy(true, predicted),
            "majority": metrics.accuracy(true, np.full_like(true, majority)),
        }
        models: dict[str, Any] = {}
        rows: list[list[object]] = [["network", "", "", "", accuracy["network"], ""]]
        best_models: dict[str, Any] = {}
        for name in self.models:
            with deterministic(notes):
                fits = self._fit_each_c(evaluated, name, x, classes, notes)
            best = max(fits, key=lambda c: (fits[c].selection, -c))
            best_models[name], accuracy[name] = fits[best].model, fits[best].evaluated
            models[name] = {
                "C": best,
                "chosen_by": fits[best].selection,
                "accuracies": {f"{c:g}": fit.evaluated for c, fit in fits.items()},
            }
            rows += [
                [name, c, fit.training, fit.selection, fit.evaluated, int(c == best)]
                for c, fit in fits.items()
            ]
        selection_method = _selection_method(evaluated)
        header = [
            "model",
            "C",
            "training",
            selection_method,
            f"{evaluated.name} (judged)",
            "chosen",
        ]
        write_table(evaluated.plot("baselines", "csv"), header, rows)
        _write_regions(evaluated, best_models)
        return {
            "training_samples": len(x),
            "chosen_on": selection_method,
            "accuracy": accuracy,
            "models": models,
        }

    def _training_samples(self, context: EvaluationContext, notes: list[str]) -> Array:
        """Indices of the training samples to fit the models to, at least one of each class."""
        train = context.dataset.train
        if len(train) <= self.samples:
            return np.arange(len(train))
        notes.append(f"the models see {self.samples} of {len(train)} training samples")
        classes = labels(train)
        rng = random_stream(context, "baselines", "samples")
        (indices,) = random_split(len(train), [self.samples], classes, rng)
        _, first = np.unique(classes, return_index=True)
        missing = first[~np.isin(classes[first], classes[indices])]
        return np.sort(np.concatenate([indices, missing]))

    def _fit_each_c(
        self,
        evaluated: EvaluatedSplit,
        name: ModelName,
        x: Array,
        classes: Array,
        notes: list[str],
    ) -> dict[float, FittedModel]:
        """The model at each C, fitted to training samples x (n, d) of `classes` (n,)."""
        context, split = evaluated.context, evaluated.split
        validation = context.dataset.validation
        inputs, true = _flat(split.inputs), labels(split)
        seed = random_state(context, "baselines", name)
        results: dict[float, FittedModel] = {}
        for c in dict.fromkeys(self.C):
            model = _model(name, c, seed).fit(x, classes)
            if _selection_method(evaluated) == "validation":
                assert validation is not None
                predicted = _predict_classes(model, _flat(validation.inputs))
                selection = metrics.accuracy(labels(validation), predicted)
            else:
                selection = _cross_validated(_model(name, c, seed), x, classes, seed)
            training = metrics.accuracy(classes, _predict_classes(model, x))
            accuracy = metrics.accuracy(true, _predict_classes(model, inputs))
            if np.isnan(selection):
                notes.append("too few samples to hold some out: C is chosen on the training split")
                selection = training
            results[c] = FittedModel(model, training, selection, accuracy)
        return results


@dataclass(frozen=True)
class FittedModel:
    """A model at one C, and its accuracies: on training samples, for the choice of C, and final."""

    model: Any
    training: float
    selection: float
    evaluated: float


def _selection_method(evaluated: EvaluatedSplit) -> str:
    """How C is chosen: by the "validation" split or by "cross-validation"."""
    validation = evaluated.context.dataset.validation
    if validation is None or not len(validation) or evaluated.name == "validation":
        return "cross-validation"
    return "validation"


def _write_regions(evaluated: EvaluatedSplit, models: dict[str, Any]) -> None:
    """Write the models' classes on a grid, for inputs of two numbers."""
    dataset = evaluated.context.dataset
    ((name, x),) = evaluated.split.inputs.items()
    if x[0].size != 2:
        return
    flat = x.reshape(-1, 2)
    lines = [grid_lines(flat[:, axis], RESOLUTION) for axis in (0, 1)]
    grid = np.stack(np.meshgrid(*lines), axis=-1).reshape(-1, 2)
    shape = (RESOLUTION, RESOLUTION)
    axes = dataset.to_source_units(name, np.stack(lines, axis=1).reshape(-1, *x.shape[1:]))
    write_arrays(
        evaluated.plot("baseline_regions", "npz"),
        x=axes.reshape(-1, 2)[:, 0],
        y=axes.reshape(-1, 2)[:, 1],
        classes=np.stack(
            [_predict_classes(model, grid).reshape(shape) for model in models.values()]
        ),
        predicted=np.stack([_predict_classes(model, flat) for model in models.values()]),
        models=np.array(list(models)),
        points=dataset.to_source_units(name, x).reshape(-1, 2),
        labels=labels(evaluated.split),
        names=np.array(dataset.info.target.names),
        features=np.array(feature_names(dataset.info, 2)),
    )


def _flat(inputs: dict[str, Array]) -> Array:
    (x,) = inputs.values()
    return x.reshape(len(x), -1)


def _model(name: ModelName, c: float, seed: int) -> Any:
    """An unfitted model of scikit-learn."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC, LinearSVC

    if name == "rbf_svm":
        return SVC(C=c, kernel=_rbf_kernel)
    if name == "linear_svm":
        return LinearSVC(C=c, dual="auto", random_state=seed, max_iter=5000)
    return LogisticRegression(C=c, max_iter=1000)


def _rbf_kernel(x: Array, train: Array) -> Array:
    """exp(−γ·‖x − x′‖²), γ = 1 / (d·var train), (n, d) and (m, d) to (n, m).

    Equal to `kernel="rbf", gamma="scale"`, but by matrix products, which take a quarter of the
    time on MNIST.
    """
    from sklearn.metrics.pairwise import rbf_kernel

    width = float(train.shape[1] * train.var()) or 1.0
    kernel: Array = rbf_kernel(x, train, gamma=1 / width)
    return kernel


def _predict_classes(model: Any, x: Array) -> Array:
    """The classes (n,) of x (n, d), in batches: a kernel matrix holds all samples of a batch."""
    starts = range(0, len(x), PREDICTION_BATCH)
    return np.concatenate([model.predict(x[i : i + PREDICTION_BATCH]) for i in starts])


def _cross_validated(model: Any, x: Array, classes: Array, seed: int) -> float:
    """The mean accuracy over five folds in the classes' proportions; fewer for a rare class.

    Folds whose training samples are of a single class do not count; NaN without any other.
    """
    from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score

    rarest = int(np.unique(classes, return_counts=True)[1].min())
    folds: Any = KFold(min(FOLDS, len(x)), shuffle=True, random_state=seed)
    if rarest > 1:
        folds = StratifiedKFold(min(FOLDS, rarest), shuffle=True, random_state=seed)
    splits = [(train, test) for train, test in folds.split(x, classes) if np.ptp(classes[train])]
    return float(cross_val_score(model, x, classes, cv=splits).mean()) if splits else np.nan
