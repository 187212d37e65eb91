"""Which runs of a folder belong to which job, so that nothing is done twice."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ldl.errors import LdlError
from ldl.report.jobs import Job
from ldl.runs import RunFolder, Status, read_json
from ldl.runs.run_list import run_folders

MARK: Final = "job.json"
DONE: Final = ("completed", "diverged")
RANK: Final = ("failed", "interrupted", "running", *DONE)
PATIENCE: Final = 60.0  # seconds for a run whose owner was killed to stop


@dataclass(frozen=True)
class IndexedRun:
    """A run that was made for a job, and how it stood when it was looked at."""

    run: RunFolder
    status: Status
    stem: str

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do: a run that diverged would do so again."""
        return self.status.status in DONE


def mark(job: Job) -> dict[str, Any]:
    """What the file in a run's folder says that tells which job it is for."""
    return {"file": job.stem, "seed": job.seed, "key": job.key}


def known_runs(root: Path) -> tuple[dict[str, IndexedRun], dict[str, float]]:
    """The best run of each job by key, and the longest time that a run of each file took.

    Folders that cannot be read are passed over: their jobs are done again.
    """
    best: dict[str, IndexedRun] = {}
    seconds: dict[str, float] = {}
    for folder in run_folders(root):
        if not (folder / MARK).exists():
            continue
        try:
            found: dict[str, Any] = read_json(folder / MARK)
            known = IndexedRun(RunFolder(folder), RunFolder(folder).read_status(), found["file"])
            key = str(found["key"])
        except (LdlError, KeyError, TypeError):
            continue
        before = best.get(key)
        if before is None or _rank(known) >= _rank(before):
            best[key] = known
        if known.done:
            seconds[known.stem] = max(seconds.get(known.stem, 0.0), known.status.seconds)
    return best, seconds


def _rank(known: IndexedRun) -> int:
    return RANK.index(known.status.status)


def settled(root: Path, keys: set[str]) -> tuple[dict[str, IndexedRun], dict[str, float]]:
    """`known_runs` once none of these jobs is being run by someone else, or patience has ended.

    Workers whose master was killed stop by themselves, with a checkpoint, within seconds.
    """
    until = time.monotonic() + PATIENCE
    while True:
        best, seconds = known_runs(root)
        busy = [key for key in keys & best.keys() if best[key].status.status == "running"]
        if not busy or time.monotonic() > until:
            return best, seconds
        time.sleep(0.2)
