"""The command `ldl grid`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ldl.cli.app import (
    FileArgument,
    JsonOption,
    OverridesArgument,
    QuietOption,
    RunsOption,
    command,
)
from ldl.cli.output import print_warnings
from ldl.errors import RunError, os_error_message

if TYPE_CHECKING:
    from ldl.cli.grid_progress import GridDisplay
    from ldl.cli.grid_summary import FinishedGrid
    from ldl.grid.grid_plan import GridOptions, GridPlan, GridSummary

FAILED = 3  # exit code of a grid that finished with failed trials, or without any objective


@command("ldl grid configs/autoenc_grid.yaml --dry-run; ldl grid my.yaml grid.seeds=5 --jobs 2")
def grid(
    file: FileArgument,
    overrides: OverridesArgument = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Trials in parallel (default: all cores)."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the trials, and estimate their cost.")
    ] = False,
    folder: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="The grid's folder (default: the newest of this file)."),
    ] = None,
    runs: RunsOption = None,
    retry: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Retries of a trial that failed; one that was killed is retried once anyway.",
        ),
    ] = 0,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run trials again that failed in earlier calls.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Start no more trials once one has failed.")
    ] = False,
    trial_timeout: Annotated[
        float | None, typer.Option(min=0.1, metavar="S", help="Time limit of a trial, in seconds.")
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="ADDR", help="Run on a Dask cluster: tcp:// or tls://host:port, or local."
        ),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train every setting of FILE's `grid` block that is not trained yet; print the best one."""
    from ldl.cli.grid_dry_run import print_plan
    from ldl.cli.grid_progress import GridDisplay
    from ldl.cli.grid_summary import print_summary
    from ldl.grid.grid_plan import GridOptions
    from ldl.grid.planning import read_grid
    from ldl.grid.trial_store import open_grid_folder
    from ldl.runs import runs_root

    if dask is not None:
        from ldl.grid.dask_executor import check_address, check_scheduler

        check_address(dask)
    checked, root = read_grid(Path(file), overrides or []), runs_root(runs)
    print_warnings(checked.base.loaded.warnings)
    with GridDisplay(checked.objective.name, quiet) as display:
        plan = checked.plan(display.data)
        for note in plan.notes:
            display.note(note)
        if dry_run:
            trials = plan.search.ask([])
        else:
            if dask is not None:
                check_scheduler(dask)
            options = GridOptions(jobs, retry, retry_failed, fail_fast, trial_timeout, dask)
            grid_folder = open_grid_folder(root, plan, folder)
            finished, summary = _run(plan, grid_folder, options, display)
    if dry_run:  # printed after the live line is gone
        print_plan(checked, plan, trials, root, folder, jobs, json)
        return
    print_summary(finished, summary, json)
    if summary.failed or summary.best is None:
        raise typer.Exit(FAILED)
    if finished.missing:
        raise typer.Exit(1)


def _run(
    plan: GridPlan, folder: Path, options: GridOptions, display: GridDisplay
) -> tuple[FinishedGrid, GridSummary]:
    """Run the trials and write what a grid leaves. Raises what `run_grid` does, and RunError."""
    from ldl.cli.grid_summary import write_partial_results, write_summary
    from ldl.grid.run import run_grid
    from ldl.signals import interrupt_on_signal

    try:
        with interrupt_on_signal() as interruption:
            summary = run_grid(plan, folder, options, display)
    except BaseException as error:
        write_partial_results(folder)
        if not isinstance(error, OSError):
            raise
        message = f"{os_error_message(error)}; the same command continues the grid"
        raise RunError(message) from error
    finished = write_summary(folder, summary, display)
    interruption.finish()
    return finished, summary
