"""A folder of claims from its files to verdicts: runs missing jobs, measures, decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ldl.compile import Claim
from ldl.report.claim_files import ClaimFile, Profile, ReportTitles, SourceDocument, split_id
from ldl.report.job_pool import FinishedJob, run_jobs
from ldl.report.profile_times import ProfileTime
from ldl.report.run_index import IndexedRun, RunIndex
from ldl.report.run_metrics import RunMetrics
from ldl.report.verdicts import (
    JUDGED,
    PASSED,
    MetricVerdict,
    Verdict,
    combined_verdict,
    mean,
    metric_verdict,
    worst_verdict,
)


@dataclass(frozen=True)
class ClaimCase:
    """A file with its runs and the verdicts on its metrics; `reason` says why there are none."""

    file: ClaimFile
    runs: tuple[IndexedRun, ...] = ()
    metrics: tuple[MetricVerdict, ...] = ()
    verdict: Verdict = "not run"
    reason: str = ""

    @property
    def claim(self) -> Claim:
        """The file's claim; an empty one for a file that cannot be read."""
        name = "".join(map(str, split_id(self.file.stem)))
        return self.file.claim or Claim(id=name or "x0", what=self.file.stem)

    @property
    def seconds(self) -> float | None:
        """The mean time of its runs."""
        return mean([run.status.seconds for run in self.runs])


