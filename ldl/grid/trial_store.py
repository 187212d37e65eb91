"""The folder of a grid: how it is found again, its plan, and the entries of its trials."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ldl
from ldl.atomic_file import TEMPORARY, durable_writes, fsync_tree
from ldl.config.emit import flow
from ldl.errors import LdlError, RunError, RunFolderError
from ldl.folder_files import make_folder, open_file, read_text, remove_file
from ldl.grid.leases import Leases
from ldl.grid.trial import Trial, TrialOutcome
from ldl.runs import RunFolder, read_json, to_json, write_bytes, write_json, write_text
from ldl.runs.run_folder import slug
from ldl.runs.status import to_utc

if TYPE_CHECKING:
    from ldl.grid.grid_plan import GridPlan

FORMAT: Final = 1
GRID_FILE: Final = "grid.json"
HASH_DIGITS: Final = 6  # of the hash in a folder's name


class TrialStore:
    """The trials of a grid folder. Several processes may use one folder at once.

    trials/<id>/ is the run folder of a trial, and trials/<id>/trial.json says how it ended;
    claims/<id> is its lease. shared/ holds files that many trials have in common, named by their
    SHA-256 and hard-linked into the trials' folders.
    """

    def __init__(self, folder: Path) -> None:
        """Creates the subfolders. Raises RunFolderError."""
        self.folder = folder
        self.trials, self._shared = folder / "trials", folder / "shared"
        try:
            for path in (self.trials, self._shared):
                make_folder(path)
            self.leases = Leases(folder / "claims")
        except OSError as error:
            raise RunFolderError(f"cannot make {error.filename}: {error.strerror}") from error

    def run_folder(self, id: str) -> RunFolder:
        """The run folder of a trial, whether or not it exists."""
        return RunFolder(self.trials / id)

    def read_outcome(self, id: str) -> TrialOutcome | None:
        """How a trial ended; None where it has not ended or its entry cannot be read."""
        return read_outcome(self.folder, id)

    def write_outcome(self, outcome: TrialOutcome) -> bool:
        """Record how a trial ended, once all its files are on the disk; for the lease's owner.

        False, and nothing is written, where it had ended before. Raises RunError.
        """
        folder, entry = self.trials / outcome.id, _entry(self.folder, outcome.id)
        temporary = folder / f".trial.json.{os.getpid()}-{os.urandom(4).hex()}.tmp"
        try:
            make_folder(folder)
            with open_file(temporary, "xb") as file:
                file.write(to_json(outcome.to_dict()))
            fsync_tree(folder)
            if self.read_outcome(outcome.id) is None:  # an unreadable entry counts as none
                remove_file(entry)
            # The new name may be lost in a power cut: then the trial is run again.
            os.link(temporary, entry)
        except FileExistsError:
            return False
        except OSError as error:
            raise RunError(f"cannot write {entry}: {error.strerror}") from error
        finally:
            remove_file(temporary)
        return True

    def delete_outcome(self, outcome: TrialOutcome) -> None:
        """Delete this outcome, so that the trial can be tried again; for the lease's owner."""
        if self.read_outcome(outcome.id) == outcome:
            remove_file(_entry(self.folder, outcome.id))

    def write_inputs(self, id: str, own: Mapping[str, bytes], common: Mapping[str, bytes]) -> None:
        """Write files, {name: content}, into a trial's folder; those in `common` as hard links."""
        folder = self.trials / id
        make_folder(folder)
        for name, data in own.items():
            write_bytes(folder / name, data)
        for name, data in common.items():
            if not (folder / name).exists():
                self._link_shared(folder / name, data)

    def _link_shared(self, path: Path, data: bytes) -> None:
        """Make `path` a second name of the shared file that holds `data`."""
        shared = self._shared / hashlib.sha256(data).hexdigest()[:32]
        if not shared.exists():
            with durable_writes(True):  # trials of later calls rely on it
                write_bytes(shared, data)
        try:
            os.link(shared, path, follow_symlinks=False)
        except FileExistsError:
            pass
        except OSError:  # too many links to one file, or a file system without links
            write_bytes(path, data)


def _entry(folder: Path, id: str) -> Path:
    return folder / "trials" / id / "trial.json"


def read_outcome(folder: Path, id: str) -> TrialOutcome | None:
    """How a trial of a grid folder ended; None where it has not, or its entry cannot be read."""
    try:
        return TrialOutcome.from_dict(json.loads(read_text(_entry(folder, id))))
    except (OSError, ValueError, TypeError):
        return None


# --- the folder and its plan --------------------------------------------------------------------


