"""What `ldl grid` leaves and says at its end: results, pictures, the winner and its figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ldl.cli.output import count, duration, figure, print_json, print_results, say
from ldl.errors import Interrupted, LdlError

if TYPE_CHECKING:
    from ldl.cli.grid_progress import GridDisplay
    from ldl.grid.grid_plan import GridSummary
    from ldl.grid.grid_results import GridResults, GridRow
    from ldl.runs import RunFolder

TIED = 5  # settings that are named


@dataclass(frozen=True)
class End:
    """What a grid has come to."""

    folder: Path
    results: GridResults
    best: RunFolder | None


def leave(folder: Path, summary: GridSummary, display: GridDisplay) -> End:
    """results.csv, results.json, the pictures and best/, where all trials have ended.

    A picture that cannot be drawn, or a winner that cannot be trained again, is a note: the trials
    are done.
    """
    from ldl.cli.train_commands import draw
    from ldl.execute import Watchers
    from ldl.grid.best import make_best
    from ldl.grid.grid_results import write_results
    from ldl.plots.grid import draw_grid, drawn
    from ldl.report.run_page import with_run_page

    results, changed = write_results(folder)
    try:
        if changed or not drawn(folder):
            display.stage("pictures")
            draw_grid(folder)
    except LdlError as error:
        display.note(str(error))
    best = None
    if not summary.waiting:
        watchers = Watchers(display.data, stage=display.stage, draw=draw)
        if display.live:
            watchers = replace(watchers, training=display.training)
        try:
            best, _ = make_best(folder, results, watchers, with_run_page)
        except Interrupted:
            raise
        except LdlError as error:
            display.note(f"best/ could not be made: {error}")
    return End(folder, results, best)


def leave_what_there_is(folder: Path) -> None:
    """The results of a grid that was broken off."""
    from contextlib import suppress

    from ldl.grid.grid_results import write_results

    with suppress(LdlError, OSError):
        write_results(folder)


def finish(end: End, summary: GridSummary, json: bool) -> None:
    """Print what came out."""
    from ldl.grid.grid_results import results_json
    from ldl.runs import read_json

    test = read_json(end.best.results) if end.best else {}
    if json:
        told = results_json(end.results)
        folders = {"grid": str(end.folder), "best": str(end.best.path) if end.best else None}
        counts = {**asdict(summary), "best_trial": summary.best}
        del counts["best"]
        print_json({**told, **counts, **folders, "test_figures": test})
        return
    counted = {
        "completed": summary.completed,
        "diverged": summary.diverged,
        "failed": summary.failed,
        "waiting": summary.waiting,
    }
    words = ", ".join(f"{count(number)} {word}" for word, number in counted.items() if number)
    say(f"{words or 'no trials'}, {duration(summary.seconds)}")
    if summary.failed or summary.waiting:
        say("the same command goes on; --retry-failed tries again what failed")
    _print_winner(end.results)
    if end.best is not None:
        print_results(test)
        print(f"best: {end.best.path}")
    print(end.folder)


def _print_winner(results: GridResults) -> None:
    from ldl.grid.grid_results import ALPHA, notes
    from ldl.grid.labels import describe_values

    winner, tied, rounds = results.winner, results.tied(), results.rounds
    if rounds:
        parts = ", ".join(f"{count(n)} for {epochs}" for epochs, n in rounds.items())
        print(f"{count(results.settings)} settings in {len(rounds)} rounds: {parts} epochs")
    if winner is not None:
        print(f"winner: setting {winner.number} ({describe_values(winner.values, 60)})")
        print(f"  {results.objective.name} {objective(winner)}")
    for row, p in (tied or [])[:TIED]:
        values = describe_values(row.values, 60)
        print(f"  tied with it: setting {row.number} ({values}), {objective(row)}, p = {p:.2g}")
    if tied and len(tied) > TIED:
        print(f"  and {len(tied) - TIED} more: results.json lists them")
    if tied is not None:
        others, within = len(results.others) - results.untested, ""
        if rounds:
            within = f" in the round that ends at epoch {results.last_round}"
        verdict = f"{len(tied)} of {others} others{within} tied"
        verdict = verdict if others else f"no other setting{within}"
        print(f"  {verdict} (paired t-test over seeds, p ≥ {ALPHA})")
    for note in notes(results):
        print(f"  note: {note}")


def objective(row: GridRow) -> str:
    """The mean, the standard deviation and the number of seeds."""
    spread = "" if row.sd is None else f" ± {figure(row.sd)}"
    seeds = len(row.objectives)
    return f"{figure(row.mean)}{spread} ({seeds} seed{'' if seeds == 1 else 's'})"
