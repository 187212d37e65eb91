"""RunFolder: where everything of a run lies, and the only way it is written."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import shutil
import time
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from ldl.atomic_file import fsync_folder, remove_temporary_files, write_bytes
from ldl.errors import RunError, RunFolderError
from ldl.runs.json_files import dump_state, load_state, write_json
from ldl.runs.process import exclusive_lock, hostname, process_start_id
from ldl.runs.status import (
    NOT_STARTED,
    State,
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
DAY = 86_400.0  # seconds
GRID_BEST = "best"  # where a grid has its winner
SLUG_BYTES = 100  # a name on the disk has at most 255


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run; every attribute is a path within it, whether or not it exists."""

    path: Path

    @classmethod
    def create(
        cls,
        root: Path,
        name: str,
        digest: str,
        contents: Mapping[str, bytes],
        now: datetime | None = None,
    ) -> Self:
        """Make `root/20261120T091502Z-denoise-3f9a1c`, or `…-2`, `…-3` when that is taken.

        `digest` is the SHA-256 of the resolved configuration in hexadecimal. The folder appears
        with its `contents`, file name to bytes, at once: it is filled under a hidden name and
        renamed, which fails where a run lies already, so no two runs share one and none is ever
        seen empty. Raises `RunFolderError` when `root` cannot hold one.
        """
        base = f"{to_utc(now):%Y%m%dT%H%M%SZ}-{slug(name)}-{digest[:6]}"
        hidden = root / f".new-{os.getpid()}-{os.urandom(4).hex()}"
        try:
            root.mkdir(parents=True, exist_ok=True)
            _sweep_unborn(root)
            hidden.mkdir()
            for file, data in contents.items():
                write_bytes(hidden / file, data)
            path = next(p for p in _names(root, base) if _renamed(hidden, p))
            fsync_folder(root)
        except (OSError, RunError) as error:
            shutil.rmtree(hidden, ignore_errors=True)
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise RunFolderError(f"cannot make a run in {root}: {why}") from error
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The run that lies at `path`; raises `RunFolderError` when there is none to read."""
        run = cls(path)
        if not path.is_dir():
            raise RunFolderError(f"{path} is no folder" if path.exists() else f"there is no {path}")
        if not is_run(path):
            best = path / GRID_BEST
            if is_run(best):
                raise RunFolderError(f"{path} is a grid: say {best} for its winner")
            raise RunFolderError(f"{path} is not the folder of a run: it has no {run.status.name}")
        run.read_status()
        return run

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def config(self) -> Path:
        """The resolved configuration; `ldl train` on it repeats the run."""
        return self.path / "config.yaml"

    @property
    def source(self) -> Path:
        """What the person wrote, byte for byte."""
        return self.path / "source.yaml"

    @property
    def overrides(self) -> Path:
        """The overrides of the command line."""
        return self.path / "overrides.yaml"

    @property
    def environment(self) -> Path:
        """Versions, processor, BLAS, commit, argv, seed."""
        return self.path / "environment.json"

    @property
    def status(self) -> Path:
        """How the run stands; see `read_status`."""
        return self.path / "status.json"

    @property
    def metrics(self) -> Path:
        """A row an epoch."""
        return self.path / "metrics.csv"

    @property
    def results(self) -> Path:
        """The final judgement of every evaluation."""
        return self.path / "results.json"

    @property
    def model(self) -> Path:
        """The best weights."""
        return self.path / "model.safetensors"

    @property
    def checkpoints(self) -> Path:
        """The folder of the last and the best checkpoint."""
        return self.path / "checkpoints"

    @property
    def contingency(self) -> Path:
        """The folder of the contingency matrices."""
        return self.path / "contingency"

    @property
    def plots(self) -> Path:
        """The folder of the figures and of the numbers they show."""
        return self.path / "plots"

    @property
    def report(self) -> Path:
        """One self-contained page of all this."""
        return self.path / "report.html"

    @property
    def log(self) -> Path:
        """What the run said."""
        return self.path / "run.log"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only writer of this run, and sweep what a killed one left half written.

        Raises `RunFolderError` when another process is at it. The lock of a dead one is free.
        """
        with exclusive_lock(self.path / ".lock"):
            remove_temporary_files(self.path)
            yield

    def set_status(
        self,
        status: State,
        reason: str = "",
        *,
        epoch: int | None = None,
        best: Mapping[str, Any] | None = None,
        now: datetime | None = None,
    ) -> Status:
        """Write status.json; `epoch` and `best` stay as they were where they are None.

        Seconds add up over resumes. Write it when the status changes, not every epoch: it syncs.
        """
        before = stored_status(self.status) if self.status.exists() else NOT_STARTED
        at, here = to_utc(now), os.getpid()
        mark = process_start_id(here)
        same = (before.pid, before.process, before.host) == (here, mark, hostname())
        until = at if same else self.last_metrics_time()
        new = Status(
            status=status,
            reason=reason,
            epoch=before.epoch if epoch is None else epoch,
            best=before.best if best is None else best,
            started=before.started or timestamp(at),
            updated=timestamp(at),
            seconds=running_seconds(before, until),
            pid=here,
            process=mark,
            host=hostname(),
        )
        write_json(self.status, new.to_dict())
        return new

    def read_status(self) -> Status:
        """The status as it is: "interrupted", reason "killed", when the process died running."""
        return current_status(self.status)

    def running_seconds(self) -> float:
        """The time spent running until now, or until a killed run's last sign of life.

        Raises RunFolderError where status.json is damaged.
        """
        if not self.status.exists():
            return NOT_STARTED.seconds
        runs = self.read_status().status == "running"
        return running_seconds(
            stored_status(self.status), to_utc() if runs else self.last_metrics_time()
        )

    def last_metrics_time(self) -> datetime | None:
        """When the last row of metrics.csv was written; None when there is no such file."""
        try:
            return datetime.fromtimestamp(self.metrics.stat().st_mtime, UTC)
        except OSError:
            return None

    def checkpoint(self, kind: CheckpointKind) -> Path:
        """Where the checkpoint of this kind lies."""
        return self.checkpoints / f"{kind}.safetensors"

    def save_checkpoint(
        self,
        kind: CheckpointKind,
        arrays: Mapping[str, np.ndarray[Any, Any]],
        state: Mapping[str, Any],
    ) -> None:
        """Write arrays and state (of JSON's types, infinities too) as one file, atomically."""
        self.checkpoints.mkdir(exist_ok=True)
        save_tensors(self.checkpoint(kind), arrays, {"state": dump_state(state)})

    def load_checkpoint(self, kind: CheckpointKind) -> tuple[NamedArrays, dict[str, Any]] | None:
        """Arrays and state; None when none was saved; `RunFolderError` when it is damaged."""
        path = self.checkpoint(kind)
        if not (path.exists() or is_lost(path)):
            return None
        arrays, metadata = load_tensors(path)
        try:
            return arrays, load_state(metadata["state"])
        except (KeyError, ValueError) as error:
            raise RunFolderError(f"{path} holds no state of a run") from error


