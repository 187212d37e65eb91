"""RunFolder: the paths of everything in a run folder, and the functions that write it."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import time
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from ldl.atomic_file import fsync_folder, remove_temporary_files, remove_tree, write_bytes
from ldl.errors import RunError, RunFolderError, system_errno
from ldl.folder_files import make_folder, open_file, without_links
from ldl.runs.json_files import dump_state, load_state, read_mapping, to_json, write_json
from ldl.runs.process import exclusive_lock, hostname, process_start_id
from ldl.runs.status import (
    NOT_STARTED,
    RunState,
    Status,
    current_status,
    running_seconds,
    stored_status,
    timestamp,
    to_utc,
)
from ldl.runs.tensors import NamedArrays, is_lost, load_tensors, save_tensors

if TYPE_CHECKING:
    import numpy as np

CheckpointKind = Literal["last", "best"]

RUN_NAME: Final = re.compile(r"(\d{8}T\d{6}Z)-(.+)-[0-9a-f]{6}(?:-\d+)?")
STALE_AFTER = 86_400.0  # seconds after which an incomplete folder belongs to a dead process
GRID_BEST = "best"  # the run folder of the best trial within a grid's folder
SLUG_BYTES = 100  # file systems allow 255 bytes for a name


class _Entry:
    """An attribute that gives the path of a file or folder within the run folder."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, run: RunFolder, owner: type[RunFolder]) -> Path:
        return run.path / self.name


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run. Each entry below is a path in it, whether or not it exists."""

    path: Path

    config = _Entry("config.yaml")
    """The resolved configuration; `ldl train` on it repeats the run."""
    source = _Entry("source.yaml")
    """The configuration as the user wrote it, byte for byte."""
    overrides = _Entry("overrides.yaml")
    """The overrides from the command line."""
    environment = _Entry("environment.json")
    """Versions, processor, BLAS, git commit, argv, seed."""
    status = _Entry("status.json")
    """The state of the run; see `read_status`."""
    metrics = _Entry("metrics.csv")
    """One row per epoch."""
    results = _Entry("results.json")
    """The results of every evaluation."""
    model = _Entry("model.safetensors")
    """The best weights."""
    average = _Entry("average.safetensors")
    """The averaged weights, with `train.average`."""
    checkpoints = _Entry("checkpoints")
    """The folder of the last and the best checkpoint."""
    contingency = _Entry("contingency")
    """The folder of the contingency matrices."""
    plots = _Entry("plots")
    """The folder of the plots and of the data that they show."""
    report = _Entry("report.html")
    """One self-contained page of the whole run."""
    log = _Entry("run.log")
    """The log lines of the run."""

    @classmethod
    def create(
        cls,
        root: Path,
        name: str,
        digest: str,
        contents: Mapping[str, bytes],
        now: datetime | None = None,
    ) -> Self:
        """Create `root/20261120T091502Z-denoise-3f9a1c`, or `…-2`, `…-3` when that exists.

        `digest` is the SHA-256 of the resolved configuration in hexadecimal; `contents` maps file
        names to bytes. The folder is filled under a hidden name and then renamed. The rename fails
        if the name is taken, so two processes never share a folder, and no folder is ever seen
        without its contents. Raises `RunFolderError` when `root` is not writable.
        """
        base = f"{to_utc(now):%Y%m%dT%H%M%SZ}-{slug(name)}-{digest[:6]}"
        hidden, path = root / f".new-{os.getpid()}-{os.urandom(4).hex()}", None
        try:
            root.mkdir(parents=True, exist_ok=True)
            _remove_stale_folders(root)
            hidden.mkdir()
            for file, data in contents.items():
                write_bytes(hidden / file, data)
            path = _rename_to_free_name(hidden, root, base)
            fsync_folder(root)
        except (OSError, RunError) as error:
            remove_tree(hidden)
            reason = error.strerror if isinstance(error, OSError) else str(error)
            failure = RunFolderError(f"cannot create a run in {root}: {reason}")
            failure.folder = str(path) if path else None
            raise failure from error
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The run at `path`. Raises `RunFolderError` when there is no readable run."""
        run = cls(path)
        if not path.is_dir():
            problem = "is not a folder" if path.exists() else "does not exist"
            raise RunFolderError(f"{path} {problem}")
        if not is_run(path):
            best = path / GRID_BEST
            if is_run(best):
                raise RunFolderError(f"{path} is a grid; its best run is {best}")
            raise RunFolderError(f"{path} is not a run folder: it has no {run.status.name}")
        run.read_status()
        return run

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.name

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only writer of this run; remove the temporary files of a killed writer first.

        Raises `RunFolderError` when another process holds the lock. A dead process holds none.
        """
        with exclusive_lock(self.path / ".lock"):
            remove_temporary_files(self.path)
            yield

    def set_status(
        self,
        status: RunState,
        reason: str = "",
        *,
        epoch: int | None = None,
        best: Mapping[str, Any] | None = None,
        now: datetime | None = None,
    ) -> Status:
        """Write status.json; `epoch` and `best` keep their values where they are None.

        `seconds` accumulate over resumes. Call this when the status changes, not in every epoch,
        because it waits for the disk.
        """
        previous = stored_status(self.status) if self.status.exists() else NOT_STARTED
        time_now, pid, host = to_utc(now), os.getpid(), hostname()
        start_id = process_start_id(pid)
        same_process = (previous.pid, previous.process, previous.host) == (pid, start_id, host)
        until = time_now if same_process else self.last_metrics_time()
        updated = Status(
            status=status,
            reason=reason,
            epoch=previous.epoch if epoch is None else epoch,
            best=previous.best if best is None else best,
            started=previous.started or timestamp(time_now),
            updated=timestamp(time_now),
            seconds=running_seconds(previous, until),
            pid=pid,
            process=start_id,
            host=host,
        )
        try:
            write_json(self.status, updated.to_dict())
        except RunError:
            if not (self.status.exists() and _overwrite(self.status, to_json(updated.to_dict()))):
                raise
        return updated

    def read_status(self) -> Status:
        """The current status: "interrupted", reason "killed", when the process died running."""
        return current_status(self.status)

    def read_results(self) -> dict[str, dict[str, Any]]:
        """The results of every evaluation by name; none without the file.

        Raises RunFolderError for a damaged results.json.
        """
        results = read_mapping(self.results) if self.results.exists() else {}
        for name, values in results.items():
            if not _is_result(values):
                raise RunFolderError(f"{self.results} is damaged: {name} is no result")
        return results

    def running_seconds(self) -> float:
        """The seconds spent running until now, or until the last row of a killed run.

        Raises RunFolderError for a damaged status.json.
        """
        if not self.status.exists():
            return NOT_STARTED.seconds
        is_running = self.read_status().status == "running"
        until = to_utc() if is_running else self.last_metrics_time()
        return running_seconds(stored_status(self.status), until)

    def last_metrics_time(self) -> datetime | None:
        """When the last row of metrics.csv was written; None without that file."""
        try:
            return datetime.fromtimestamp(self.metrics.stat().st_mtime, UTC)
        except OSError:
            return None

    def checkpoint(self, kind: CheckpointKind) -> Path:
        """The path of the checkpoint of this kind."""
        return self.checkpoints / f"{kind}.safetensors"

    def save_checkpoint(
        self,
        kind: CheckpointKind,
        arrays: Mapping[str, np.ndarray[Any, Any]],
        state: Mapping[str, Any],
    ) -> None:
        """Write arrays and state (JSON types, NaN and infinities too) atomically as one file."""
        try:
            make_folder(self.checkpoints)
        except OSError as error:
            raise RunError(f"cannot write {self.checkpoints}: {error.strerror}") from error
        save_tensors(self.checkpoint(kind), arrays, {"state": dump_state(state)})

    def load_checkpoint(self, kind: CheckpointKind) -> tuple[NamedArrays, dict[str, Any]] | None:
        """Arrays and state, None without a checkpoint; `RunFolderError` for a damaged one."""
        path = self.checkpoint(kind)
        if not (path.exists() or is_lost(path)):
            return None
        arrays, metadata = load_tensors(path)
        try:
            return arrays, load_state(metadata["state"])
        except (KeyError, ValueError) as error:
            raise RunFolderError(f"{path} holds no state of a run") from error


def _overwrite(path: Path, data: bytes) -> bool:
    """Write the JSON `data` over a small file: a full disk has room for that.

    Whether it succeeded; the file is unchanged where a part of it alone can be written.
    """
    try:
        with open_file(path, "r+b", buffering=0) as file:
            previous = file.read()
            padded = data.ljust(len(previous))
            file.seek(0)
            if file.write(padded) == len(padded):
                return True
            file.seek(0)
            file.write(previous)
            file.truncate(len(previous))
    except OSError:
        pass
    return False


def _is_result(values: Any) -> bool:
    """Whether a value is the result of an evaluation."""
    return (
        isinstance(values, dict)
        and isinstance(values.get("part"), str | None)
        and isinstance(values.get("samples"), int | None)
        and isinstance(values.get("notes"), list | None)
    )


def _rename_to_free_name(hidden: Path, root: Path, base: str) -> Path:
    """Rename `hidden` to the first free name of `base`, `base-2`, `base-3` …; return the path.

    Renaming a folder to a folder with contents fails, so the name is taken atomically.
    """
    for number in itertools.count(1):
        path = root / (base if number == 1 else f"{base}-{number}")
        try:
            return hidden.rename(path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    raise AssertionError  # count() never ends


def _remove_stale_folders(root: Path) -> None:
    """Remove the hidden folders of processes that were killed over a day ago."""
    for folder in root.glob(".new-*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > STALE_AFTER:
                remove_tree(folder)


def is_run(path: Path) -> bool:
    """Whether `path` is a run folder: it has a status.json, or the name of a run without one.

    A run that was killed before it started has no status.json. A grid's folder has such a name
    too, but it holds a grid.json.
    """
    try:
        if (path / "status.json").exists():
            return True
    except OSError as error:  # a name that no file can have
        if system_errno(error):
            raise
        return False
    return RUN_NAME.fullmatch(path.name) is not None and not (path / "grid.json").exists()


def slug(name: str) -> str:
    """The name reduced to letters, digits, `_` and `-` for a folder; "run" when none are left."""
    text = re.sub(r"[^\w]+", "-", unicodedata.normalize("NFC", name)).strip("-").lower()
    return text.encode()[:SLUG_BYTES].decode("utf-8", errors="ignore").rstrip("-") or "run"


def runs_root(option: str | None = None) -> Path:
    """The folder of all runs: `--runs`, else LDL_RUNS_DIR, else `runs`."""
    root = Path(option or os.environ.get("LDL_RUNS_DIR") or "runs").expanduser()
    return without_links(root)
