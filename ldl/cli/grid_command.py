"""The command `ldl grid`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
        typer.Option(metavar="ADDR", help="Run on a Dask cluster: tcp://host:port, or local."),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train every setting of FILE's `grid` block that is not trained yet; print the best one."""
    from ldl.cli.grid_dry_run import print_plan
    from ldl.cli.grid_progress import GridDisplay
    from ldl.cli.grid_summary import print_summary, write_partial_results, write_summary
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
            from ldl.grid.run import run_grid

            if dask is not None:
                check_scheduler(dask)
            options = GridOptions(jobs, retry, retry_failed, fail_fast, trial_timeout, dask)
            grid_folder = open_grid_folder(root, plan, folder)
            try:
                summary = run_grid(plan, grid_folder, options, display)
            except BaseException:
                write_partial_results(grid_folder)
                raise
            finished = write_summary(grid_folder, summary, display)
    if dry_run:  # printed after the live line is gone
        print_plan(checked, plan, trials, root, folder, jobs, json)
        return
    print_summary(finished, summary, json)
    if summary.failed or summary.best is None:
        raise typer.Exit(FAILED)
