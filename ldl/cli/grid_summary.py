"""The end of `ldl grid`: write results, plots and the winner's run; print the summary."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ldl.cli.output import (
    format_duration,
    format_number,
    log,
    print_evaluation_count,
    print_json,
    print_results,
)
from ldl.errors import LdlError

if TYPE_CHECKING:
    from ldl.cli.grid_progress import GridDisplay
    from ldl.grid.grid_plan import GridSummary
    from ldl.grid.grid_results import GridResults, GridRow
    from ldl.runs import RunFolder

MAX_TIED = 5  # settings tied with the winner that are printed
VALUES_WIDTH = 60  # characters of a value in a line


@dataclass(frozen=True)
class FinishedGrid:
    """A grid's folder, its results, and the winner's run; None while trials are waiting.

    `missing` says what of the plots and of best/ could not be made.
    """

    folder: Path
    results: GridResults
    best: RunFolder | None
    missing: list[str]


def write_summary(folder: Path, summary: GridSummary, display: GridDisplay) -> FinishedGrid:
    """Write results.csv, results.json, the plots and, once all trials have ended, best/."""
    from ldl.cli.train_commands import draw
    from ldl.execute import Callbacks
    from ldl.grid.best import make_best
    from ldl.grid.grid_results import write_results
    from ldl.plots.grid_plots import draw_grid, has_plots
    from ldl.report.run_page import with_run_page

    results, changed = write_results(folder)
    missing = []
    try:
        if changed or not has_plots(folder):
            display.stage("plots")
            draw_grid(folder)
    except (LdlError, OSError) as error:
        missing.append(f"the plots could not be drawn: {error}")
    best = None
    if not summary.waiting:
        callbacks = Callbacks(display.data, stage=display.stage, draw=draw)
        if display.live:
            callbacks = replace(callbacks, training=display.training)
        try:
            best, _ = make_best(folder, results, callbacks, with_run_page)
        except (LdlError, OSError) as error:
            missing.append(f"best/ could not be made: {error}")
    return FinishedGrid(folder, results, best, missing)


def write_partial_results(folder: Path) -> None:
    """Write the results of an interrupted grid; errors are ignored."""
    from ldl.grid.grid_results import write_results

    with suppress(LdlError, OSError):
        write_results(folder)


def print_summary(finished: FinishedGrid, summary: GridSummary, json: bool) -> None:
    """Print the trials by status, the winner and its test metrics."""
    from ldl.grid.grid_results import results_json
    from ldl.runs import read_json

    best, folder = finished.best, finished.folder
    test = read_json(best.results) if best else {}
    if json:
        counts = {**asdict(summary), "best_trial": summary.best}
        del counts["best"]
        paths = {"grid": str(folder), "best": str(best.path) if best else None}
        results = results_json(finished.results)
        print_json({**results, **counts, **paths, "test_figures": test})
        return
    statuses = ("completed", "diverged", "failed", "waiting")
    counted = [f"{n:,} {status}" for status in statuses if (n := getattr(summary, status))]
    log(f"{', '.join(counted) or 'no trials'}, {format_duration(summary.seconds)}")
    if summary.failed or summary.waiting:
        log("the same command continues the grid; --retry-failed runs failed trials again")
    _print_winner(finished.results)
    if best is not None:
        print_results(test)
        print_evaluation_count(best)
        print(f"best: {best.path}")
    print(folder)
    for problem in finished.missing:
        log(f"ldl: {problem}; the same command tries again")


def _print_winner(results: GridResults) -> None:
    from ldl.grid.grid_results import notes
    from ldl.grid.labels import describe_values

    winner, rounds = results.winner, results.rounds
    if rounds:
        parts = ", ".join(f"{n:,} for {epochs}" for epochs, n in rounds.items())
        print(f"{results.settings:,} settings in {len(rounds)} rounds: {parts} epochs")
    if winner is not None:
        print(f"winner: setting {winner.number} ({describe_values(winner.values, VALUES_WIDTH)})")
        print(f"  {results.objective.name} {_objective(winner)}")
    _print_tied(results)
    for note in notes(results):
        print(f"  note: {note}")


def _print_tied(results: GridResults) -> None:
    """Print the settings that a t-test does not tell from the winner, if there was one."""
    from ldl.grid.grid_results import ALPHA
    from ldl.grid.labels import describe_values

    tied = results.tied
    if tied is None:
        return
    for row, p in tied[:MAX_TIED]:
        values = describe_values(row.values, VALUES_WIDTH)
        print(f"  tied with it: setting {row.number} ({values}), {_objective(row)}, p = {p:.2g}")
    if len(tied) > MAX_TIED:
        print(f"  and {len(tied) - MAX_TIED} more, listed in results.json")
    tested = len(results.compared) - results.untested
    round_name = f" in the round that ends at epoch {results.last_round}" if results.rounds else ""
    verdict = f"{len(tied)} of {tested} others{round_name} tied"
    if not tested:
        verdict = f"no other setting{round_name}"
    print(f"  {verdict} (paired t-test over seeds, p ≥ {ALPHA})")


def _objective(row: GridRow) -> str:
    """The mean, the standard deviation and the number of seeds."""
    deviation = "" if row.sd is None else f" ± {format_number(row.sd)}"
    seeds = len(row.objectives)
    return f"{format_number(row.mean)}{deviation} ({seeds} seed{'' if seeds == 1 else 's'})"
