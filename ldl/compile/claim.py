"""The section `claim`: what a document reports of an experiment, and how it is compared."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from ldl.errors import SettingError
from ldl.fields import Alias, Doc, DottedKeys, NonNegative, Size

Comparison = Literal["at_least", "at_most", "near", "not_judged", "shown"]
ID_PATTERN: Final = re.compile(r"[a-z]+[0-9]+")
BOUNDS: Final = ("at_least", "at_most")
FILE_COMPARISONS: Final = ("less_than", "greater_than", "same_as")


@dataclass(frozen=True, kw_only=True)
class ClaimedMetric:
    """One metric of a claim: the reported value, where ours is measured, how the two compare.

    `measured` is a dotted path into results.json (`classification.accuracy`), or
    `metrics.COLUMN.STATISTIC`, or `epochs`, `best_epoch`, `seconds` (of training),
    `samples_per_second`, or of the network `parameters`, and by layer `parameters.LAYER`,
    `outputs.LAYER` (values per sample), `receptive_field.LAYER`; true and false count as 1 and 0.
    STATISTIC is first, last, best, kept (of the epoch whose weights were kept), min, max,
    mean_abs_change (the mean absolute change from one epoch to the next in the second half),
    `at:EPOCH`, or `until:VALUE` (the first epoch that reaches the value).

    What decides the verdict, by default that the measured value is at least the claimed number:
    `comparison`, with the claimed number (at_least: higher is better, at_most: lower is better,
    near: neither); `at_least` and `at_most`, with a limit that the document states in words such as
    "> 0.97"; `less_than`, `greater_than`, `same_as`, with the same metric of another file, named
    without .yaml. A metric with `comparison: not_judged` has no verdict, and `reason` says why. The
    page of `ldl report` says how verdicts are made; the claimed number counts as rounded to the
    digits that are written, so that 0.80 is more exact than 0.8. `within` is for a tolerance that
    the document itself states, and for `same_as`.
    """

    name: Annotated[str, Doc("what the document calls it")]
    measured: Annotated[str, Doc("the path of the measured value in the run")]
    claimed: Annotated[
        float | str | None, Doc("the reported value; text where it was no number")
    ] = None
    comparison: Annotated[
        Comparison | None,
        Doc("of the measured value with the claimed number; shown: former name of not_judged"),
        Alias("sense"),
    ] = None
    at_least: float | None = None
    at_most: float | None = None
    within: Annotated[NonNegative, Doc("the tolerance at the limit; near with 0 means exactly")] = (
        0.0
    )
    less_than: Annotated[
        str | None, Doc("another file, without .yaml, whose metric is the limit")
    ] = None
    greater_than: str | None = None
    same_as: str | None = None
    other_measured: Annotated[
        str | None,
        Doc("the path in that other file's run; null: the same as `measured`"),
        Alias("theirs"),
    ] = None
    by: Annotated[NonNegative, Doc("how much less or greater the measured value has to be")] = 0.0
    minus: Annotated[
        str | None, Doc("a path whose value is subtracted, in the other file's run too")
    ] = None
    unit: Annotated[str, Doc("follows the numbers")] = ""
    reason: Annotated[str, Doc("why a metric with `comparison: not_judged` has no verdict")] = ""
    cause: Annotated[
        str, Doc("why the opposite is measured: a metric that is significantly off is refuted")
    ] = ""

    def __post_init__(self) -> None:
        """Refuse a metric with two conditions, or with none."""
        if self.comparison == "shown":
            object.__setattr__(self, "comparison", "not_judged")
        conditions = [
            key for key in ("comparison", *FILE_COMPARISONS) if getattr(self, key) is not None
        ]
        bounds = [key for key in BOUNDS if getattr(self, key) is not None]
        conditions += bounds[:1]
        if len(conditions) > 1:
            raise SettingError(conditions[1], f"does not go with {conditions[0]}: choose one")
        low, high = self.at_least, self.at_most
        if low is not None and high is not None and low > high:
            raise SettingError("at_most", "is below at_least: no value is accepted")
        if self.other is None and (self.other_measured is not None or self.by):
            key = "by" if self.by else "other_measured"
            *first, last = FILE_COMPARISONS
            raise SettingError(key, f"needs {', '.join(first)} or {last}")
        if not (self.comparison == "not_judged" or bounds or self.other or self.is_number):
            reason = "is no number: add at_least, at_most, less_than … or `comparison: not_judged`"
            raise SettingError("claimed", reason)

    @property
    def is_number(self) -> bool:
        """Whether a number was claimed."""
        return isinstance(self.claimed, float)

    @property
    def is_not_judged(self) -> bool:
        """Whether it is shown without a verdict."""
        return self.comparison == "not_judged"

    @property
    def other(self) -> str | None:
        """The file whose metric this one is compared with."""
        return self.less_than or self.greater_than or self.same_as


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a document reports of this experiment; `ldl report` compares it with the measured runs.

    The file is what the document reports, epochs and all; `setup` repeats it as data, by the paths
    of overrides: `setup: {train.epochs: 1000, optimizer.sgd.learning_rate: 1e-3, loss: mse}`. The
    page shows every setting in which the file differs from it; a difference on purpose is written
    `PATH: {reported: VALUE, because: "…"}`. The profiles `full` and `quick` shorten the file.

    Several files may have the same id, each with its `case`; the verdict on the claim is the worst
    of theirs. A file with `fault` (it reproduces an error of the original on purpose) or with
    `evidence` (it explains a difference) is shown beside them and not counted.
    A file that extends another inherits its claim, key by key: `fault: null` removes one.
    """

    id: Annotated[str, Doc("the document's letter and a number, such as a5")]
    what: Annotated[str, Doc("the experiment in a line")]
    case: Annotated[str, Doc("distinguishes this file from others of the same id")] = ""
    where: Annotated[str, Doc('in the document, such as "section 5.3, figure 9"')] = ""
    metrics: Annotated[
        list[ClaimedMetric], Doc("what is compared; `ldl explain metric`"), Alias("figures")
    ] = field(default_factory=list)
    outcome: Annotated[str, Doc("the claim in words; the metrics decide the verdict")] = ""
    setup: Annotated[
        dict[str, Any],
        DottedKeys(),
        Doc("what the document reports, by the path of the setting; null: nothing"),
    ] = field(default_factory=dict)
    because: Annotated[str, Doc("why the measured values may differ")] = ""
    cause: Annotated[
        str, Doc("why the opposite is measured: limits and comparisons that are off are refuted")
    ] = ""
    time: Annotated[str, Doc("the reported time")] = ""
    fault: Annotated[str | None, Doc("the error of the original that this file reproduces")] = None
    evidence: Annotated[str | None, Doc("what this file shows about the claim")] = None
    seeds: Annotated[
        Size, Doc("number of runs: `seed`, `seed` + 1, …, which draw the splits too")
    ] = 1
    after: Annotated[
        str | None, Doc("another file, without .yaml, whose trained weights this one starts from")
    ] = None
    plots: Annotated[
        list[str] | None,
        Doc("plots to show, such as loss or contingency/*; null: the first six"),
        Alias("shows"),
    ] = None
    full: Annotated[
        list[str] | None, Doc("overrides of the full profile; null: it runs what is reported")
    ] = None
    quick: Annotated[
        list[str] | None, Doc("overrides of the quick profile; null: it leaves the file out")
    ] = None

    def __post_init__(self) -> None:
        """Refuse an invalid id, and a file that is both `fault` and `evidence`."""
        if not ID_PATTERN.fullmatch(self.id):
            reason = f"is a document's letter and a number, such as a5, not {self.id}"
            raise SettingError("id", reason)
        if self.fault and self.evidence:
            raise SettingError("evidence", "does not go with fault: choose one")

    @property
    def counted(self) -> bool:
        """Whether the verdict on the claim depends on this file."""
        return self.fault is None and self.evidence is None
