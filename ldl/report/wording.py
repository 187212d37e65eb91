"""Claims and verdicts in words: the texts that the HTML page and the Markdown page share."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from ldl.compile import ClaimedMetric
from ldl.report.number_format import format_duration, format_mean_std, format_number
from ldl.report.reproduce import ClaimCase, ClaimResult, Reproduction
from ldl.report.verdicts import (
    PASSED,
    MetricVerdict,
    Verdict,
    bounds,
    has_target,
    is_exact,
    mean,
    seeds_wanted,
    std,
)

MEANINGS: Final[dict[Verdict, str]] = {
    "exceeded": "every claimed number is beaten, by the one-sided test at 0.05",
    "reproduced": "everything that is judged agrees with the document, by the rules below",
    "consistent with": "ours agrees, but fewer than three seeds, or the spread over them, prove "
    "nothing",
    "not reproduced": "something that is judged does not agree",
    "refuted": "their setup gives the opposite, by the test at 0.05, and the cause is known",
    "not judged": "nothing of it can be judged, for the reasons given",
    "shortened": "the profile ran it too briefly for a verdict",
    "not measured": "a metric was not found in the run",
    "not run": "an experiment did not run",
}
RULES: Final = (
    "A claim has the worst verdict of its metrics; those that are not judged do not count.",
    "A claimed number comes from one run. It is reproduced where it lies within the 95 % "
    "prediction interval for one further run of ours, mean ± t(0.975, n − 1)·s·√(1 + 1/n) over n "
    "seeds, widened by half a unit of its last printed digit; or within the tolerance that the "
    "document states. It is exceeded where such a run is better by the one-sided test at 0.05.",
    "A limit such as “> 0.97” is reproduced where the one-sided t-test at 0.05 shows our mean "
    "beyond it, or all seeds give the same value and fulfil it. A mean that fulfils it without "
    "that is consistent with it.",
    "A comparison of two experiments is reproduced where the paired one-sided t-test over seeds "
    "shows the difference at 0.05; with values that are never reached, the sign test.",
    "With fewer than three seeds a verdict is “consistent with” at best. What follows from the "
    "network alone (weights, sizes, receptive fields) is equal or not, with one seed too.",
    "A file should have 5 seeds where a run takes under a minute, 3 under ten minutes, 1 above. "
    "The seed also draws the split of the data.",
    "± is the standard deviation over seeds. A result of an error in the original is reproduced "
    "with that error, shown beside the sound experiment, and not counted.",
)
SHORTENED: Final = {
    "full": "The profile `full`: long trainings are shortened, and marked. Verdicts are about the "
    "profile `faithful`, which runs what was reported.",
    "quick": "The profile `quick`: shortened runs on embedded data, to see that everything works. "
    "No verdicts.",
}
SUMMARY_COLUMNS: Final = ("claim", "experiment", "claimed", "measured", "verdict")
METRIC_COLUMNS: Final = ("metric", "claimed", "measured", "condition", "verdict")
TEXTS: Final = ("outcome", "because", "cause", "where", "time")
MAX_PATHS: Final = 12  # valid paths in a message


def claimed_value(metric: ClaimedMetric, printed: str = "") -> str:
    """The reported number as it is printed, with its unit, or the reported words."""
    text = printed or format_number(metric.claimed)
    return _with_unit(text, metric) if metric.is_number else text


def condition(metric: ClaimedMetric) -> str:
    """What the measured value is compared with: at least 0.8, less than e4, 40 ± 1."""
    if metric.is_not_judged:
        return f"not judged: {metric.reason or 'no reason is given'}"
    of = f", of the value minus {metric.minus}" if metric.minus else ""
    return f"{_relation(metric)}{of}"


def _relation(metric: ClaimedMetric) -> str:
    """The condition of a metric with a verdict."""
    margin = f" by {format_number(metric.by)}" if metric.by else ""
    tolerance = f" (within {format_number(metric.within)})" if metric.within else ""
    for relation, stem in (
        ("less than", metric.less_than),
        ("greater than", metric.greater_than),
        ("the same as", metric.same_as),
    ):
        if stem is not None:
            path = f" ({metric.other_measured})" if metric.other_measured else ""
            return f"{relation} {stem}{path}{margin}{tolerance}"
    if has_target(metric):
        relation = {"near": "equal to", "at_most": "at most"}.get(
            metric.comparison or "", "at least"
        )
        text = f"{relation} the claimed number"
        return f"{text}, ± {format_number(metric.within)} as stated" if metric.within else text
    low, high = bounds(metric)
    limits = [f"at least {format_number(low)}"] if low is not None else []
    limits += [f"at most {format_number(high)}"] if high is not None else []
    return " and ".join(limits) + tolerance


def measured_value(result: MetricVerdict) -> str:
    """Mean ± standard deviation over seeds; where it decides, that of the other file too."""
    if not result.values:
        return "–"
    if all(math.isinf(value) for value in result.values):
        return "never"
    text = _with_unit(format_mean_std(result.mean, result.std), result.metric)
    interval = result.shown_interval
    if interval is not None and result.std and has_target(result.metric):
        low, high = map(format_number, interval)
        return f"{text}, a further run {low} to {high}"
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
    """A claim in the summary: the first metric that decides its verdict, claimed and measured."""
    decided = _decided(result)
    if not decided:
        return "", ""
    deciding = [metric for metric in decided if metric.verdict == result.verdict]
    first = (deciding or decided)[0]
    metric = first.metric
    claimed = condition(metric) if metric.claimed is None else claimed_value(metric, first.printed)
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
        claimed = claimed_value(metric, *case.file.printed[i : i + 1])
        p = f", p = {format_number(result.p, 2)}" if result and result.p is not None else ""
        rows.append((metric.name, claimed, measured, f"{condition(metric)}{p}", verdict))
    return rows


def counts(result: ClaimResult) -> str:
    """How many of a claim's metrics are reproduced or exceeded, where there are several."""
    decided = _decided(result)
    passed = sum(metric.verdict in PASSED for metric in decided)
    return f"{passed} of {len(decided)} metrics reproduced" if len(decided) > 1 else ""


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


