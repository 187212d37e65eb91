"""The command `ldl report`: the page of a run, or a report that checks a folder of claims."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ldl.cli.app import JsonOption, RunsOption, command
from ldl.cli.output import format_duration, log, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldl.report.claim_files import ClaimFile
    from ldl.report.job_pool import FinishedJob
    from ldl.report.profile_times import ProfileTime
    from ldl.report.run_index import IndexedRun

Profile = Literal["faithful", "full", "quick"]
PROFILES: tuple[Profile, ...] = ("faithful", "full", "quick")
NOT_MEASURED = "not measured"  # a verdict
NAME_WIDTH = 60  # characters of a metric's name in a line


@command("ldl report last; ldl report configs/reports --only a5,c9")
def report(
    target: Annotated[
        str, typer.Argument(metavar="RUN", help="A run, or a folder of files with claims.")
    ] = "last",
    runs: RunsOption = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="a5,c9", help="Only these claims, files or letters of documents."),
    ] = None,
    profile: Annotated[
        Profile,
        typer.Option(help="faithful: as reported; full: long ones shortened; quick: a smoke test."),
    ] = "full",
    seed_offset: Annotated[
        int, typer.Option(min=0, help="Added to the seed of every file, to test the verdicts.")
    ] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the runs, and how long they take.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Runs in parallel (default: one per core).")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write the page of a run again; or run the files of a folder and give a verdict per claim."""
    from ldl.errors import UsageError
    from ldl.runs import runs_root
    from ldl.runs.process import exclusive_lock
    from ldl.runs.run_folder import is_run

    folder = Path(target)
    if folder.is_dir() and any(folder.glob("*.yaml")) and not is_run(folder.absolute()):
        root = (Path(runs) if runs else runs_root() / "report").expanduser()
        try:
            root.mkdir(parents=True, exist_ok=True)
            root = root.resolve()
        except OSError as error:
            raise UsageError(f"cannot make runs in {root}: {error.strerror}") from error
        with exclusive_lock(root / ".lock"):
            selected = [word for word in (only or "").split(",") if word]
            plan = _Plan(folder, root, selected, profile, seed_offset, workers)
            _print_times(plan, json) if dry_run else _reproduce(plan, json)
        if dry_run and any(entry.broken for entry in plan.entries):
            sys.exit(UsageError.exit_code)
        return
    from ldl.report.run_page import write_run_page
    from ldl.runs.run_list import find_run

    page = write_run_page(find_run(runs_root(runs), target))
    if json:
        print_json({"page": str(page)})
    else:
        print(page)


class _Plan:
    """What is to be run in `root`: the files of a folder in a profile."""

    def __init__(
        self, folder: Path, root: Path, only: list[str], profile: Profile, seed_offset: int,
        workers: int | None,
    ) -> None:  # fmt: skip
        from ldl.cores import usable_cores
        from ldl.report.claim_files import ClaimFolder, read_report_titles

        self.titles = read_report_titles(folder)
        self.root, self.seed_offset = root, seed_offset
        self.complete = not only
        self.workers = workers or usable_cores() or 1
        self.folder = ClaimFolder(folder, only)
        self.entries = self.folder.files(profile, seed_offset)
        shortens = any(entry.claim and entry.claim.full for entry in self.entries)
        self.profile: Profile = profile if profile == "quick" or shortens else "faithful"

    def times(self) -> tuple[ProfileTime, ...]:
        """How long each profile takes."""
        from ldl.report.profile_times import profile_time
        from ldl.report.run_index import RunIndex

        index = RunIndex.read(self.root)
        return tuple(
            profile_time(name, self.folder.files(name, self.seed_offset), index, self.workers)
            for name in PROFILES
        )


