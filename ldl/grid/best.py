"""best/: the winner of a grid as a full run, evaluated on the test split once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from ldl.atomic_file import remove_tree
from ldl.config import read
from ldl.config.emit import emit
from ldl.errors import Diverged, Interrupted, LdlError, RunError
from ldl.execute import NO_CALLBACKS, Callbacks, prepare, train
from ldl.execute.seen_samples import seen_at_start
from ldl.execute.transfer import initial_weights
from ldl.folder_files import read_text
from ldl.grid.grid_results import GridResults, GridRow
from ldl.grid.space import to_plain
from ldl.grid.trial import Trial
from ldl.grid.trial_store import folder_lock
from ldl.runs import RunFolder, load_tensors, read_json, read_metrics, to_json

BEST: Final = "best"
TRIAL_FILE: Final = "trial.json"  # in best/: its trial
TEMPORARY: Final = ".best"


def find_best(folder: Path) -> RunFolder | None:
    """The run folder of the winner, where it is complete: every file of it can be read."""
    run = RunFolder(folder / BEST)
    try:
        evaluated = isinstance(read_json(run.results), dict)
    except (LdlError, OSError, ValueError):
        return None
    return run if evaluated and _is_trained(run) else None


def _is_trained(run: RunFolder) -> bool:
    """Whether training has ended, and configuration, metrics and weights can be read."""
    try:
        status, rows = run.read_status(), read_metrics(run.metrics)
        load_tensors(run.model)
        config = to_plain(read(run.config).tree)
        is_whole = "claim" in config and emit(config) == read_text(run.config)
    except (LdlError, OSError, ValueError):
        return False
    return is_whole and status.status == "completed" and len(rows) == status.epoch


def make_best(
    folder: Path,
    results: GridResults,
    callbacks: Callbacks = NO_CALLBACKS,
    wrap: Callable[[Callable[[], RunFolder]], RunFolder] = lambda work: work(),
) -> tuple[RunFolder | None, bool]:
    """best/, and whether this call made it: it was missing, damaged or of another candidate.

    The weights of the trial are evaluated; where its folder is damaged it is trained again. `wrap`
    calls the function that makes the run, and may add files. A call after an interruption starts
    from the beginning. Raises RunError where training or evaluation fails, or the folder cannot be
    written.
    """
    if results.winner is None:
        return None, False
    trial = _first_trial(results.winner)
    with folder_lock(folder):
        if _trial_id(folder) == trial.id and (best := find_best(folder)) is not None:
            return best, False
        temporary = folder / TEMPORARY
        remove_tree(temporary)
        try:
            source = RunFolder(folder / "trials" / trial.id)
            files = {TRIAL_FILE: to_json(trial.summary())}
            trained = source if _is_trained(source) else None
            weights = initial_weights(source)
            prepared = prepare(source.config, load_pretrained=not weights)
            if weights:
                prepared = replace(prepared, weights=weights, seen=seen_at_start(source))
            run = wrap(lambda: train(prepared, temporary, callbacks, files, trained))
        except (Diverged, Interrupted, RunError) as error:
            error.folder = None  # it is removed below: the same command starts it again
            raise
        else:
            _replace(folder / BEST, run.path)
        finally:
            remove_tree(temporary)
        return RunFolder(folder / BEST), True


def _replace(target: Path, source: Path) -> None:
    """Move the finished run to `target`, and remove what lies there. Raises RunError."""
    try:
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
        source.rename(target)
    except OSError as error:
        hint = "make it writable or remove it, and the same command continues"
        raise RunError(f"cannot replace {target}: {error.strerror}; {hint}") from error


def _first_trial(row: GridRow) -> Trial:
    """The trial of the plan's first seed, or of the first one that has an objective."""
    return next(trial for trial in row.trials if trial.seed in row.objectives)


def _trial_id(folder: Path) -> str | None:
    """The trial that best/ was made of."""
    try:
        return str(read_json(folder / BEST / TRIAL_FILE)["id"])
    except (LdlError, OSError, KeyError, TypeError):
        return None
