"""status.json: how a run stands, and whether it still does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, get_args

from ldl.errors import RunFolderError
from ldl.runs.json_files import read_json
from ldl.runs.process import hostname, is_alive

State = Literal["running", "completed", "interrupted", "diverged", "failed"]
STATES: Final = get_args(State)


@dataclass(frozen=True)
class Status:
    """What status.json holds; times are UTC in ISO 8601, `seconds` the time spent running."""

    status: State
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
        """The fields by name, in their order."""
        return asdict(self)


NOT_STARTED: Final = Status("interrupted", "killed before it began")


def timestamp(now: datetime | None = None) -> str:
    """The time in UTC, ISO 8601 to the millisecond: 2026-11-20T09:15:02.250Z."""
    return to_utc(now).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_utc(now: datetime | None = None) -> datetime:
    """`now` in UTC; the clock's time when it is None."""
    return datetime.now(UTC) if now is None else now.astimezone(UTC)


def stored_status(path: Path) -> Status:
    """status.json as it was written; raises `RunFolderError` when it is damaged or missing."""
    found = read_json(path)
    names = {field.name for field in fields(Status)}
    if not isinstance(found, dict) or not _sound(found):
        raise RunFolderError(f"{path} is damaged: not the status of a run")
    return Status(**{name: value for name, value in found.items() if name in names})


def _sound(found: dict[str, Any]) -> bool:
    return (
        found.get("status") in STATES
        and isinstance(found.get("reason"), str)
        and isinstance(found.get("epoch"), int | None)
        and isinstance(found.get("best"), dict | None)
        and all(_is_time(found.get(name)) for name in ("started", "updated"))
        and isinstance(found.get("seconds"), float | int)
        and isinstance(found.get("pid"), int | None)
        and all(isinstance(found.get(name), str | None) for name in ("process", "host"))
    )


def _is_time(value: Any) -> bool:
    try:
        return value is None or bool(datetime.fromisoformat(value))
    except (TypeError, ValueError):
        return False


def current_status(path: Path) -> Status:
    """The status as it is: a running one whose process has died on this host was killed."""
    if not path.exists():
        return NOT_STARTED
    status = stored_status(path)
    here = status.pid is not None and status.host == hostname()
    if status.status == "running" and here and not is_alive(status.pid or 0, status.process):
        return replace(status, status="interrupted", reason="killed")
    return status


def running_seconds(status: Status, until: datetime | None) -> float:
    """The seconds spent running up to `until`; those between a kill and a resume do not count."""
    if status.status != "running" or status.updated is None or until is None:
        return status.seconds
    gone = (until - datetime.fromisoformat(status.updated)).total_seconds()
    return round(status.seconds + max(gone, 0.0), 3)
