"""Claims and verdicts in words: the texts that the HTML page and the Markdown page share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from ldl.compile import ClaimedMetric
from ldl.report.number_format import format_duration, format_mean_std, format_number
from ldl.report.reproduce import ClaimCase, ClaimResult, Reproduction
from ldl.report.verdicts import PASSED, MetricVerdict, Verdict, bounds, mean, std

MEANINGS: Final[dict[Verdict, str]] = {
    "exceeded": "every claimed number is beaten by more than the standard deviation over seeds",
    "met": "every metric that has a condition fulfils it",
    "not met": "at least one metric does not fulfil its condition",
    "shortened": "the quick profile ran it too briefly for a verdict",
    "not measured": "a metric was not found in the run",
    "not run": "an experiment did not run",
}
METHOD: Final = (
    "Every file names the metrics that decide its verdict and where they are measured. A verdict "
    "is about the mean over seeds; ± is the standard deviation over seeds. A result of an error "
    "in the original is reproduced with that error, shown beside the sound experiment, and not "
    "counted."
)
SUMMARY_COLUMNS: Final = ("claim", "experiment", "claimed", "measured", "verdict")
METRIC_COLUMNS: Final = ("metric", "claimed", "measured", "condition", "verdict")
TEXTS: Final = ("outcome", "because", "where", "time")
MAX_PATHS: Final = 12  # valid paths in a message


def claimed_value(metric: ClaimedMetric) -> str:
    """The reported number with its unit, or the reported words."""
    text = format_number(metric.claimed)
    return _with_unit(text, metric) if metric.is_number else text


def condition(metric: ClaimedMetric) -> str:
    """What the measured value has to be: at least 0.8, less than e4, 40 ± 1."""
    if metric.comparison == "not_judged":
        return "none, not judged"
    margin = f" by {format_number(metric.by)}" if metric.by else ""
    for relation, stem in (
        ("less than", metric.less_than),
        ("greater than", metric.greater_than),
        ("the same as", metric.same_as),
    ):
        if stem is not None:
            path = f" ({metric.other_measured})" if metric.other_measured else ""
            return f"{relation} {stem}{path}{margin}"
    if metric.comparison == "near":
        target = format_number(metric.claimed)
        return (
            f"{target} ± {format_number(metric.within)}" if metric.within else f"exactly {target}"
        )
    low, high = bounds(metric)
    limits = [f"at least {format_number(low)}"] if low is not None else []
    limits += [f"at most {format_number(high)}"] if high is not None else []
    tolerance = f" (within {format_number(metric.within)})" if metric.within else ""
    return " and ".join(limits) + tolerance


def measured_value(result: MetricVerdict) -> str:
    """Mean ± standard deviation over seeds; where it decides, that of the other file too."""
    if not result.values:
        return "–"
    if all(math.isinf(value) for value in result.values):
        return "never"
    text = _with_unit(format_mean_std(result.mean, result.std), result.metric)
    if not result.other_values:
        return text
    return f"{text} against {format_mean_std(mean(result.other_values), std(result.other_values))}"


def _with_unit(text: str, metric: ClaimedMetric) -> str:
    return f"{text} {metric.unit}" if metric.unit else text


def _decided(result: ClaimResult) -> list[MetricVerdict]:
    """The metrics of a claim that have a verdict."""
    metrics = [metric for case in result.cases for metric in case.metrics]
    return [metric for metric in metrics if metric.verdict != "not judged"]


def headline(result: ClaimResult) -> tuple[str, str]:
    """A claim in the summary: the first metric that fails, else the first, claimed and measured."""
    decided = _decided(result)
    if not decided:
        return "", ""
    failed = [metric for metric in decided if metric.verdict not in PASSED]
    first = (failed or decided)[0]
    metric = first.metric
    claimed = condition(metric) if metric.claimed is None else claimed_value(metric)
    return f"{metric.name}: {claimed}", measured_value(first)


def summary_rows(results: Sequence[ClaimResult]) -> list[tuple[str, ...]]:
    """A row for each claim, by SUMMARY_COLUMNS."""
    return [(result.id, result.experiment, *headline(result), result.verdict) for result in results]


def metric_rows(case: ClaimCase) -> list[tuple[str, ...]]:
    """A row for each metric of a file, by METRIC_COLUMNS."""
    rows: list[tuple[str, ...]] = []
    for i, metric in enumerate(case.claim.metrics):
        result = case.metrics[i] if case.metrics else None
        measured = measured_value(result) if result else "–"
        verdict = result.verdict if result else case.verdict
        rows.append((metric.name, claimed_value(metric), measured, condition(metric), verdict))
    return rows


def counts(result: ClaimResult) -> str:
    """How many of a claim's metrics fulfil their condition, where there are several."""
    decided = _decided(result)
    passed = sum(metric.verdict in PASSED for metric in decided)
    return f"{passed} of {len(decided)} metrics" if len(decided) > 1 else ""


def claim_texts(case: ClaimCase) -> dict[str, str]:
    """The texts of a file's claim, by key; absent ones are ""."""
    return {key: getattr(case.claim, key) for key in TEXTS}


def shared_texts(result: ClaimResult) -> dict[str, str]:
    """The texts that are the same in all counted files of a claim, and so are shown once."""
    cases = [claim_texts(case) for case in result.cases] or [dict.fromkeys(TEXTS, "")]
    first = cases[0]
    return {key: first[key] if all(c[key] == first[key] for c in cases) else "" for key in TEXTS}


def specific_texts(case: ClaimCase, shared: Mapping[str, str]) -> dict[str, str]:
    """The texts of a file's claim without those that its claim shows once."""
    return {key: "" if shared[key] else text for key, text in claim_texts(case).items()}


def uncounted_title(case: ClaimCase) -> str:
    """The heading of a file that is shown and not counted."""
    if case.claim.fault:
        return "An error of the original, reproduced"
    return "An experiment that explains a difference"


def seeds(case: ClaimCase) -> str:
    """The seeds of a file's runs."""
    numbers = [job.seed for job in case.file.jobs]
    if not numbers:
        return ""
    return f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else str(numbers[0])


def run_time(case: ClaimCase) -> str:
    """The time that a run took, the mean where there are several."""
    if case.seconds is None:
        return ""
    return format_duration(case.seconds) + (" a run" if len(case.runs) > 1 else "")


def tally_line(reproduction: Reproduction) -> str:
    """The summary in a line: 46 of 49 claims met or exceeded; 3 not met."""
    tally = reproduction.tally
    passed = sum(tally.get(verdict, 0) for verdict in PASSED)
    other_counts = [
        f"{count} {verdict}" for verdict, count in tally.items() if verdict not in PASSED
    ]
    exceeded = f" ({tally['exceeded']} exceeded)" if tally.get("exceeded") else ""
    total = f"{passed} of {len(reproduction.results)} claims met or exceeded{exceeded}"
    return "; ".join([total, *other_counts])


def problems(case: ClaimCase) -> list[str]:
    """Why a file has no verdict, or a metric no value, with the paths that could be meant."""
    messages = [case.reason] if case.reason else []
    for result in case.metrics:
        if result.reason:
            valid = f"; there are {_listed(result.valid_paths)}" if result.valid_paths else ""
            messages.append(f"{result.metric.name}: {result.reason}{valid}")
    return messages


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - MAX_PATHS} more" if len(paths) > MAX_PATHS else ""
    return ", ".join(paths[:MAX_PATHS]) + more
