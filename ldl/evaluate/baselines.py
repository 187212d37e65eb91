"""What well-known methods without a network make of the same data."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.data.split import random_split
from ldl.errors import DataError, SettingError
from ldl.evaluate import pca
from ldl.evaluate.codes import generator, random_state, repeatable
from ldl.evaluate.context import (
    Context,
    Judged,
    PartName,
    Task,
    feature_names,
    judge,
    labels,
    number,
)
from ldl.evaluate.files import write_arrays, write_table
from ldl.evaluate.network import NetworkInfo, SettingProblem, unknown_place
from ldl.evaluate.reconstruction import UNITS, kl_or_note, reconstructs
from ldl.evaluate.regions import lines_around
from ldl.fields import Doc, Positive, Size

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo

Model = Literal["linear_svm", "rbf_svm", "logistic_regression"]
FOLDS = 5
RESOLUTION = 150
BLOCK = 4096


@dataclass(frozen=True)
class Baselines:
    """min over w of ½‖w‖² + C·Σₙ loss(yₙ, f(xₙ)): SVMs and logistic regression, over several C.

    Of a classifier's data: a linear SVM (squared hinge loss, one class against the rest), an SVM
    with the kernel exp(−‖x − x′‖² / (d·var x)) and multinomial logistic regression, on the inputs
    as the network sees them. C is chosen by the accuracy on the validation part, or by five-fold
    cross-validation on the training part where that is missing or is the part that is judged;
    never on the judged part, whose accuracies at each C are only shown. Leaves
    `plots/baselines.csv`, and `plots/baseline_regions.npz` for inputs of two numbers.
    Of an autoencoder's: principal components, as many as `place` has numbers, with their mean
    square error and KL divergence as `reconstruction` defines them.
    Source: Cortes and Vapnik, Support-Vector Networks, 1995; scikit-learn's LinearSVC, SVC,
    LogisticRegression and PCA.
    """

    C: tuple[Positive, ...] = (0.01, 0.1, 1.0, 10.0, 100.0)
    models: tuple[Model, ...] = ("linear_svm", "rbf_svm", "logistic_regression")
    samples: Annotated[
        Size, Doc("of the training part, at most; an SVM's time grows with their square")
    ] = 2000
    place: Annotated[str, Doc("whose numbers PCA has, for an autoencoder")] = "code"
    part: PartName = "test"

    def __post_init__(self) -> None:
        """Refuse empty lists."""
        if not self.C:
            raise SettingError("C", "name a value at least")
        if not self.models:
            raise SettingError("models", "name a model at least")

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Needs a classifier and classes, or a network that gives its one input back."""
        if task == "reconstruction":
            return reconstructs(info, task, "baselines")
        if task != "classification" or info.target.kind != "classes":
            return f"baselines judges classes and reconstructions; this network's task is {task}"
        if len(info.inputs) > 1:
            return f"baselines needs a single input; this data has {', '.join(info.inputs)}"
        return None

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """An autoencoder needs the place."""
        return unknown_place(self.place, network) if network.task == "reconstruction" else []

    def run(self, context: Context) -> dict[str, Any]:
        """Each model's figures beside the network's."""
        judged = judge(self, context, self.part)
        notes = list(judged.notes)
        rebuilds = context.task == "reconstruction"
        found = (self._rebuilt if rebuilds else self._classified)(context, judged, notes)
        head = {"part": judged.name, "samples": judged.samples}
        return {**head, **found, "notes": list(dict.fromkeys(notes))}

    def _rebuilt(self, context: Context, judged: Judged, notes: list[str]) -> dict[str, Any]:
        """PCA beside the autoencoder."""
        part, clean = judged.part, judged.part.clean["x"]
        count = prod(context.network.shapes[self.place])
        train = context.dataset.train.clean["x"]
        rebuilt, variance, components = pca.rebuild(train, part.inputs["x"], count, notes)
        shown = {"network": context.predict(part.inputs).reshape(clean.shape), "pca": rebuilt}
        return {
            "components": components,
            "variance": number(variance),
            "mse": {name: number(metrics.mse(clean, x)) for name, x in shown.items()},
            "kl_divergence": kl_or_note(clean, shown, notes),
            "units": UNITS,
        }

    def _classified(self, context: Context, judged: Judged, notes: list[str]) -> dict[str, Any]:
        """The classifiers beside the network."""
        dataset, true = context.dataset, labels(judged.part)
        ((name, x),) = judged.part.inputs.items()
        x = x.reshape(len(x), -1)
        chosen = self._training(context, notes)
        train = dataset.train.inputs[name].reshape(len(dataset.train), -1)[chosen]
        classes = labels(dataset.train)[chosen]
        if len(np.unique(classes)) < 2:
            raise DataError("baselines: the training part has samples of a single class")
        commonest = np.bincount(classes).argmax()
        read = context.classes(context.predict(judged.part.inputs))
        accuracy = {
            "network": number(metrics.accuracy(true, read)),
            "majority": number(metrics.accuracy(true, np.full_like(true, commonest))),
        }
        swept: dict[str, Any] = {}
        rows: list[list[object]] = [["network", "", "", "", accuracy["network"], ""]]
        fitted: dict[str, Any] = {}
        for model in self.models:
            with repeatable(notes):
                by_c = self._sweep(context, judged, model, train, classes, notes)
            best = max(by_c, key=lambda c: (by_c[c].chosen_by, -c))
            fitted[model], accuracy[model] = by_c[best].model, number(by_c[best].judged)
            swept[model] = {
                "C": best,
                "chosen_by": number(by_c[best].chosen_by),
                "accuracies": {f"{c:g}": number(each.judged) for c, each in by_c.items()},
            }
            rows += [
                [model, c, each.training, each.chosen_by, each.judged, int(c == best)]
                for c, each in by_c.items()
            ]
        self._write(context, judged, rows, fitted)
        head = {"training_samples": len(train), "chosen_on": self._chosen_on(context, judged)}
        return {**head, "accuracy": accuracy, "models": swept}

    def _chosen_on(self, context: Context, judged: Judged) -> str:
        """What C is chosen on."""
        held = context.dataset.validation
        if held is None or not len(held) or judged.name == "validation":
            return "cross-validation"
        return "validation"

    def _training(self, context: Context, notes: list[str]) -> Array:
        """The rows of the training part that the models see."""
        train = context.dataset.train
        if len(train) <= self.samples:
            return np.arange(len(train))
        notes.append(f"the models see {self.samples} of {len(train)} training samples")
        rng = generator(context, "baselines", "samples")
        (rows,) = random_split(len(train), [self.samples], labels(train), rng)
        _, first = np.unique(labels(train), return_index=True)
        rare = first[~np.isin(labels(train)[first], labels(train)[rows])]  # of classes left out
        return np.sort(np.concatenate([rows, rare]))

    def _sweep(
        self,
        context: Context,
        judged: Judged,
        model: Model,
        train: Array,
        classes: Array,
        notes: list[str],
    ) -> dict[float, Fitted]:
        """The model at each C."""
        held = context.dataset.validation
        x, true = _flat(judged.part.inputs), labels(judged.part)
        seed = random_state(context, "baselines", model)
        found: dict[float, Fitted] = {}
        for c in dict.fromkeys(self.C):
            fit = _model(model, c, seed).fit(train, classes)
            if self._chosen_on(context, judged) == "validation":
                assert held is not None
                by = metrics.accuracy(labels(held), _read(fit, _flat(held.inputs)))
            else:
                by = _cross_validated(_model(model, c, seed), train, classes, seed)
            seen, score = (
                metrics.accuracy(y, _read(fit, z)) for y, z in ((classes, train), (true, x))
            )
            if np.isnan(by):
                notes.append("too few samples to hold some out: C is chosen on the training part")
                by = seen
            found[c] = Fitted(fit, seen, by, score)
        return found

    def _write(
        self, context: Context, judged: Judged, rows: list[list[object]], fitted: dict[str, Any]
    ) -> None:
        """The accuracies by C; what each model says of the plane."""
        chosen_on = self._chosen_on(context, judged)
        header = ["model", "C", "training", chosen_on, f"{judged.name} (judged)", "chosen"]
        write_table(judged.plot("baselines", "csv"), header, rows)
        ((name, x),) = judged.part.inputs.items()
        if x[0].size != 2:
            return
        lines = [lines_around(x.reshape(-1, 2)[:, axis], RESOLUTION) for axis in (0, 1)]
        grid = np.stack(np.meshgrid(*lines), axis=-1).reshape(-1, 2)
        said = [_read(model, grid).reshape(RESOLUTION, RESOLUTION) for model in fitted.values()]
        units = context.dataset.to_source_units(
            name, np.stack(lines, axis=1).reshape(-1, *x.shape[1:])
        )
        points = context.dataset.to_source_units(name, x)
        write_arrays(
            judged.plot("baseline_regions", "npz"),
            x=units.reshape(-1, 2)[:, 0],
            y=units.reshape(-1, 2)[:, 1],
            classes=np.stack(said),
            predicted=np.stack([_read(model, _flat({name: x})) for model in fitted.values()]),
            models=np.array(list(fitted)),
            points=points.reshape(-1, 2),
            labels=labels(judged.part),
            names=np.array(context.dataset.info.target.names),
            features=np.array(feature_names(context.dataset.info, 2)),
        )


