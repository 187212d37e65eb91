"""status.json: the state of a run, and whether its process is still alive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, get_args

from ldl.errors import RunFolderError
from ldl.runs.json_files import is_number, read_json
from ldl.runs.process import hostname, is_alive

RunState = Literal["running", "completed", "interrupted", "diverged", "failed"]
STATES: Final = get_args(RunState)


@dataclass(frozen=True)
class Status:
    """The content of status.json. Times are UTC in ISO 8601; `seconds` is the time spent running.

    `pid`, `process` (its start id) and `host` identify the process that wrote the file.
    """

    status: RunState
    reason: str = ""
    epoch: int | None = None
    best: Mapping[str, Any] | None = None
    started: str | None = None
    updated: str | None = None
    seconds: float = 0.0
    pid: int | None = None
    process: str | None = None
    host: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, in the order of the file."""
        return asdict(self)


NOT_STARTED: Final = Status("interrupted", "killed before it started")


def timestamp(now: datetime | None = None) -> str:
    """The time in UTC, ISO 8601 to the millisecond: 2026-11-20T09:15:02.250Z."""
    return to_utc(now).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_utc(now: datetime | None = None) -> datetime:
    """`now` in UTC, or the current time when it is None."""
    return datetime.now(UTC) if now is None else now.astimezone(UTC)


def stored_status(path: Path) -> Status:
    """The status in the file at `path`. Raises `RunFolderError` when it is damaged or missing."""
    values = read_json(path)
    if not isinstance(values, dict) or not _is_valid(values):
        raise RunFolderError(f"{path} is damaged: not the status of a run")
    names = {field.name for field in fields(Status)}
    return Status(**{name: value for name, value in values.items() if name in names})


def _is_metric(value: Any) -> bool:
    return is_number(value) or value in (None, "NaN", "Infinity", "-Infinity")


def _is_count(value: Any) -> bool:
    return value is None or (is_number(value) and isinstance(value, int) and value >= 0)


def _is_valid(values: dict[str, Any]) -> bool:
    best = values.get("best")
    return (
        values.get("status") in STATES
        and isinstance(values.get("reason"), str)
        and all(_is_count(values.get(name)) for name in ("epoch", "pid"))
        and isinstance(best, dict | None)
        and all(map(_is_metric, (best or {}).values()))
        and all(_is_time(values.get(name)) for name in ("started", "updated"))
        and is_number(values.get("seconds"))
        and all(isinstance(values.get(name), str | None) for name in ("process", "host"))
    )


def _is_time(value: Any) -> bool:
    try:
        return value is None or datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def current_status(path: Path) -> Status:
    """The stored status, but "interrupted" with reason "killed" when its process has died.

    A process on another host counts as alive. A missing file gives `NOT_STARTED`.
    """
    if not path.exists():
        return NOT_STARTED
    status = stored_status(path)
    on_this_host = status.pid is not None and status.host == hostname()
    if (
        status.status == "running"
        and on_this_host
        and not is_alive(status.pid or 0, status.process)
    ):
        return replace(status, status="interrupted", reason="killed")
    return status


def running_seconds(status: Status, until: datetime | None) -> float:
    """The seconds spent running up to `until`, without those between a kill and a resume."""
    if status.status != "running" or status.updated is None or until is None:
        return status.seconds
    since_update = (until - datetime.fromisoformat(status.updated)).total_seconds()
    return round(status.seconds + max(since_update, 0.0), 3)


def kept_average(
    best: Mapping[str, Any] | None, results: Mapping[str, Any]
) -> tuple[str, dict[str, Any]] | None:
    """`average of 40 steps` and its metrics by column of metrics.csv; None if no average is kept.

    `best` is that of the status, `results` is the content of results.json.
    """
    count, average = (best or {}).get("kept_average"), results.get("average")
    if count is None:
        return None
    average = average if isinstance(average, dict) else {}
    units, metrics = average.get("units"), average.get("average")
    unit = units.get("averaged", "weights") if isinstance(units, dict) else "weights"
    text = f"average of {count} {unit.removesuffix('s') if count == 1 else unit}"
    part, metrics = average.get("part"), metrics if isinstance(metrics, dict) else {}
    return text, {f"{part}_{name}": value for name, value in metrics.items()}
