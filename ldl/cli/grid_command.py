"""`ldl grid`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ldl.cli.app import FileArgument, JsonOption, OverridesArgument, RunsOption, command

FAILED = 3  # exit code of a grid that finished with failed trials, or without any objective


@command("ldl grid configs/autoenc_grid.yaml --dry-run; ldl grid my.yaml grid.seeds=5 --jobs 2")
def grid(
    file: FileArgument,
    overrides: OverridesArgument = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Trials at once (else all cores).")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the trials, and estimate their cost.")
    ] = False,
    folder: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="The grid's folder (else the newest of this file's)."),
    ] = None,
    runs: RunsOption = None,
    retry: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Try a trial that failed N times more; one that was killed, once anyway.",
        ),
    ] = 0,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed in an earlier call.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Start nothing more once a trial has failed.")
    ] = False,
    trial_timeout: Annotated[
        float | None, typer.Option(min=0.1, metavar="S", help="Seconds that a trial may take.")
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDR", help="Run on a Dask cluster: tcp://host:port, or local."),
    ] = None,
    json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Train every setting of FILE's `grid` block that is not trained yet; say which is best."""
    from ldl.cli.grid_progress import GridDisplay
    from ldl.cli.grid_progress import dry_run as show
    from ldl.cli.grid_summary import finish, leave, leave_what_there_is
    from ldl.grid.grid_plan import GridOptions
    from ldl.grid.planning import read_grid
    from ldl.grid.trial_store import open_grid_folder
    from ldl.runs import runs_root

    if dask is not None:
        from ldl.grid.dask_executor import check_address, check_scheduler

        check_address(dask)
    checked, root = read_grid(Path(file), overrides or []), runs_root(runs)
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
            place = open_grid_folder(root, plan, folder)
            try:
                summary = run_grid(plan, place, options, display)
            except BaseException:
                leave_what_there_is(place)
                raise
            end = leave(place, summary, display)
    if dry_run:
        show(checked, plan, trials, root, folder, jobs, json)
        return
    finish(end, summary, json)
    if summary.failed or summary.best is None:
        raise typer.Exit(FAILED)
