"""A folder of claims from its files to verdicts: run what is missing, measure, judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ldl.compile import Claim
from ldl.report.claim_files import ClaimFile, Profile, ReportTitles, split_id
from ldl.report.job_pool import FinishedJob, run_jobs
from ldl.report.jobs import Job
from ldl.report.run_index import IndexedRun, known_runs, settled
from ldl.report.run_metrics import RunMetrics
from ldl.report.verdicts import Judged, Verdict, judge, mean, verdict_of, worst


@dataclass(frozen=True)
class Case:
    """A file with its runs and judged figures; `reason` says why there is none."""

    entry: ClaimFile
    runs: tuple[IndexedRun, ...] = ()
    figures: tuple[Judged, ...] = ()
    verdict: Verdict = "not run"
    reason: str = ""

    @property
    def claim(self) -> Claim:
        """The file's claim; an empty one where the file could not be read."""
        name = "".join(map(str, split_id(self.entry.stem)))
        return self.entry.claim or Claim(id=name or "x0", what=self.entry.stem)

    @property
    def seconds(self) -> float | None:
        """The mean time of its runs."""
        return mean([known.status.seconds for known in self.runs])


@dataclass(frozen=True)
class Result:
    """A claim with its cases: those that count, and those that are shown beside them."""

    id: str
    cases: tuple[Case, ...] = ()
    asides: tuple[Case, ...] = ()

    @cached_property
    def verdict(self) -> Verdict:
        """That of its worst case; bettered where every figure is that can be."""
        lowest = worst([case.verdict for case in self.cases]) if self.cases else "not run"
        if lowest not in ("met", "bettered"):
            return lowest
        return verdict_of([figure for case in self.cases for figure in case.figures])

    @property
    def what(self) -> str:
        """What was done, in a line."""
        cases = self.cases or self.asides
        return cases[0].claim.what if cases else "no file reproduces it yet"


@dataclass(frozen=True)
class Reproduction:
    """All claims, in the order of the documents, and the numbers of those with each verdict."""

    titles: ReportTitles
    profile: Profile
    results: tuple[Result, ...]

    @property
    def tally(self) -> dict[Verdict, int]:
        """How many claims have each verdict, the best first; none that no claim has."""
        verdicts = [result.verdict for result in self.results]
        order: tuple[Verdict, ...] = (
            "bettered", "met", "not met", "shortened", "not measured", "not run",
        )  # fmt: skip
        return {verdict: verdicts.count(verdict) for verdict in order if verdict in verdicts}

    def of(self, letter: str) -> list[Result]:
        """The claims of one document."""
        return [result for result in self.results if split_id(result.id)[0] == letter]

    @property
    def letters(self) -> list[str]:
        """The documents' letters."""
        found = dict.fromkeys(split_id(result.id)[0] for result in self.results)
        return list(found)


def run_missing(
    entries: Sequence[ClaimFile],
    root: Path,
    workers: int,
    begun: Callable[[int, int], Any],
    told: Callable[[FinishedJob, IndexedRun | None], Any],
) -> dict[str, IndexedRun]:
    """Run every job that has no run yet; gives the runs by the jobs' keys.

    `begun` hears how many jobs there are to do, and of how many. Raises Interrupted.
    """
    jobs = {job.key: job for entry in entries for job in entry.jobs}
    known, seconds = settled(root, set(jobs))
    missing = [_timed(job, seconds) for job in jobs.values() if not _done(known.get(job.key))]
    begun(len(missing), len(jobs))

    def ended(each: FinishedJob) -> None:
        known.update(known_runs(root)[0])
        told(each, known.get(each.job.key))

    def folder_of(key: str) -> Path | None:
        return known[key].run.path if _done(known.get(key)) else None

    if missing:
        run_jobs(missing, known, root, workers, ended, folder_of)
    return known


def _done(known: IndexedRun | None) -> bool:
    return known is not None and known.done


def _timed(job: Job, seconds: Mapping[str, float]) -> Job:
    """The job with the time that its file took before, where that is known."""
    return replace(job, guess=seconds.get(job.stem, job.guess))


def evaluate_claims(
    entries: Sequence[ClaimFile],
    known: Mapping[str, IndexedRun],
    titles: ReportTitles,
    complete: bool,
) -> tuple[Result, ...]:
    """Every claim, judged; with `complete` also those that a document makes and no file has."""
    facts = {entry.stem: _facts(entry, known) for entry in entries}
    cases: dict[str, list[Case]] = {}
    for entry in entries:
        case = _case(entry, known, facts)
        cases.setdefault(case.claim.id, []).append(case)
    if complete:
        for letter, source in titles.sources.items():
            for number in range(1, source.claims + 1):
                cases.setdefault(f"{letter}{number}", [])
    return tuple(
        Result(
            name,
            tuple(case for case in cases[name] if case.claim.counted),
            tuple(case for case in cases[name] if not case.claim.counted),
        )
        for name in sorted(cases, key=split_id)
    )


def _facts(entry: ClaimFile, known: Mapping[str, IndexedRun]) -> list[RunMetrics] | str:
    """What can be measured of a file's runs, or why there is nothing."""
    if entry.problem:
        return entry.problem
    runs = [known.get(job.key) for job in entry.jobs]
    ended = [RunMetrics(each.run) for each in runs if each is not None and each.done]
    if len(ended) == len(runs):
        return ended
    reasons = [each.status.reason or each.status.status for each in runs if each and not each.done]
    told = f": {reasons[0]}" if reasons else ""
    return f"{len(runs) - len(ended)} of {len(runs)} runs did not come to an end{told}"


def _case(
    entry: ClaimFile, known: Mapping[str, IndexedRun], facts: Mapping[str, list[RunMetrics] | str]
) -> Case:
    """A file's figures and its verdict."""
    own = facts[entry.stem]
    runs = tuple(each for job in entry.jobs if (each := known.get(job.key)) and each.done)
    if isinstance(own, str):
        return Case(entry, runs, reason=own)
    assert entry.claim is not None

    def others(stem: str) -> Sequence[RunMetrics] | str:
        return facts.get(stem, "it is not there")

    figures = [judge(figure, own, others) for figure in entry.claim.figures]
    if entry.overrides:
        figures = [_shortened(each) for each in figures]
    verdict = verdict_of(figures)
    reason = "" if verdict != "not measured" or figures else "it names no figure"
    return Case(entry, runs, tuple(figures), verdict, reason)


def _shortened(judged: Judged) -> Judged:
    """The figure of a run that is too short to be judged by."""
    told = judged.verdict in ("bettered", "met", "not met")
    return replace(judged, verdict="shortened") if told else judged
