"""Runs as a person looks for them: by name, in a list."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ldl.errors import LdlError, RunFolderError
from ldl.runs.json_files import read_json
from ldl.runs.metrics_file import MetricsRow, read_last_row
from ldl.runs.run_folder import RUN_NAME, RunFolder, is_run
from ldl.runs.status import stored_status

SHOWN = 5  # names in an error


@dataclass(frozen=True)
class RunSummary:
    """A run in a line; `status` is "unreadable" with the reason for a folder that is damaged."""

    path: Path
    status: str
    reason: str = ""
    started: str | None = None
    seconds: float = 0.0
    epoch: int | None = None
    last: MetricsRow = field(default_factory=dict)
    best: Mapping[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def experiment_name(self) -> str:
        """The experiment's name, without the stamp and the hash around it."""
        return _title(self.name)


def find_run(root: Path, name: str) -> RunFolder:
    """The run of this name, part of a name or path, or the `last` that was started.

    Raises `RunFolderError` with the names that come near, or all that fit when several do.
    """
    folders = run_folders(root)
    if name == "last":
        if not folders:
            raise RunFolderError(f"there are no runs in {root}")
        return RunFolder.open(max(folders, key=_began))
    exact = [path for path in folders if path.name == name]
    if exact or os.sep in name or is_run(Path(name)):
        return RunFolder.open(exact[0] if exact else Path(name))
    starting = [path for path in folders if path.name.startswith(name)]
    fitting = starting or [path for path in folders if name in path.name]
    if len(fitting) == 1:
        return RunFolder.open(fitting[0])
    if fitting:
        listed = ", ".join(path.name for path in fitting[-SHOWN:])
        more = f"{len(fitting)} runs, the newest:" if len(fitting) > SHOWN else "several runs:"
        raise RunFolderError(f"{name!r} fits {more} {listed}")
    whole = root / name
    if whole.is_dir():
        return RunFolder.open(whole)
    raise RunFolderError(f"no run in {root} fits {name!r}{_hint(name, folders)}")


def run_folders(root: Path) -> list[Path]:
    """The folders of runs in `root`, by name, which is by time; none when there is no `root`."""
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunFolderError(f"cannot read {root}: {error.strerror}") from error
    return [Path(entry.path) for entry in entries if entry.is_dir() and is_run(Path(entry.path))]


def list_runs(root: Path) -> list[RunSummary]:
    """A summary of every run in `root`, oldest first; reads small files only, never fails."""
    return [summarize(path) for path in run_folders(root)]


def summarize(path: Path) -> RunSummary:
    """The run at `path` in a line; one that cannot be read says why."""
    run = RunFolder(path)
    try:
        status = run.read_status()
        row = read_last_row(run.metrics) if run.metrics.exists() else None
        results = dict(flatten(read_json(run.results))) if run.results.exists() else {}
        seconds = run.running_seconds()
    except (LdlError, OSError) as error:
        return RunSummary(path, "unreadable", str(error))
    epoch = (row or {}).get("epoch")
    return RunSummary(
        path=path,
        status=status.status,
        reason=status.reason,
        started=status.started,
        seconds=seconds,
        epoch=status.epoch if epoch is None else int(epoch),
        last=row or {},
        best=status.best or {},
        results=results,
    )


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested mappings and lists by dotted place; a flat list is one value."""
    nested = isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value)
    if isinstance(value, dict) and value:
        items = [(str(key), item) for key, item in value.items()]
    elif nested:
        items = [(str(place), item) for place, item in enumerate(value)]
    else:
        yield prefix, value
        return
    for key, item in items:
        yield from flatten(item, f"{prefix}.{key}" if prefix else key)


def _began(path: Path) -> tuple[str, int, str]:
    """What orders runs by their start, also those of one second."""
    try:
        started = stored_status(path / "status.json").started or ""
    except RunFolderError:
        started = ""
    match = RUN_NAME.fullmatch(path.name)
    began = re.sub("[-:]", "", started) or (match[1].rstrip("Z") if match else "")
    return began, len(path.name), path.name


def _hint(name: str, folders: list[Path]) -> str:
    if not folders:
        return ": there are none yet"
    words = {part: path.name for path in folders for part in (path.name, _title(path.name))}
    near = difflib.get_close_matches(name, words, SHOWN, 0.5)
    named = ", ".join(dict.fromkeys(words[word] for word in near))
    return f"; did you mean {named}?" if near else "; `ldl runs` lists them"


def _title(name: str) -> str:
    match = RUN_NAME.fullmatch(name)
    return match[2] if match else name
