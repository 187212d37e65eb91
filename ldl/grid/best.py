"""best/: the winner of a grid as a full run, judged on the test part once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ldl.errors import Diverged, Interrupted, LdlError, RunError
from ldl.execute import SILENT, Watchers, prepare
from ldl.execute import train as train_run
from ldl.execute.transfer import initial_weights
from ldl.grid.grid_results import GridResults, GridRow
from ldl.grid.trial import Trial
from ldl.grid.trial_store import folder_lock
from ldl.runs import RunFolder, load_tensors, read_json, read_metrics, to_json

BEST: Final = "best"
ORIGIN: Final = "trial.json"  # in best/: which trial it is
MAKING: Final = ".best"


def find_best(folder: Path) -> RunFolder | None:
    """The run folder of the winner, if it is there and complete: every file can be read."""
    run = RunFolder(folder / BEST)
    try:
        judged = isinstance(read_json(run.results), dict)
    except (LdlError, OSError, ValueError):
        return None
    return run if judged and _trained(run) else None


def _trained(run: RunFolder) -> bool:
    """Whether its training has ended, and its configuration, metrics and weights can be read."""
    try:
        status, rows = run.read_status(), read_metrics(run.metrics)
        load_tensors(run.model)
        prepared = prepare(run.config, start=False)
        config = run.config.read_text("utf-8") in (prepared.yaml, prepared.key_text)
    except (LdlError, OSError, ValueError):
        return False
    return config and status.status == "completed" and len(rows) == status.epoch


def make_best(
    folder: Path,
    results: GridResults,
    watchers: Watchers = SILENT,
    around: Callable[[Callable[[], RunFolder]], RunFolder] = lambda work: work(),
) -> tuple[RunFolder | None, bool]:
    """best/, and whether it was made now: where it is missing, damaged or of another setting.

    The trial's weights are judged; where its folder is damaged it is trained again. `around` may
    do more with the run. What is broken off is done again by the next call. Raises RunError where
    training or judging fails, or the folder cannot be written.
    """
    if results.winner is None:
        return None, False
    trial = _first(results.winner)
    with folder_lock(folder):
        if _made_of(folder) == trial.id and (found := find_best(folder)) is not None:
            return found, False
        making = folder / MAKING
        shutil.rmtree(making, ignore_errors=True)
        try:
            theirs = RunFolder(folder / "trials" / trial.id)
            files = {ORIGIN: to_json(_origin(trial))}
            trained = theirs if _trained(theirs) else None
            weights = initial_weights(theirs)
            prepared = prepare(theirs.config, start=not weights)
            prepared = replace(prepared, weights=weights or prepared.weights)
            run = around(lambda: train_run(prepared, making, watchers, files, trained))
        except (Diverged, Interrupted, RunError) as error:
            error.folder = None  # it goes: the same command begins it anew
            raise
        else:
            _put(run.path, folder / BEST)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return RunFolder(folder / BEST), True


def _put(made: Path, place: Path) -> None:
    """Move the finished run to its place, instead of what lies there."""
    try:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
        made.rename(place)
    except OSError as error:
        advice = "make it writable or remove it, and the same command goes on"
        raise RunError(f"cannot replace {place}: {error.strerror}; {advice}") from error


def _first(row: GridRow) -> Trial:
    """The trial of the plan's first seed, or of the first that has an objective."""
    return next(trial for trial in row.trials if trial.seed in row.objectives)


def _origin(trial: Trial) -> dict[str, Any]:
    told = trial.to_dict()
    del told["yaml"]
    return told


def _made_of(folder: Path) -> str | None:
    try:
        return str(read_json(folder / BEST / ORIGIN)["id"])
    except (LdlError, OSError, KeyError, TypeError):
        return None
