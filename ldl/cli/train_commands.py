"""The commands `ldl train`, `ldl resume` and `ldl verify`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ldl.cli.app import (
    FileArgument,
    JsonOption,
    OverridesArgument,
    QuietOption,
    RunArgument,
    RunsOption,
    command,
)
from ldl.cli.output import (
    format_duration,
    log,
    print_evaluation_count,
    print_json,
    print_notes,
    print_results,
    weights_lines,
)

if TYPE_CHECKING:
    from ldl.execute.verification import ReplayResult
    from ldl.runs import RunFolder


@command("ldl train configs/denoise.yaml optimizer.sgd.learning_rate=0.005 train.epochs=50")
def train(
    file: FileArgument,
    overrides: OverridesArgument = None,
    runs: RunsOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Train the experiment in FILE; write a run folder with metrics, plots and the weights."""
    from ldl.cli.display import Display
    from ldl.execute import Callbacks, prepare
    from ldl.execute import train as execute
    from ldl.report.run_page import with_run_page
    from ldl.runs import runs_root

    start = time.monotonic()
    prepared = prepare(Path(file), overrides or [])
    print_notes(prepared)
    if "grid" in prepared.loaded.ignored_sections and not quiet:
        log(f"note: the `grid` block is ignored; `ldl grid {file}` runs the search")
    with Display(quiet) as display:
        callbacks = Callbacks(display.data, display.training, display.stage, draw, display.note)
        run = with_run_page(lambda: execute(prepared, runs_root(runs), callbacks))
    _print_run(run, start, json)


@command("ldl resume last")
def resume(
    run: RunArgument,
    runs: RunsOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Continue a run that was interrupted or killed; it gives the same bits as without a stop."""
    from ldl.cli.display import Display
    from ldl.execute import Callbacks, folder_in_errors
    from ldl.execute import resume as execute
    from ldl.report.run_page import has_run_page, with_run_page
    from ldl.runs import runs_root
    from ldl.runs.run_list import find_run

    start = time.monotonic()
    folder = find_run(runs_root(runs), run)
    with Display(quiet) as display:
        callbacks = Callbacks(display.data, display.training, display.stage, draw)

        def complete() -> RunFolder:
            with folder_in_errors(folder):
                if folder.read_status().status == "completed" and not has_run_page(folder):
                    return folder  # a kill came between the last status and the page
                return execute(folder, callbacks)

        with_run_page(complete)
    _print_run(folder, start, json)


@command("ldl verify last")
def verify(
    run: RunArgument,
    runs: RunsOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Train a run again and compare: the same bits, or the first epoch that differs."""
    from ldl.cli.display import Display
    from ldl.execute import Callbacks
    from ldl.execute import verify as execute
    from ldl.runs import runs_root
    from ldl.runs.run_list import find_run

    folder = find_run(runs_root(runs), run)
    with Display(quiet) as display:
        replay = execute(folder, Callbacks(data=display.data, training=display.training))
    if json:
        print_json({"run": str(folder.path), **replay.to_dict()})
    else:
        print(f"{folder.name}{_describe(replay)}")
    if not replay.identical:
        changes = ", ".join(replay.environment_changes)
        if changes and not json:
            log(f"changed since the run: {changes}; see environment.json")
        raise typer.Exit(1)


def _describe(replay: ReplayResult) -> str:
    """The result of a replay, to follow the run's name."""
    if replay.epoch is not None:
        values = f"{replay.column} was {replay.before!r} and is {replay.now!r}"
        return f" differs from epoch {replay.epoch} of {replay.epochs} on: {values}"
    epochs = "the only epoch is" if replay.epochs == 1 else f"all {replay.epochs} epochs are"
    if replay.weights is False:
        text = f": {epochs} the same, the saved weights are not"
        if replay.variable is None:
            return text
        return f"{text}: {replay.variable} was {replay.before!r} and is {replay.now!r}"
    weights = ", and so are the saved weights" if replay.weights else ""
    return f": {epochs} the same, bit for bit{weights}"


def draw(folder: Path) -> None:
    """Draw the plots of a run; imports matplotlib, unlike this module."""
    from ldl.plots import draw as draw_plots

    draw_plots(folder)


def _print_run(run: RunFolder, start: float, json: bool) -> None:
    """Print the results of a finished run; `start` is the command's time.monotonic()."""
    from ldl.runs import read_metrics

    results, status = run.read_results(), run.read_status()
    if json:
        print_json({"run": str(run.path), "status": status.to_dict(), "results": results})
        return
    training = sum(float(row["seconds"] or 0.0) for row in read_metrics(run.metrics))
    total = max(time.monotonic() - start, status.seconds)
    times = f"{format_duration(training)}, {format_duration(total)} in total"
    epochs = "1 epoch" if status.epoch == 1 else f"{status.epoch} epochs"
    log(f"{epochs} in {times}: {status.reason}")
    for line in weights_lines(status.best, results):
        log(line)
    print_results(results)
    print_evaluation_count(run)
    print(run.path)