def seed_note(case: ClaimCase) -> str:
    """Why a file has too few seeds: its runs are short enough for more."""
    exact = all(is_exact(m.metric) or m.metric.is_not_judged for m in case.metrics)
    if case.seconds is None or case.file.overrides or exact or not case.claim.counted:
        return ""
    wanted, count = seeds_wanted(case.seconds), len(case.file.jobs)
    if count >= wanted:
        return ""
    duration = format_duration(case.seconds)
    return f"{count} instead of the {wanted} seeds that a run of {duration} should have"


def command(result: ClaimResult, reproduction: Reproduction) -> str:
    """The command that repeats a claim."""
    case = next(iter((*result.cases, *result.uncounted)), None)
    if case is None:
        return ""
    folder = shlex.quote(str(case.file.path.parent))
    return f"ldl report {folder} --only {result.id} --profile {reproduction.profile}"


def tally_line(reproduction: Reproduction) -> str:
    """The summary in a line: 49 claims: 5 exceeded, 30 reproduced, 14 not reproduced."""
    total = len(reproduction.results)
    counts = [f"{count} {verdict}" for verdict, count in reproduction.tally.items()]
    return f"{total} claim{'' if total == 1 else 's'}: {', '.join(counts)}"


def offset_lines(reproduction: Reproduction) -> list[str]:
    """For each offset of the seeds, for how many claims both agree, and which differ."""
    lines = []
    for moved in reproduction.offsets:
        compared = moved.compared(reproduction.results)
        differing = moved.differing(reproduction.results)
        if not compared:
            continue
        text = (
            f"With all seeds {moved.offset} higher, {len(compared) - len(differing)} of "
            f"{len(compared)} claims have the same verdict"
        )
        changes = [f"{result.id} ({result.verdict} → {verdict})" for result, verdict in differing]
        lines.append(f"{text}; not {', '.join(changes)}." if changes else f"{text}.")
    return lines


def moved_verdicts(result: ClaimResult, reproduction: Reproduction) -> str:
    """The verdicts that a claim has with other seeds, where they differ."""
    changes = [
        f"{verdict} with seeds {moved.offset} higher"
        for moved in reproduction.offsets
        for differing, verdict in moved.differing(reproduction.results)
        if differing.id == result.id
    ]
    return ", ".join(changes)


def time_lines(reproduction: Reproduction) -> list[str]:
    """For each profile the time of all its runs on one core: what is measured, what expected."""
    lines = []
    for time in reproduction.times:
        if time.done == time.jobs:
            share = "measured"
        else:
            share = f"{format_duration(time.measured)} measured, the rest estimated"
        lines.append(
            f"`{time.profile}`: {time.done} of {time.jobs} runs done; "
            f"{format_duration(time.seconds)} of one core ({share})"
        )
    return lines


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