def _names(root: Path, base: str) -> Iterator[Path]:
    """`base`, `base-2`, `base-3` …"""
    yield root / base
    for count in itertools.count(2):
        yield root / f"{base}-{count}"


def _renamed(hidden: Path, path: Path) -> bool:
    """Whether `hidden` could take the name `path`, which no folder with contents had."""
    try:
        hidden.rename(path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def _sweep_unborn(root: Path) -> None:
    """Remove what writers killed over a day ago left under hidden names."""
    for stray in root.glob(".new-*"):
        with contextlib.suppress(OSError):
            if time.time() - stray.stat().st_mtime > DAY:
                shutil.rmtree(stray, ignore_errors=True)


def is_run(path: Path) -> bool:
    """Whether a folder is a run's: it has a status, or the name of one killed before it began.

    A grid's folder is named alike, but has a grid.json.
    """
    try:
        if (path / "status.json").exists():
            return True
    except OSError:  # a name that no file can have
        return False
    return RUN_NAME.fullmatch(path.name) is not None and not (path / "grid.json").exists()


def slug(name: str) -> str:
    """The name in letters, digits, `_` and `-` that a folder may bear; "run" when none are left."""
    text = re.sub(r"[^\w]+", "-", unicodedata.normalize("NFC", name)).strip("-").lower()
    return text.encode()[:SLUG_BYTES].decode("utf-8", errors="ignore").rstrip("-") or "run"


def runs_root(option: str | None = None) -> Path:
    """Where runs go: `--runs`, else LDL_RUNS_DIR, else `runs`."""
    return Path(option or os.environ.get("LDL_RUNS_DIR") or "runs").expanduser()