def find_grid_folder(root: Path, plan: GridPlan, option: str | None = None) -> Path | None:
    """The folder of this grid: `option` if given, else the newest in `root` with the same base.

    None where there is none yet. Raises RunFolderError where `option` is a different folder.
    """
    if option is None:
        return _newest(root, plan)
    folder = Path(option).expanduser()
    if not is_grid_folder(folder):
        if folder.exists() and not _is_empty(folder):
            raise RunFolderError(f"{folder} is not the folder of a grid: it has no {GRID_FILE}")
        return None
    if _read_grid_file(folder).get("base") != plan.base_digest:
        raise RunFolderError(
            f"{folder} is the folder of another grid: its configuration or objective differs; "
            "without --folder a new one is made"
        )
    return folder


def _is_empty(path: Path) -> bool:
    """Whether a path is a folder with nothing but what a killed writer has left there."""
    return path.is_dir() and all(TEMPORARY.fullmatch(entry.name) for entry in path.iterdir())


def open_grid_folder(root: Path, plan: GridPlan, option: str | None = None) -> Path:
    """`find_grid_folder`, or a new folder; grid.json and source.yaml are written.

    Two processes that start together get the same folder. Raises RunFolderError.
    """
    parent = root if option is None else Path(option).expanduser().absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with folder_lock(parent):
            folder = find_grid_folder(root, plan, option)
            if folder is None:
                folder = Path(option).expanduser() if option else _new_folder(root, plan)
                folder.mkdir(exist_ok=True)
            write_json(folder / GRID_FILE, _describe(plan))
            write_text(folder / "source.yaml", plan.source)
    except OSError as error:
        raise RunFolderError(f"cannot make a grid in {parent}: {error.strerror}") from error
    return folder


def is_grid_folder(path: Path) -> bool:
    """Whether a folder is that of a grid."""
    return (path / GRID_FILE).exists()


def write_plan(folder: Path, plan: GridPlan, trials: Sequence[Trial]) -> None:
    """Write plan.csv and plan.jsonl: all trials asked for so far, in their order."""
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["number", "setting", "seed", "id", *plan.keys])
    for trial in trials:
        cells = format_cells(trial.values, plan.keys)
        rows.writerow([trial.number, trial.setting, trial.seed, trial.id, *cells])
    lines = [json.dumps(trial.summary(), ensure_ascii=False) + "\n" for trial in trials]
    write_text(folder / "plan.csv", table.getvalue())
    write_text(folder / "plan.jsonl", "".join(lines))


def read_plan(folder: Path) -> list[Trial]:
    """The trials of plan.jsonl, without their configurations. Raises RunFolderError."""
    path = folder / "plan.jsonl"
    try:
        lines = read_text(path).split("\n") if path.exists() else []
        trials = [Trial.from_dict({**json.loads(line), "yaml": ""}) for line in lines if line]
    except (OSError, ValueError, TypeError) as error:
        raise RunFolderError(f"cannot read {path}: {error}") from error
    for trial in trials:
        if not trial.is_valid:
            raise RunFolderError(f"{path} is damaged: {trial.id!r} is no trial")
    return trials


def format_cell(value: Any) -> str:
    """A value in a table: a text as it is, everything else as YAML on one line."""
    return value if isinstance(value, str) else flow(value)


def format_cells(values: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """The values of `keys` as cells of a table; empty where a setting does not have the key."""
    return [format_cell(values[key]) if key in values else "" for key in keys]


def _describe(plan: GridPlan) -> dict[str, Any]:
    """grid.json."""
    return {
        "format": FORMAT,
        "name": plan.name,
        "objective": plan.objective.to_dict(),
        "search": plan.method,
        "seeds": plan.seeds,
        "keys": list(plan.keys),
        "base": plan.base_digest,
        "ldl": ldl.__version__,
    }


def _read_grid_file(folder: Path) -> dict[str, Any]:
    path = folder / GRID_FILE
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RunFolderError(f"{path} is not this version's: its format is not {FORMAT}")
    return content


def _newest(root: Path, plan: GridPlan) -> Path | None:
    pattern = f"*-{slug(plan.name)}-grid-{plan.base_digest[:HASH_DIGITS]}*"
    matches = []
    for path in sorted(root.glob(pattern)):
        try:
            if is_grid_folder(path) and _read_grid_file(path).get("base") == plan.base_digest:
                matches.append(path)
        except LdlError:
            continue
    return matches[-1] if matches else None


def _new_folder(root: Path, plan: GridPlan) -> Path:
    base = f"{to_utc():%Y%m%dT%H%M%SZ}-{slug(plan.name)}-grid-{plan.base_digest[:HASH_DIGITS]}"
    names = (base if n == 1 else f"{base}-{n}" for n in range(1, 1000))
    return next(root / name for name in names if not (root / name).exists())


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder as a whole; waits until no other process holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