def _reproduce(plan: _Plan, json: bool) -> None:
    """Run what is missing, compare with the claims, write the report.

    Exits with 1 where a run failed or a claim was not measured.
    """
    from ldl.report.publish import fingerprint, publish, read_published, report_name, report_paths
    from ldl.report.reproduce import Reproduction, evaluate_claims, run_missing
    from ldl.report.seed_offsets import read_seed_offsets

    _log_left_out(plan.entries)
    progress = _RunLog(plan.entries)
    indexed = run_missing(plan.entries, plan.root, plan.workers, progress.begun, progress.ended)
    moved = plan.seed_offset > 0  # the page of the files' own seeds compares itself with others
    offsets = () if moved else read_seed_offsets(plan.folder, plan.profile, plan.root, indexed)
    times = plan.times()
    mark = fingerprint(plan.entries, indexed, plan.titles, plan.complete, offsets, times)
    name = report_name(plan.profile, plan.seed_offset, plan.complete)
    verdicts = read_published(plan.root, name, mark)
    if verdicts is None:
        results = evaluate_claims(plan.entries, indexed, plan.titles, plan.complete)
        reproduction = Reproduction(plan.titles, plan.profile, results, offsets, times)
        verdicts = publish(reproduction, plan.root, name, mark)
    if json:
        print_json(verdicts)
    else:
        _print_verdicts(verdicts)
        for path in list(report_paths(plan.root, name).values())[:2]:
            print(path)
    not_measured = any(claim["verdict"] == NOT_MEASURED for claim in verdicts["claims"])
    if progress.failed or not_measured or any(entry.broken for entry in plan.entries):
        sys.exit(1)


def _print_times(plan: _Plan, json: bool) -> None:
    """Print a row for each file with its runs and their time, then the time of each profile."""
    from dataclasses import asdict

    times = plan.times()
    if json:
        print_json({"profile": plan.profile, "times": [asdict(time) for time in times]})
        return
    _log_left_out(plan.entries)
    chosen = next(time for time in times if time.profile == plan.profile)
    rows = [
        [file.stem, str(file.jobs), str(file.done), format_duration(file.measured + file.expected)]
        for file in chosen.files
        if file.jobs
    ]
    print_table(["file", "runs", "done", "core time"], rows)
    for time in times:
        print(
            f"{time.profile}: {time.done} of {time.jobs} runs done, "
            f"{format_duration(time.seconds)} of one core, {format_duration(time.measured)} of it "
            f"measured; about {format_duration(time.remaining)} left with {time.workers} workers"
        )


def _log_left_out(entries: Sequence[ClaimFile]) -> None:
    """Print the files that cannot run, one line per reason."""
    reasons: dict[str, list[str]] = {}
    for entry in entries:
        if entry.problem:
            reasons.setdefault(entry.problem, []).append(entry.stem)
    for reason, stems in reasons.items():
        log(f"{', '.join(stems)}: {reason}")


class _RunLog:
    """Prints a line on stderr as each run ends, and counts the failed ones."""

    def __init__(self, entries: Sequence[ClaimFile]) -> None:
        self.entries = {entry.stem: entry for entry in entries}
        self.missing = self.done = self.failed = 0

    def begun(self, missing: int, total: int) -> None:
        """Print how many of all runs are missing."""
        self.missing = missing
        log(f"{missing} of {total} runs to do" if missing else f"all {total} runs are there")

    def ended(self, task: FinishedJob, indexed: IndexedRun | None) -> None:
        """Print how one run ended."""
        self.done += 1
        job = task.job
        head = f"[{self.done}/{self.missing}] {job.stem} seed {job.seed}"
        duration = format_duration(task.seconds)
        if indexed is not None and indexed.done:
            log(f"{head}: {indexed.status.status} in {duration}{self._metric(job.stem, indexed)}")
        else:
            self.failed += 1
            log(f"{head}: failed after {duration}, exit code {task.exit_code}")
            for line in task.output.splitlines()[-6:]:
                log(f"    {line}")

    def _metric(self, stem: str, indexed: IndexedRun) -> str:
        """The first metric that the file's claim names, measured on this run."""
        from ldl.errors import LdlError
        from ldl.report.number_format import format_number
        from ldl.report.run_metrics import RunMetrics

        claim = self.entries[stem].claim
        metric = claim.metrics[0] if claim and claim.metrics else None
        if metric is None:
            return ""
        try:
            value = RunMetrics(indexed.run).measure(metric.measured)
        except LdlError as error:
            return f": {error}"
        return f": {metric.name[:NAME_WIDTH]} {format_number(value)}"


def _print_verdicts(verdicts: dict[str, Any]) -> None:
    """Print a row per claim, the reasons of those not measured, and the summary."""
    rows = [[claim["id"], claim["verdict"], claim["what"]] for claim in verdicts["claims"]]
    print_table(["claim", "verdict", "statement"], rows)
    for claim in verdicts["claims"]:
        for case in claim["cases"] if claim["verdict"] == NOT_MEASURED else ():
            for reason in case["trouble"]:
                print(f"{case['file']}: {reason}")
    print(verdicts["summary"])
