"""The runs below a root folder: found by name or part of a name, and summarized in a list."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ldl.errors import LdlError, RunFolderError
from ldl.runs.metrics_file import MetricsRow, read_last_row
from ldl.runs.run_folder import RUN_NAME, RunFolder, is_run
from ldl.runs.status import stored_status

MAX_LISTED = 5  # names in an error message


@dataclass(frozen=True)
class RunSummary:
    """The state and results of a run; for a damaged folder `status` is "unreadable"."""

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
        """The name of the folder."""
        return self.path.name

    @property
    def experiment_name(self) -> str:
        """The name of the experiment: the folder's name without its time and hash."""
        return _experiment_name(self.name)


def find_run(root: Path, name: str) -> RunFolder:
    """The run with this name, path or unambiguous part of a name; `last` is the newest run.

    Raises `RunFolderError` with similar names, or with all matches when there are several.
    """
    folders = run_folders(root)
    if name == "last":
        if not folders:
            raise RunFolderError(f"there are no runs in {root}")
        return RunFolder.open(max(folders, key=_start_order))
    exact = [path for path in folders if path.name == name]
    if exact or os.sep in name or is_run(Path(name)):
        return RunFolder.open(exact[0] if exact else Path(name))
    prefix_matches = [path for path in folders if path.name.startswith(name)]
    matches = prefix_matches or [path for path in folders if name in path.name]
    if len(matches) == 1:
        return RunFolder.open(matches[0])
    if matches:
        listed = ", ".join(path.name for path in matches[-MAX_LISTED:])
        count = (
            f"{len(matches)} runs, the newest:" if len(matches) > MAX_LISTED else "several runs:"
        )
        raise RunFolderError(f"{name!r} matches {count} {listed}")
    if (root / name).is_dir():
        return RunFolder.open(root / name)
    raise RunFolderError(f"no run in {root} matches {name!r}{_hint(name, folders)}")


def run_folders(root: Path) -> list[Path]:
    """The run folders in `root`, ordered by name and so by time; empty without a `root`."""
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunFolderError(f"cannot read {root}: {error.strerror}") from error
    return [Path(entry.path) for entry in entries if entry.is_dir() and is_run(Path(entry.path))]


def list_runs(root: Path) -> list[RunSummary]:
    """A summary of every run in `root`, oldest first. Reads small files only."""
    return [summarize(path) for path in run_folders(root)]


def summarize(path: Path) -> RunSummary:
    """The summary of the run at `path`; for a damaged run it holds the reason."""
    run = RunFolder(path)
    try:
        status = run.read_status()
        row = (read_last_row(run.metrics) if run.metrics.exists() else None) or {}
        results = dict(flatten(run.read_results()))
        seconds = run.running_seconds()
    except (LdlError, OSError) as error:
        return RunSummary(path, "unreadable", str(error))
    epoch = row.get("epoch")
    return RunSummary(
        path=path,
        status=status.status,
        reason=status.reason,
        started=status.started,
        seconds=seconds,
        epoch=status.epoch if epoch is None else int(epoch),
        last=row,
        best=status.best or {},
        results=results,
    )


def flatten(value: Any, prefix: str = "", choice_names: bool = False) -> Iterator[tuple[str, Any]]:
    """(dotted path, value) for each value in nested mappings and lists; a flat list is one value.

    With `choice_names`, a choice written as `key: {name: {its settings}}` also gives (key, name).
    """
    items: Iterable[tuple[Any, Any]]
    if isinstance(value, dict) and value:
        items = value.items()
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        items = enumerate(value)
    else:
        yield prefix, value
        return
    for key, item in items:
        path = f"{prefix}.{key}" if prefix else str(key)
        if choice_names and isinstance(item, dict) and len(item) == 1:
            ((name, settings),) = item.items()
            if isinstance(settings, dict):
                yield path, name
        yield from flatten(item, path, choice_names)


def _start_order(path: Path) -> tuple[str, int, str]:
    """A sort key: by start time, and by number for runs that started in the same second."""
    try:
        started = stored_status(path / "status.json").started or ""
    except RunFolderError:
        started = ""
    match = RUN_NAME.fullmatch(path.name)
    start_time = re.sub("[-:]", "", started) or (match[1].rstrip("Z") if match else "")
    return start_time, len(path.name), path.name


def _hint(name: str, folders: list[Path]) -> str:
    if not folders:
        return ": there are no runs yet"
    run_names = {
        text: path.name for path in folders for text in (path.name, _experiment_name(path.name))
    }
    similar = difflib.get_close_matches(name, run_names, MAX_LISTED, 0.5)
    names = ", ".join(dict.fromkeys(run_names[text] for text in similar))
    return f"; did you mean {names}?" if similar else "; `ldl runs` lists them"


def _experiment_name(name: str) -> str:
    match = RUN_NAME.fullmatch(name)
    return match[2] if match else name
