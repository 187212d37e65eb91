"""`ldl report`: the page of a run, or a folder of claims held against our figures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ldl.cli.app import JsonOption, RunsOption, command
from ldl.cli.output import duration, print_json, say

if TYPE_CHECKING:
    from ldl.report.claim_files import ClaimFile
    from ldl.report.job_pool import FinishedJob
    from ldl.report.run_index import IndexedRun

Profile = Literal["full", "quick"]
UNMEASURED = "not measured"
WIDE = 60  # columns of a figure in a line


@command("ldl report last; ldl report configs/reports --only a5,c9")
def report(
    target: Annotated[
        str, typer.Argument(metavar="RUN", help="A run, or a folder of files with claims.")
    ] = "last",
    runs: RunsOption = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="a5,c9", help="Only these claims, files or documents' letters."),
    ] = None,
    profile: Annotated[
        Profile, typer.Option(help="quick: a smoke run on embedded data alone.")
    ] = "full",
    seed_offset: Annotated[
        int, typer.Option(min=0, help="Added to every file's seed: do the verdicts hold?")
    ] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Runs side by side; else one a core.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a run's page again; or run what a folder of claims still needs, and judge them."""
    from ldl.errors import UsageError
    from ldl.runs import runs_root
    from ldl.runs.process import exclusive_lock
    from ldl.runs.run_folder import is_run

    folder = Path(target)
    if folder.is_dir() and any(folder.glob("*.yaml")) and not is_run(folder.absolute()):
        root = (Path(runs) if runs else runs_root() / "report").expanduser()
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make runs in {root}: {error.strerror}") from error
        with exclusive_lock(root / ".lock"):
            chosen = [word for word in (only or "").split(",") if word]
            _reproduce(folder, root, chosen, profile, seed_offset, workers, json)
        return
    from ldl.report.run_page import write_run_page
    from ldl.runs.run_list import find_run

    page = write_run_page(find_run(runs_root(runs), target))
    if json:
        print_json({"page": str(page)})
    else:
        print(page)


def _reproduce(
    folder: Path,
    root: Path,
    only: list[str],
    profile: Profile,
    seed_offset: int,
    workers: int | None,
    json: bool,
) -> None:
    """Run what is missing, judge, write the report; exit 1 where one failed or was not measured."""
    from ldl.cores import usable_cores
    from ldl.report.claim_files import read_claim_files, read_report_titles
    from ldl.report.publish import fingerprint, publish, read_published, report_name, report_paths
    from ldl.report.reproduce import Reproduction, evaluate_claims, run_missing

    titles = read_report_titles(folder)
    entries = read_claim_files(folder, profile, only, seed_offset)
    _tell_left_out(entries)
    lines = _Lines(entries)
    known = run_missing(entries, root, workers or usable_cores() or 1, lines.begun, lines.ended)
    complete = not only
    mark = fingerprint(entries, known, titles, complete)
    name = report_name(profile, seed_offset, complete)
    verdicts = read_published(root, name, mark)
    if verdicts is None:
        results = evaluate_claims(entries, known, titles, complete)
        verdicts = publish(Reproduction(titles, profile, results), root, name, mark)
    if json:
        print_json(verdicts)
    else:
        _print(verdicts)
        for path in list(report_paths(root, name).values())[:2]:
            print(path)
    unmeasured = any(claim["verdict"] == UNMEASURED for claim in verdicts["claims"])
    if lines.failed or unmeasured or any(entry.broken for entry in entries):
        sys.exit(1)


def _tell_left_out(entries: list[ClaimFile]) -> None:
    """The files that cannot run, with the reason; those with the same one together."""
    reasons: dict[str, list[str]] = {}
    for entry in entries:
        if entry.problem:
            reasons.setdefault(entry.problem, []).append(entry.stem)
    for reason, stems in reasons.items():
        say(f"{', '.join(stems)}: {reason}")


class _Lines:
    """A line for each run as it ends."""

    def __init__(self, entries: list[ClaimFile]) -> None:
        self.entries = {entry.stem: entry for entry in entries}
        self.count = self.done = self.failed = 0

    def begun(self, missing: int, whole: int) -> None:
        """How much there is to do."""
        self.count = missing
        say(f"{missing} of {whole} runs to do" if missing else f"all {whole} runs are there")

    def ended(self, each: FinishedJob, known: IndexedRun | None) -> None:
        """One more."""
        self.done += 1
        job = each.job
        head = f"[{self.done}/{self.count}] {job.stem} seed {job.seed}"
        if known is not None and known.done:
            status = known.status.status
            say(f"{head}: {status} in {duration(each.seconds)}{self._figure(job.stem, known)}")
        else:
            self.failed += 1
            say(f"{head}: failed after {duration(each.seconds)}, exit code {each.code}")
            for line in each.output.splitlines()[-6:]:
                say(f"    {line}")

    def _figure(self, stem: str, known: IndexedRun) -> str:
        """The first figure of the run."""
        from ldl.errors import LdlError
        from ldl.report.number_format import number
        from ldl.report.run_metrics import RunMetrics

        claim = self.entries[stem].claim
        figure = claim.figures[0] if claim and claim.figures else None
        if figure is None:
            return ""
        try:
            value = RunMetrics(known.run).measure(figure.measured)
        except LdlError as error:
            return f": {error}"
        return f": {figure.name[:WIDE]} {number(value)}"


def _print(verdicts: dict[str, Any]) -> None:
    """A row a claim, then the summary."""
    from ldl.cli.output import print_table

    rows = [[claim["id"], claim["verdict"], claim["what"]] for claim in verdicts["claims"]]
    print_table(["claim", "verdict", "what"], rows)
    for claim in verdicts["claims"]:
        for case in claim["cases"] if claim["verdict"] == UNMEASURED else ():
            for reason in case["trouble"]:
                print(f"{case['file']}: {reason}")
    print(verdicts["summary"])
