"""Claims and verdicts in words, for the page and for Markdown alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ldl.compile import ClaimedMetric
from ldl.report.number_format import duration, mean_and_spread, number
from ldl.report.reproduce import Case, Reproduction, Result
from ldl.report.verdicts import Judged, Verdict, limits, mean, spread

MEANS: dict[Verdict, str] = {
    "bettered": "every claimed number is beaten by more than the standard deviation over seeds",
    "met": "every figure that judges it holds",
    "not met": "at least one figure does not hold",
    "shortened": "the quick profile ran it too briefly to judge",
    "not measured": "a figure could not be found in the run",
    "not run": "an experiment did not run",
}


def claimed(figure: ClaimedMetric) -> str:
    """What was reported: the number, or the words."""
    told = number(figure.claimed)
    return _unit(told, figure) if figure.is_number else told


def wanted(figure: ClaimedMetric) -> str:
    """What ours has to be."""
    if figure.sense == "shown":
        return "shown, not judged"
    margin = f" by {number(figure.by)}" if figure.by else ""
    for word, other in (
        ("less than", figure.less_than),
        ("greater than", figure.greater_than),
        ("the same as", figure.same_as),
    ):
        if other is not None:
            path = f" ({figure.theirs})" if figure.theirs else ""
            return f"{word} {other}{path}{margin}"
    room = f" ± {number(figure.within)}" if figure.within else ""
    if figure.sense == "near":
        return f"{number(figure.claimed)}{room}" if room else f"exactly {number(figure.claimed)}"
    low, high = limits(figure)
    parts = [f"at least {number(low)}"] if low is not None else []
    parts += [f"at most {number(high)}"] if high is not None else []
    return " and ".join(parts) + (f" (within {number(figure.within)})" if figure.within else "")


def measured(judged: Judged) -> str:
    """Ours, mean ± standard deviation over seeds; beside it the other file's, if that judges."""
    if not judged.values:
        return "–"
    if all(math.isinf(value) for value in judged.values):
        return "never"
    ours = _unit(mean_and_spread(judged.mean, judged.spread), judged.figure)
    if not judged.theirs:
        return ours
    return f"{ours} against {mean_and_spread(mean(judged.theirs), spread(judged.theirs))}"


def _unit(text: str, figure: ClaimedMetric) -> str:
    return f"{text} {figure.unit}" if figure.unit else text


def headline(result: Result) -> tuple[str, str]:
    """A claim in the summary: its first judged figure, as claimed and as measured."""
    figures = [judged for case in result.cases for judged in case.figures]
    judged = [each for each in figures if each.verdict != "shown"]
    if not judged:
        return "", ""
    worst = [each for each in judged if each.verdict not in ("met", "bettered")]
    first = (worst or judged)[0]
    figure = first.figure
    told = wanted(figure) if figure.claimed is None else claimed(figure)
    return f"{figure.name}: {told}", measured(first)


def counts(result: Result) -> str:
    """How many of a claim's figures hold, where there are several."""
    judged = [f for case in result.cases for f in case.figures if f.verdict != "shown"]
    held = sum(each.verdict in ("met", "bettered") for each in judged)
    return f"{held} of {len(judged)} figures" if len(judged) > 1 else ""


def told(case: Case) -> dict[str, str]:
    """What a file's claim says in words; what it leaves out is not there."""
    words = {key: getattr(case.claim, key) for key in ("outcome", "because", "where", "time")}
    return {key: text for key, text in words.items() if text}


def shared(result: Result) -> dict[str, str]:
    """What all counted files of a claim say alike, and what is therefore said once."""
    each = [told(case) for case in result.cases]
    if not each:
        return {}
    return {key: text for key, text in each[0].items() if all(e.get(key) == text for e in each)}


def seeds(case: Case) -> str:
    """The seeds of a file's runs."""
    found = [job.seed for job in case.entry.jobs]
    if not found:
        return ""
    return f"{found[0]} to {found[-1]}" if len(found) > 1 else str(found[0])


def ours_took(case: Case) -> str:
    """The time of a run here, the mean where there are several."""
    if case.seconds is None:
        return ""
    return duration(case.seconds) + (" a run" if len(case.runs) > 1 else "")


def tally(reproduction: Reproduction) -> str:
    """The summary in a line: 46 of 49 claims met or bettered; 3 not met."""
    found = reproduction.tally
    good = found.get("met", 0) + found.get("bettered", 0)
    rest = [f"{n} {word}" for word, n in found.items() if word not in ("met", "bettered")]
    better = f" ({found['bettered']} bettered)" if found.get("bettered") else ""
    whole = f"{good} of {len(reproduction.results)} claims met or bettered{better}"
    return "; ".join([whole, *rest])


def trouble(case: Case) -> list[str]:
    """Why a file has no verdict, or a figure of it no value; with what could have been meant."""
    told = [case.reason] if case.reason else []
    for judged in case.figures:
        if judged.reason:
            valid = f"; there are {_listed(judged.valid)}" if judged.valid else ""
            told.append(f"{judged.figure.name}: {judged.reason}{valid}")
    return told


def _listed(paths: Sequence[str], most: int = 12) -> str:
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more
