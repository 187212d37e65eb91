"""What a grid folder says of its trials: which have ended and how; where all of it lies."""

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
from ldl.atomic_file import durable_writes, fsync_tree
from ldl.config.emit import flow
from ldl.errors import LdlError, RunError, RunFolderError
from ldl.grid.leases import Leases
from ldl.grid.trial import Trial, TrialOutcome
from ldl.runs import RunFolder, read_json, to_json, write_bytes, write_json, write_text
from ldl.runs.run_folder import slug
from ldl.runs.status import to_utc

if TYPE_CHECKING:
    from ldl.grid.grid_plan import GridPlan

RETRIED = ("failed", "killed", "timeout", "memory")  # endings that another try may change


class TrialStore:
    """A grid folder; several processes may use one at once.

    trials/<id>/ is the run folder of a trial, and trials/<id>/trial.json says that it has ended;
    claims/<id> is there while somebody works on it. shared/ holds files that many trials have in
    common, by their SHA-256, hard-linked into them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trials, self._shared = folder / "trials", folder / "shared"
        try:
            for place in (self.trials, self._shared):
                place.mkdir(parents=True, exist_ok=True)
            self.claims = Leases(folder / "claims")
        except OSError as error:
            raise RunFolderError(f"cannot make {error.filename}: {error.strerror}") from error

    def run(self, id: str) -> RunFolder:
        """The run folder of a trial, whether or not it exists."""
        return RunFolder(self.trials / id)

    def read_outcome(self, id: str) -> TrialOutcome | None:
        """How a trial ended; None where it has not, or where a power cut took that file."""
        try:
            return TrialOutcome.from_dict(json.loads(self._entry(id).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def end(self, outcome: TrialOutcome) -> bool:
        """Write how a trial ended, once all its files are on the disk; only for who claims it.

        False, and nothing is written, where it had ended before.
        """
        folder = self.trials / outcome.id
        temporary = folder / f".trial.json.{os.getpid()}-{os.urandom(4).hex()}.tmp"
        try:
            folder.mkdir(exist_ok=True)
            temporary.write_bytes(to_json(outcome.to_dict()))
            fsync_tree(folder)
            if self.read_outcome(outcome.id) is None:  # an unreadable entry is none
                self._entry(outcome.id).unlink(missing_ok=True)
            # That name need not last: without it the trial is done again.
            os.link(temporary, self._entry(outcome.id))
        except FileExistsError:
            return False
        except OSError as error:
            raise RunError(f"cannot write {self._entry(outcome.id)}: {error.strerror}") from error
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def forget(self, outcome: TrialOutcome) -> None:
        """Take back that a trial ended so, to try it again; only for who claims it."""
        if self.read_outcome(outcome.id) == outcome:
            self._entry(outcome.id).unlink()

    def furnish(self, id: str, own: Mapping[str, bytes], common: Mapping[str, bytes]) -> None:
        """Put files into a trial's folder, those in `common` as links; again does no harm."""
        folder = self.trials / id
        folder.mkdir(exist_ok=True)
        for name, data in own.items():
            write_bytes(folder / name, data)
        for name, data in common.items():
            if not (folder / name).exists():
                self._link(folder / name, data)

    def _link(self, path: Path, data: bytes) -> None:
        """A second name for the shared file that holds `data`."""
        shared = self._shared / hashlib.sha256(data).hexdigest()[:32]
        if not shared.exists():
            with durable_writes(True):  # trials of later calls trust it
                write_bytes(shared, data)
        try:
            os.link(shared, path)
        except FileExistsError:
            pass
        except OSError:  # a file has as many names as it can, or the file system knows one alone
            write_bytes(path, data)

    def _entry(self, id: str) -> Path:
        return self.trials / id / "trial.json"


FORMAT: Final = 1
ABOUT: Final = "grid.json"
SHORT: Final = 6  # digits of the hash in a folder's name


def find_grid_folder(root: Path, plan: GridPlan, option: str | None = None) -> Path | None:
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
    if _about(folder).get("base") != plan.base_digest:
        raise RunFolderError(
            f"{folder} is the folder of another grid: its configuration or objective differs; "
            "without --folder a new one is made"
        )
    return folder


def open_grid_folder(root: Path, plan: GridPlan, option: str | None = None) -> Path:
    """`find`, or else a new folder with grid.json and source.yaml; two processes get the same."""
    parent = root if option is None else Path(option).expanduser().absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with folder_lock(parent):
            folder = find_grid_folder(root, plan, option)
            if folder is None:
                folder = Path(option).expanduser() if option else _new(root, plan)
                folder.mkdir(exist_ok=True)
            write_json(folder / ABOUT, _describe(plan))
            write_text(folder / "source.yaml", plan.source)
    except OSError as error:
        raise RunFolderError(f"cannot make a grid in {parent}: {error.strerror}") from error
    return folder


def write_plan(folder: Path, plan: GridPlan, trials: Sequence[Trial]) -> None:
    """Write plan.csv and plan.jsonl: all trials asked for so far, in their order."""
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["number", "setting", "seed", "id", *plan.keys])
    for trial in trials:
        cells = [format_cell(trial.values[key]) if key in trial.values else "" for key in plan.keys]
        rows.writerow([trial.number, trial.setting, trial.seed, trial.id, *cells])
    lines = []
    for trial in trials:
        told = trial.to_dict()
        del told["yaml"]  # it stands in the trial's own folder
        lines.append(json.dumps(told, ensure_ascii=False) + "\n")
    write_text(folder / "plan.csv", table.getvalue())
    write_text(folder / "plan.jsonl", "".join(lines))


def format_cell(value: Any) -> str:
    """A value in a table; text as it is, the rest as YAML has it on one line."""
    return value if isinstance(value, str) else flow(value)


def read_outcome(folder: Path, id_: str) -> TrialOutcome | None:
    """How a trial ended; None where it has not, or cannot be read."""
    path = folder / "trials" / id_ / "trial.json"
    if not path.exists():
        return None
    try:
        return TrialOutcome.from_dict(read_json(path))
    except (LdlError, TypeError):
        return None


def is_grid_folder(path: Path) -> bool:
    """Whether a folder is a grid's."""
    return (path / ABOUT).exists()


def _describe(plan: GridPlan) -> dict[str, Any]:
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


def _about(folder: Path) -> dict[str, Any]:
    found = read_json(folder / ABOUT)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise RunFolderError(f"{folder / ABOUT} is not this version's: its format is not {FORMAT}")
    return found


def _newest(root: Path, plan: GridPlan) -> Path | None:
    pattern = f"*-{slug(plan.name)}-grid-{plan.base_digest[:SHORT]}*"
    fitting = []
    for path in sorted(root.glob(pattern)):
        try:
            if is_grid_folder(path) and _about(path).get("base") == plan.base_digest:
                fitting.append(path)
        except LdlError:
            continue
    return fitting[-1] if fitting else None


def _new(root: Path, plan: GridPlan) -> Path:
    base = f"{to_utc():%Y%m%dT%H%M%SZ}-{slug(plan.name)}-grid-{plan.base_digest[:SHORT]}"
    names = (base if n == 1 else f"{base}-{n}" for n in range(1, 1000))
    return next(root / name for name in names if not (root / name).exists())


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Be the only process at work on what `folder` as a whole holds; waits for its turn."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