@dataclass(frozen=True)
class ClaimResult:
    """A claim with its files: those that count, and those that are shown beside them."""

    id: str
    cases: tuple[ClaimCase, ...] = ()
    uncounted: tuple[ClaimCase, ...] = ()

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict of its worst file; "exceeded" where all metrics that can exceed do."""
        worst = worst_verdict([case.verdict for case in self.cases]) if self.cases else "not run"
        if worst not in PASSED:
            return worst
        return combined_verdict([metric for case in self.cases for metric in case.metrics])

    @property
    def experiment(self) -> str:
        """The experiment in a line."""
        cases = self.cases or self.uncounted
        return cases[0].claim.what if cases else "no file reproduces it yet"


@dataclass(frozen=True)
class SeedOffset:
    """The verdicts by claim with all seeds `offset` higher."""

    offset: int
    verdicts: Mapping[str, Verdict]

    def compared(self, results: Sequence[ClaimResult]) -> list[tuple[ClaimResult, Verdict]]:
        """The claims that are judged with both, with the verdict of the moved seeds."""
        return [
            (result, self.verdicts[result.id])
            for result in results
            if result.verdict in JUDGED and self.verdicts.get(result.id) in JUDGED
        ]

    def differing(self, results: Sequence[ClaimResult]) -> list[tuple[ClaimResult, Verdict]]:
        """Those of `compared` whose verdicts differ."""
        pairs = self.compared(results)
        return [(result, verdict) for result, verdict in pairs if result.verdict != verdict]


@dataclass(frozen=True)
class Reproduction:
    """All claims, in the order of the documents."""

    titles: ReportTitles
    profile: Profile
    results: tuple[ClaimResult, ...]
    offsets: tuple[SeedOffset, ...] = ()
    times: tuple[ProfileTime, ...] = ()

    @property
    def tally(self) -> dict[Verdict, int]:
        """The number of claims with each verdict, the best first; only verdicts that occur."""
        verdicts = [result.verdict for result in self.results]
        best_first = (*reversed(JUDGED), "not judged", "shortened", "not measured", "not run")
        return {verdict: verdicts.count(verdict) for verdict in best_first if verdict in verdicts}

    @property
    def documents(self) -> list[tuple[SourceDocument, list[ClaimResult]]]:
        """The documents with their claims."""
        claims: dict[str, list[ClaimResult]] = {}
        for result in self.results:
            claims.setdefault(split_id(result.id)[0], []).append(result)
        sources = self.titles.sources
        return [
            (sources.get(letter, SourceDocument(letter, f"Report {letter}")), results)
            for letter, results in claims.items()
        ]

    @property
    def runs(self) -> list[IndexedRun]:
        """The runs of all files, each once."""
        runs = {
            run.run.path: run
            for result in self.results
            for case in (*result.cases, *result.uncounted)
            for run in case.runs
        }
        return list(runs.values())


def run_missing(
    files: Sequence[ClaimFile],
    root: Path,
    workers: int,
    on_start: Callable[[int, int], Any],
    on_finish: Callable[[FinishedJob, IndexedRun | None], Any],
) -> dict[str, IndexedRun]:
    """Run every job that has no finished run in `root`; gives the runs by the keys of the jobs.

    `on_start` gets the number of jobs to run and of all jobs, `on_finish` each job that has ended
    with its run. Raises Interrupted.
    """
    jobs = {job.key: job for file in files for job in file.jobs}
    index = RunIndex.read_idle(root, jobs.keys())
    runs = index.runs

    def is_done(key: str) -> bool:
        return key in runs and runs[key].done

    def folder_of(key: str) -> Path | None:
        return runs[key].run.path if is_done(key) else None

    def report_finish(finished: FinishedJob) -> None:
        runs.update(RunIndex.read(root).runs)
        on_finish(finished, runs.get(finished.job.key))

    missing = [job for job in jobs.values() if not is_done(job.key)]
    missing.sort(key=index.expected_seconds, reverse=True)
    on_start(len(missing), len(jobs))
    if missing:
        run_jobs(missing, runs, root, workers, report_finish, folder_of)
    return runs


def evaluate_claims(
    files: Sequence[ClaimFile],
    runs: Mapping[str, IndexedRun],
    titles: ReportTitles,
    complete: bool,
) -> tuple[ClaimResult, ...]:
    """The verdict on every claim; with `complete` also on those of a document without a file."""
    metrics = {file.stem: _run_metrics(file, runs) for file in files}
    cases: dict[str, list[ClaimCase]] = {}
    for file in files:
        case = _claim_case(file, runs, metrics)
        cases.setdefault(case.claim.id, []).append(case)
    if complete:
        for letter, source in titles.sources.items():
            for number in range(1, source.claims + 1):
                cases.setdefault(f"{letter}{number}", [])
    return tuple(
        ClaimResult(
            name,
            tuple(case for case in cases[name] if case.claim.counted),
            tuple(case for case in cases[name] if not case.claim.counted),
        )
        for name in sorted(cases, key=split_id)
    )


def _run_metrics(file: ClaimFile, runs: Mapping[str, IndexedRun]) -> list[RunMetrics] | str:
    """The metrics of a file's runs, one for each seed, or why they are not complete."""
    if file.problem:
        return file.problem
    job_runs = [runs.get(job.key) for job in file.jobs]
    finished = [RunMetrics(run.run) for run in job_runs if run is not None and run.done]
    if len(finished) == len(job_runs):
        return finished
    reasons = [run.status.reason or run.status.status for run in job_runs if run and not run.done]
    reason = f": {reasons[0]}" if reasons else ""
    return f"{len(job_runs) - len(finished)} of {len(job_runs)} runs did not finish{reason}"


def _claim_case(
    file: ClaimFile,
    runs: Mapping[str, IndexedRun],
    metrics: Mapping[str, list[RunMetrics] | str],
) -> ClaimCase:
    """A file with the verdicts on its metrics; `metrics` are those of all files, by stem."""
    measured = metrics[file.stem]
    finished = tuple(run for job in file.jobs if (run := runs.get(job.key)) and run.done)
    if isinstance(measured, str):
        return ClaimCase(file, finished, reason=measured)
    assert file.claim is not None

    def runs_of(stem: str) -> Sequence[RunMetrics] | str:
        return metrics.get(stem, "there is no such file")

    verdicts = [
        metric_verdict(metric, measured, runs_of, printed, file.claim.cause)
        for metric, printed in zip(file.claim.metrics, file.printed, strict=True)
    ]
    if file.overrides:
        verdicts = [_shortened(verdict) for verdict in verdicts]
    verdict = combined_verdict(verdicts)
    reason = "" if verdicts or not file.claim.counted else "it names no metric"
    return ClaimCase(file, finished, tuple(verdicts), verdict, reason)


def _shortened(result: MetricVerdict) -> MetricVerdict:
    """The metric of a run that the profile shortened: no verdict on its value."""
    return replace(result, verdict="shortened") if result.verdict in JUDGED else result
