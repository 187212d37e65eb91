"""The runs of a folder by the keys of their jobs, so that no job is run twice."""

from __future__ import annotations

import statistics
import time
from collections.abc import Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from ldl.errors import LdlError
from ldl.report.jobs import Job
from ldl.report.run_metrics import RunMetrics
from ldl.runs import RunFolder, Status, read_json, to_json
from ldl.runs.run_list import run_folders

JOB_FILE: Final = "job.json"
DONE: Final = ("completed", "diverged")
RANK: Final = ("failed", "interrupted", "running", *DONE)
IDLE_TIMEOUT: Final = 60.0  # seconds for runs to stop whose parent was killed


@dataclass(frozen=True)
class IndexedRun:
    """A run that was made for a job, with the status that it had when it was read."""

    run: RunFolder
    status: Status
    stem: str

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do: a run that diverged would diverge again."""
        return self.status.status in DONE


def job_file(job: Job) -> dict[str, bytes]:
    """The file, {name: content}, in a run's folder that says which job it is for."""
    content = {
        "file": job.stem, "seed": job.seed, "key": job.key, "estimate": job.estimated_seconds,
    }  # fmt: skip
    return {JOB_FILE: to_json(content)}


@dataclass(frozen=True)
class Pace:
    """The time that a run took, beside the estimate of its job."""

    run: IndexedRun
    estimate: float

    @cached_property
    def training(self) -> float:
        """The seconds of its epochs."""
        return min(RunMetrics(self.run.run).seconds, self.run.status.seconds)

    @property
    def rest(self) -> float:
        """The seconds of its start, evaluations and plots, which more epochs do not change."""
        return self.run.status.seconds - self.training


@dataclass(frozen=True)
class RunIndex:
    """The best run of each job by key, and by file the pace of its longest run."""

    runs: dict[str, IndexedRun] = field(default_factory=dict)
    paces: dict[str, Pace] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> RunIndex:
        """The index of the runs in `root`. Unreadable ones are left out: their jobs run again."""
        index = cls()
        for folder in run_folders(root):
            if not (folder / JOB_FILE).exists():
                continue
            try:
                content: dict[str, Any] = read_json(folder / JOB_FILE)
                run = IndexedRun(
                    RunFolder(folder), RunFolder(folder).read_status(), content["file"]
                )
                key, estimate = str(content["key"]), float(content.get("estimate") or 0.0)
            except (LdlError, KeyError, TypeError, ValueError):
                continue
            index._add(key, run, estimate)
        return index

    @classmethod
    def read_idle(cls, root: Path, keys: Set[str]) -> RunIndex:
        """`read`, once none of these jobs is running any more, or after a time limit.

        Runs whose parent was killed stop by themselves, with a checkpoint, within seconds.
        """
        deadline = time.monotonic() + IDLE_TIMEOUT
        while True:
            index = cls.read(root)
            running = (run.status.status == "running" for k, run in index.runs.items() if k in keys)
            if not any(running) or time.monotonic() > deadline:
                return index
            time.sleep(0.2)

    def expected_seconds(self, job: Job) -> float:
        """How long a job may take: training at the pace of its file's longest run, and the rest.

        Without such a run at the pace of all files together.
        """
        own = self.paces.get(job.stem)
        paces = [own] if own is not None else list(self.paces.values())
        estimated = sum(pace.estimate for pace in paces)
        if not estimated:
            return job.estimated_seconds
        rest = statistics.median(pace.rest for pace in paces)
        return rest + job.estimated_seconds * sum(pace.training for pace in paces) / estimated

    def _add(self, key: str, run: IndexedRun, estimate: float) -> None:
        best = self.runs.get(key)
        if best is None or _rank(run) >= _rank(best):
            self.runs[key] = run
        longest = self.paces.get(run.stem)
        if run.done and estimate and (longest is None or estimate >= longest.estimate):
            self.paces[run.stem] = Pace(run, estimate)


def _rank(run: IndexedRun) -> int:
    return RANK.index(run.status.status)
