"""`ldl train` and `ldl resume`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ldl.cli.app import (
    FileArgument,
    JsonOption,
    OverridesArgument,
    RunArgument,
    RunsOption,
    command,
)
from ldl.cli.output import duration, figure, print_json, print_results, say

if TYPE_CHECKING:
    from ldl.runs import RunFolder

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")]


@command("ldl train configs/denoise.yaml optimizer.sgd.learning_rate=0.005 train.epochs=50")
def train(
    file: FileArgument,
    overrides: OverridesArgument = None,
    runs: RunsOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Train the experiment in FILE and leave a folder with metrics, plots and the weights."""
    from ldl.cli.display import Display
    from ldl.cli.notes import print_notes
    from ldl.execute import Watchers, prepare
    from ldl.execute import train as execute
    from ldl.report.run_page import with_run_page
    from ldl.runs import runs_root

    began = time.monotonic()
    prepared = prepare(Path(file), overrides or [])
    print_notes(prepared)
    if "grid" in prepared.loaded.ignored_sections and not quiet:
        say(f"note: the `grid` block is left alone: `ldl grid {file}` searches")
    with Display(quiet) as display:
        watchers = Watchers(display.data, display.training, display.stage, draw, display.note)
        run = with_run_page(lambda: execute(prepared, runs_root(runs), watchers))
    finish(run, began, json)


@command("ldl resume last")
def resume(
    run: RunArgument,
    runs: RunsOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Go on with a run that was interrupted or killed; it ends as if nothing had happened."""
    from ldl.cli.display import Display
    from ldl.execute import Watchers
    from ldl.execute import resume as execute
    from ldl.report.run_page import with_run_page
    from ldl.runs import runs_root
    from ldl.runs.run_list import find_run

    began = time.monotonic()
    folder = find_run(runs_root(runs), run)
    with Display(quiet) as display:
        watchers = Watchers(display.data, display.training, display.stage, draw)
        with_run_page(lambda: execute(folder, watchers))
    finish(folder, began, json)


@command("ldl verify last")
def verify(
    run: RunArgument,
    runs: RunsOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Train a run once more and say whether it comes out the same, or where it first differs."""
    from ldl.cli.display import Display
    from ldl.execute import Watchers
    from ldl.execute import verify as execute
    from ldl.runs import runs_root
    from ldl.runs.run_list import find_run

    folder = find_run(runs_root(runs), run)
    with Display(quiet) as display:
        verdict = execute(folder, Watchers(data=display.data, training=display.training))
    if json:
        print_json({"run": str(folder.path), **verdict.to_dict()})
    elif verdict.epoch is not None:
        figures = f"{verdict.column} was {verdict.before!r} and is {verdict.now!r}"
        print(f"{folder.name} differs from epoch {verdict.epoch} of {verdict.epochs} on: {figures}")
    elif verdict.weights is False:
        print(f"{folder.name}: all {verdict.epochs} epochs are the same, the saved weights are not")
    else:
        saved = " and the saved weights" if verdict.weights else ""
        print(f"{folder.name}: all {verdict.epochs} epochs{saved} are the same, bit for bit")
    if not verdict.identical:
        changes = ", ".join(verdict.environment_changes)
        if changes and not json:
            say(f"not as they were: {changes}; compare environment.json")
        raise typer.Exit(1)


def draw(folder: Path) -> None:
    """The run's pictures."""
    from ldl.plots import draw as draw_all

    draw_all(folder)


def finish(run: RunFolder, began: float, json: bool) -> None:
    """Print what came out."""
    from ldl.runs import read_json, read_metrics

    results, status = read_json(run.results), run.read_status()
    if json:
        print_json({"run": str(run.path), "status": status.to_dict(), "results": results})
        return
    best = ", ".join(f"{name} {figure(value)}" for name, value in (status.best or {}).items())
    spent = sum(float(row["seconds"] or 0.0) for row in read_metrics(run.metrics))
    whole = duration(max(time.monotonic() - began, status.seconds))
    say(f"{status.epoch} epochs in {duration(spent)}, {whole} in all: {status.reason}")
    say(f"best: {best}")
    print_results(results)
    print(run.path)