@dataclass(frozen=True)
class Fitted:
    """A model at one C, and its accuracies: on what it saw, where C is chosen, and judged."""

    model: Any
    training: float
    chosen_by: float
    judged: float


def _flat(inputs: dict[str, Array]) -> Array:
    (x,) = inputs.values()
    return x.reshape(len(x), -1)


def _model(name: Model, c: float, seed: int) -> Any:
    """A model that scikit-learn can fit."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC, LinearSVC

    if name == "rbf_svm":
        return SVC(C=c, kernel=_kernel)
    if name == "linear_svm":
        return LinearSVC(C=c, dual="auto", random_state=seed, max_iter=5000)
    return LogisticRegression(C=c, max_iter=1000)


def _kernel(x: Array, train: Array) -> Array:
    """exp(−γ·‖x − x′‖²), γ = 1 / (d·var train), as scikit-learn's own but by matrix products.

    On MNIST that takes a quarter of the time.
    """
    from sklearn.metrics.pairwise import rbf_kernel

    width = float(train.shape[1] * train.var()) or 1.0
    kernel: Array = rbf_kernel(x, train, gamma=1 / width)
    return kernel


def _read(model: Any, x: Array) -> Array:
    """The classes that a fitted model reads, some samples at a time: a kernel holds them all."""
    return np.concatenate([model.predict(x[i : i + BLOCK]) for i in range(0, len(x), BLOCK)])


def _cross_validated(model: Any, x: Array, classes: Array, seed: int) -> float:
    """The mean accuracy over five folds in the classes' proportions; fewer for a rare class.

    Of the folds whose others hold two classes at least; NaN where none do.
    """
    from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score

    rarest = int(np.unique(classes, return_counts=True)[1].min())
    folds: Any = KFold(min(FOLDS, len(x)), shuffle=True, random_state=seed)
    if rarest > 1:
        folds = StratifiedKFold(min(FOLDS, rarest), shuffle=True, random_state=seed)
    cuts = [(seen, held) for seen, held in folds.split(x, classes) if np.ptp(classes[seen])]
    return float(cross_val_score(model, x, classes, cv=cuts).mean()) if cuts else np.nan
