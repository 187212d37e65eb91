"""The figure that settings are compared by: of training or validation, never of the test part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from ldl.config.suggest import nearest, spelling_hint
from ldl.data import split_sizes
from ldl.evaluate import EVALUATIONS
from ldl.execute.introspection import network_info
from ldl.execute.preparation import evaluation_problems

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
"""Columns of metrics.csv, in the row of the epoch whose weights are kept."""

FIGURES: Final[Mapping[str, Mapping[str, Goal]]] = {
    "classification": {
        "accuracy": "max",
        "log_loss": "min",
        "macro.precision": "max",
        "macro.recall": "max",
        "macro.f1": "max",
    },
    "regression": {"r2": "max", "mae": "min", "rmse": "min", "max_error": "min"},
    "reconstruction": {"mse": "min", "kl_divergence": "min"},
    "denoising": {
        "accuracy.denoised": "max",
        "mse.denoised": "min",
        "kl_divergence.denoised": "min",
    },
    "clustering": {"purity": "max", "median_purity": "max", "nmi": "max", "ari": "max"},
    "latent_classifier": {"accuracy": "max"},
}
"""Places in the results of an evaluation; of another one any place may be named, with its goal."""

ACCURACIES: Final = ("validation.accuracy", "train.accuracy")
OF_CLASSES: Final = ("denoising.accuracy.denoised", "clustering.")  # figures that need labels


@dataclass(frozen=True)
class Objective:
    """A figure and which way it is better."""

    name: str  # as it is written: validation.loss, validation.denoising.accuracy.denoised
    goal: Goal
    column: str | None = None  # of metrics.csv; None where an evaluation gives the figure
    evaluation: str | None = None  # its name among EVALUATIONS, run on the validation part
    figure: str | None = None  # the dotted place in that evaluation's results

    def better(self, one: float | None, other: float | None) -> bool:
        """Whether `one` is better than `other`; any number is better than none."""
        if one is None or other is None:
            return one is not None and other is None
        return one < other if self.goal == "min" else one > other

    def rank(self, value: float | None) -> tuple[bool, float]:
        """What sorts the best first and those without a figure last."""
        if value is None:
            return True, 0.0
        return False, value if self.goal == "min" else -value

    def judge(self, config: Config) -> Evaluation | None:
        """The evaluation that gives the figure, as configured, on the validation part.

        None where metrics.csv has the figure.
        """
        if self.evaluation is None:
            return None
        kind = EVALUATIONS[self.evaluation]
        chosen: Any = next((each for each in config.evaluate or [] if type(each) is kind), None)
        if chosen is None:
            chosen = kind()
        evaluation: Evaluation = replace(chosen, part="validation")
        return evaluation

    def fault(self, experiment: Experiment) -> str | None:
        """Why an experiment has no such figure, or None."""
        config, info, task = experiment.config, experiment.info, experiment.task
        validated = self.name.startswith("validation.")
        if validated and not split_sizes(config.data.split, info).validation:
            return "there is no validation part: `data.split.validation` is 0"
        if self.name in ACCURACIES and task != "classification":
            return f"only a network that learns classes has an accuracy; this one's task is {task}"
        if self.name == "validation.r2" and task != "regression":
            return f"only a network that learns values has an R²; this one's task is {task}"
        evaluation = self.judge(config)
        if evaluation is None:
            return None
        labelled = f"{self.evaluation}.{self.figure}".startswith(OF_CLASSES)
        if labelled and info.target.kind != "classes":
            return "the data has no classes"
        judged = replace(config, evaluate=[evaluation])
        faults = evaluation_problems(judged, info, network_info(experiment))
        return faults[0][1] if faults else None


class ObjectiveError(Exception):
    """No figure is called so; the arguments are the message and the advice."""


def objective(name: str, goal: Goal | None, base: Experiment | None = None) -> Objective:
    """The objective of this name; `base` says which others there are. Raises ObjectiveError."""
    part, _, rest = name.partition(".")
    if part == "test":
        reason = "the test part judges the winner alone, once; settings compare on another"
        advice = _advice(nearest(f"validation.{rest}", _known(base)), _known(base))
        raise ObjectiveError(f"`{name}` is a figure of the test part: {reason}", advice)
    if name in COLUMNS:
        return Objective(name, goal or COLUMNS[name], column=name.replace(".", "_"))
    evaluation, _, figure = rest.partition(".")
    if part != "validation" or evaluation not in EVALUATIONS or not figure:
        raise ObjectiveError(f"no figure is called `{name}`", _unknown(name, evaluation, base))
    figures = FIGURES.get(evaluation)
    if figures is None and not _has_part(evaluation):
        raise ObjectiveError(
            f"`{evaluation}` judges no part of its own", _advice(None, _known(base))
        )
    if figures is None and goal is None:
        raise ObjectiveError(f"is more of `{name}` better?", "say `goal: max` or `goal: min`")
    if figures is not None and figure not in figures:
        known = [f"validation.{evaluation}.{each}" for each in figures]
        raise ObjectiveError(
            f"`{evaluation}` has no figure `{figure}`", spelling_hint(name, known, "it has")
        )
    usual = (figures or {}).get(figure, "max")
    return Objective(name, goal or usual, evaluation=evaluation, figure=figure)


def _has_part(evaluation: str) -> bool:
    return "part" in EVALUATIONS[evaluation].__dataclass_fields__  # type: ignore[attr-defined]


def _unknown(name: str, evaluation: str, base: Experiment | None) -> str:
    known = _known(base)
    spelt = name.replace("_", ".")  # as the column is called
    bare = spelt.partition(".")[0] not in ("validation", "train")
    near = spelt if spelt in known else nearest(f"validation.{name}", known) if bare else None
    near = near or nearest(name, known)
    if near is None and evaluation in FIGURES:
        near = f"validation.{evaluation}.{next(iter(FIGURES[evaluation]))}"
    return _advice(near, known)


def _advice(near: str | None, known: list[str]) -> str:
    """The nearest, and all there are: the columns in a line, then each evaluation in its own."""
    lines = [f"did you mean `{near}`?"] if near else []
    columns = [f"`{each}`" for each in known if each in COLUMNS]
    lines.append(f"there are {', '.join(columns)}")
    for evaluation in FIGURES:
        own = [f"`{each}`" for each in known if each.startswith(f"validation.{evaluation}.")]
        lines += [", ".join(own)] if own else []
    return "\n".join(lines)


def _known(base: Experiment | None) -> list[str]:
    """The names of all objectives; given an experiment, of those that it has."""
    all_of = [Objective(name, goal, column=name) for name, goal in COLUMNS.items()]
    for evaluation, figures in FIGURES.items():
        all_of += [
            Objective(f"validation.{evaluation}.{figure}", goal, None, evaluation, figure)
            for figure, goal in figures.items()
        ]
    if base is None:
        return [each.name for each in all_of]
    return [each.name for each in all_of if not each.fault(base)]
