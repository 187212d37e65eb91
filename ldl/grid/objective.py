"""The objective: a metric of the training or validation split by which candidates compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from ldl.config.suggest import nearest, spelling_hint
from ldl.data import split_sizes
from ldl.evaluate import EVALUATIONS
from ldl.execute.evaluation_checks import evaluation_problems
from ldl.execute.introspection import network_info
from ldl.fields import former_names

if TYPE_CHECKING:
    from ldl.compile import Config, Experiment
    from ldl.evaluate import Evaluation

Goal = Literal["min", "max"]

COLUMNS: Final[Mapping[str, Goal]] = {
    "validation.loss": "min",
    "validation.accuracy": "max",
    "validation.r2": "max",
    "train.loss": "min",
    "train.accuracy": "max",
}
"""Columns of metrics.csv; their values are those of the weights that are kept."""

METRICS: Final[Mapping[str, Mapping[str, Goal]]] = {
    "classification": {
        "accuracy": "max",
        "log_loss": "min",
        "macro.precision": "max",
        "macro.recall": "max",
        "macro.f1": "max",
        "weighted.f1": "max",
    },
    "regression": {"r2": "max", "mae": "min", "rmse": "min", "max_error": "min"},
    "reconstruction": {"mse": "min", "kl_divergence": "min"},
    "denoising": {
        "accuracy.denoised": "max",
        "mse.denoised": "min",
        "kl_divergence.denoised": "min",
    },
    "clustering": {
        "purity": "max",
        "median_purity": "max",
        "nmi": "max",
        "ari": "max",
        "silhouette": "max",
    },
    "latent_classifier": {"accuracy": "max"},
}
"""Metrics by evaluation. Of an evaluation that is not listed, any metric is an objective, if its
goal is given."""

ACCURACIES: Final = ("validation.accuracy", "train.accuracy")
LABELLED: Final = (  # metrics that need class labels
    *("denoising.accuracy.denoised", "clustering.purity", "clustering.median_purity"),
    *("clustering.nmi", "clustering.ari"),
)


@dataclass(frozen=True)
class Objective:
    """A metric and the direction in which it improves."""

    name: str  # as in the file: validation.loss, validation.denoising.accuracy.denoised
    goal: Goal
    column: str | None = None  # of metrics.csv; None where an evaluation computes the metric
    evaluation: str | None = None  # its name, perhaps a former one, run on the validation split
    metric: str | None = None  # dotted path in the results of that evaluation

    def to_dict(self) -> dict[str, Any]:
        """The fields as grid.json has them."""
        return {
            "name": self.name,
            "goal": self.goal,
            "column": self.column,
            "evaluation": self.evaluation,
            "figure": self.metric,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Objective:
        """The inverse of `to_dict`. Raises KeyError, TypeError or ValueError for others."""
        name, goal, column = fields["name"], fields["goal"], fields["column"]
        optional = (column, fields["evaluation"], fields["figure"])
        if not isinstance(name, str) or goal not in ("min", "max"):
            raise ValueError("no objective")
        if not all(isinstance(value, str | None) for value in optional):
            raise ValueError("no objective")
        return cls(name, goal, column, fields["evaluation"], fields["figure"])

    def is_better(self, value: float | None, other: float | None) -> bool:
        """Whether `value` is strictly better than `other`; any number is better than None."""
        return self.sort_key(value) < self.sort_key(other)

    def sort_key(self, value: float | None) -> tuple[bool, float]:
        """A key that sorts the best value first and None last."""
        if value is None:
            return True, 0.0
        return False, value if self.goal == "min" else -value

    def evaluation_for(self, config: Config) -> Evaluation | None:
        """The evaluation that computes the metric on the validation split, as `config` sets it.

        None where metrics.csv holds the metric.
        """
        if self.evaluation is None:
            return None
        kind = _evaluation_class(self.evaluation)
        assert kind is not None
        configured: Any = next((e for e in config.evaluate or [] if type(e) is kind), kind())
        evaluation: Evaluation = replace(configured, split="validation")
        return evaluation

    def problem(self, experiment: Experiment) -> str | None:
        """Why an experiment lacks this metric; None where it has it."""
        config, info, task = experiment.config, experiment.info, experiment.task
        validated = self.name.startswith("validation.")
        if validated and not split_sizes(config.data.split, info).validation:
            return "there is no validation split: `data.split.validation` is 0"
        if self.name in ACCURACIES and task != "classification":
            return f"only a network that learns classes has an accuracy; this one's task is {task}"
        if self.name == "validation.r2" and task != "regression":
            return f"only a network that learns values has an R²; this one's task is {task}"
        if not validated and config.train.keep == "average":
            return "it is measured on the trained weights alone, and `keep: average` keeps others"
        evaluation = self.evaluation_for(config)
        if evaluation is None:
            return None
        labelled = f"{self.evaluation}.{self.metric}".startswith(LABELLED)
        if labelled and info.target.kind != "classes":
            return "the data has no classes"
        problems = evaluation_problems(
            replace(config, evaluate=[evaluation]), info, network_info(experiment)
        )
        return problems[0][1] if problems else None


class ObjectiveError(Exception):
    """No metric has this name; the arguments are the message and the hint."""


def parse_objective(name: str, goal: Goal | None, base: Experiment | None = None) -> Objective:
    """The objective with this name; hints list those that `base` has. Raises ObjectiveError."""
    split, _, rest = name.partition(".")
    if split == "test":
        reason = "the test split is for the winner alone; settings are compared on validation"
        hint = _hint(nearest(f"validation.{rest}", _names(base)), _names(base))
        raise ObjectiveError(f"`{name}` is a metric of the test split: {reason}", hint)
    if name in COLUMNS:
        return Objective(name, goal or COLUMNS[name], column=name.replace(".", "_"))
    evaluation, _, metric = rest.partition(".")
    kind = _evaluation_class(evaluation)
    if split != "validation" or kind is None or not metric:
        raise ObjectiveError(f"unknown metric `{name}`", _unknown_hint(name, evaluation, base))
    metrics = METRICS.get(evaluation)
    if metrics is None and not _has_split(kind):
        message = f"`{evaluation}` cannot be run on the validation split"
        raise ObjectiveError(message, _hint(None, _names(base)))
    if metrics is None and goal is None:
        message = f"it is not known whether a larger `{name}` is better"
        raise ObjectiveError(message, "write `goal: max` or `goal: min`")
    if metrics is not None and metric not in metrics:
        names = [f"validation.{evaluation}.{key}" for key in metrics]
        raise ObjectiveError(
            f"`{evaluation}` has no metric `{metric}`", spelling_hint(name, names, "it has")
        )
    default_goal = (metrics or {}).get(metric, "max")
    return Objective(name, goal or default_goal, evaluation=evaluation, metric=metric)


def _evaluation_class(name: str) -> type[Evaluation] | None:
    """The evaluation with this name or former name."""
    kinds = EVALUATIONS.items()
    return next((kind for key, kind in kinds if name in (key, *former_names(kind))), None)


def _has_split(kind: type[Evaluation]) -> bool:
    return "split" in kind.__dataclass_fields__  # type: ignore[attr-defined]


def _unknown_hint(name: str, evaluation: str, base: Experiment | None) -> str:
    names = _names(base)
    dotted = name.replace("_", ".")  # a column of metrics.csv, written as such
    bare = dotted.partition(".")[0] not in ("validation", "train")
    near = dotted if dotted in names else nearest(f"validation.{name}", names) if bare else None
    near = near or nearest(name, names)
    if near is None and evaluation in METRICS:
        near = f"validation.{evaluation}.{next(iter(METRICS[evaluation]))}"
    return _hint(near, names)


def _hint(near: str | None, names: list[str]) -> str:
    """The nearest name; then a line for the columns, and one for each evaluation."""
    lines = [f"did you mean `{near}`?"] if near else []
    lines.append(f"there are {', '.join(f'`{name}`' for name in names if name in COLUMNS)}")
    for evaluation in METRICS:
        prefix = f"validation.{evaluation}."
        quoted = [f"`{name}`" for name in names if name.startswith(prefix)]
        lines += [", ".join(quoted)] if quoted else []
    return "\n".join(lines)


def _names(base: Experiment | None) -> list[str]:
    """The names of all objectives; given an experiment, of those that it has."""
    objectives = [Objective(name, goal, column=name) for name, goal in COLUMNS.items()]
    for evaluation, metrics in METRICS.items():
        objectives += [
            Objective(f"validation.{evaluation}.{metric}", goal, None, evaluation, metric)
            for metric, goal in metrics.items()
        ]
    return [o.name for o in objectives if base is None or not o.problem(base)]
