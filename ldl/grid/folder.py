"""The folder of a grid: found again by the same command, with the plan in it."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import ldl
from ldl.config.emit import flow
from ldl.errors import LdlError, RunFolderError
from ldl.grid.plan import Plan
from ldl.grid.trial import Outcome, Trial
from ldl.runs import read_json, write_json, write_text
from ldl.runs.run_folder import slug
from ldl.runs.status import to_utc

FORMAT: Final = 1
ABOUT: Final = "grid.json"
SHORT: Final = 6  # digits of the hash in a folder's name


def find(root: Path, plan: Plan, option: str | None = None) -> Path | None:
    """The folder of this grid: `option` if given, else the newest in `root` with the same base.

    None where there is none yet. Raises RunFolderError for a folder that is something else's.
    """
    if option is None:
        return _newest(root, plan)
    folder = Path(option).expanduser()
    if not (folder / ABOUT).exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunFolderError(f"{folder} is not the folder of a grid: it has no {ABOUT}")
        return None
    if _about(folder).get("base") != plan.base:
        raise RunFolderError(
            f"{folder} is the folder of another grid: its configuration or objective differs; "
            "without --folder a new one is made"
        )
    return folder


def find_or_make(root: Path, plan: Plan, option: str | None = None) -> Path:
    """`find`, or else a new folder with grid.json and source.yaml; two processes get the same."""
    parent = root if option is None else Path(option).expanduser().absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with alone(parent):
            folder = find(root, plan, option)
            if folder is None:
                folder = Path(option).expanduser() if option else _new(root, plan)
                folder.mkdir(exist_ok=True)
            write_json(folder / ABOUT, _describe(plan))
            write_text(folder / "source.yaml", plan.source)
    except OSError as error:
        raise RunFolderError(f"cannot make a grid in {parent}: {error.strerror}") from error
    return folder


def record(folder: Path, plan: Plan, trials: Sequence[Trial]) -> None:
    """Write plan.csv and plan.jsonl: all trials asked for so far, in their order."""
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["number", "setting", "seed", "id", *plan.keys])
    for trial in trials:
        cells = [cell(trial.values[key]) if key in trial.values else "" for key in plan.keys]
        rows.writerow([trial.number, trial.setting, trial.seed, trial.id, *cells])
    lines = []
    for trial in trials:
        told = trial.to_dict()
        del told["yaml"]  # it stands in the trial's own folder
        lines.append(json.dumps(told, ensure_ascii=False) + "\n")
    write_text(folder / "plan.csv", table.getvalue())
    write_text(folder / "plan.jsonl", "".join(lines))


def cell(value: Any) -> str:
    """A value in a table; text as it is, the rest as YAML has it on one line."""
    return value if isinstance(value, str) else flow(value)


def outcome(folder: Path, id_: str) -> Outcome | None:
    """How a trial ended; None where it has not, or cannot be read."""
    path = folder / "trials" / id_ / "trial.json"
    if not path.exists():
        return None
    try:
        return Outcome.from_dict(read_json(path))
    except (LdlError, TypeError):
        return None


def is_grid(path: Path) -> bool:
    """Whether a folder is a grid's."""
    return (path / ABOUT).exists()


def _describe(plan: Plan) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": plan.name,
        "objective": asdict(plan.objective),
        "search": plan.method,
        "seeds": plan.seeds,
        "keys": list(plan.keys),
        "base": plan.base,
        "ldl": ldl.__version__,
    }


def _about(folder: Path) -> dict[str, Any]:
    found = read_json(folder / ABOUT)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise RunFolderError(f"{folder / ABOUT} is not this version's: its format is not {FORMAT}")
    return found


def _newest(root: Path, plan: Plan) -> Path | None:
    pattern = f"*-{slug(plan.name)}-grid-{plan.base[:SHORT]}*"
    fitting = []
    for path in sorted(root.glob(pattern)):
        try:
            if is_grid(path) and _about(path).get("base") == plan.base:
                fitting.append(path)
        except LdlError:
            continue
    return fitting[-1] if fitting else None


def _new(root: Path, plan: Plan) -> Path:
    base = f"{to_utc():%Y%m%dT%H%M%SZ}-{slug(plan.name)}-grid-{plan.base[:SHORT]}"
    names = (base if n == 1 else f"{base}-{n}" for n in range(1, 1000))
    return next(root / name for name in names if not (root / name).exists())


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only process at work on what `folder` as a whole holds; waits for its turn."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
