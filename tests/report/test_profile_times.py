"""How long a profile takes: from runs that are there, estimates, and the number of workers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ldl.report.claim_files import ClaimFile
from ldl.report.jobs import Job
from ldl.report.profile_times import makespan, profile_time
from ldl.report.run_index import IndexedRun, RunIndex

from .helpers import make_run


def test_the_end_of_jobs() -> None:
    """The longest first, each on the worker that is free first."""
    assert makespan([], 2) == 0.0
    assert makespan([1.0, 2.0, 3.0], 1) == 6.0
    assert makespan([3.0, 3.0, 2.0, 2.0, 2.0], 2) == 7.0
    assert makespan([5.0, 1.0], 8) == 5.0


def test_estimates_follow_the_pace_of_runs_that_are_there(tmp_path: Path) -> None:
    """Of the same file, else the median of the others; a job in two files counts once."""
    job = Job("a1", 0, 0, "k0", Path("a1.yaml"), (), True, 10.0)
    index = RunIndex()
    run = make_run(tmp_path)
    status = replace(run.read_status(), seconds=20.0)
    index._add("k0", IndexedRun(run, status, "a1"), 10.0)
    jobs = tuple(replace(job, key=f"k{i}", seed=i) for i in range(3))
    other = replace(job, stem="a2", key="m", estimated_seconds=4.0)
    files = [
        ClaimFile("a1", Path("a1.yaml"), jobs=jobs),
        ClaimFile("a2", Path("a2.yaml"), jobs=(*jobs[:1], other)),
    ]
    time = profile_time("faithful", files, index, 2)
    assert (time.jobs, time.done, time.measured) == (4, 1, 20.0)
    assert time.seconds == pytest.approx(20.0 + 2 * 20.0 + 8.0)
    assert time.remaining == pytest.approx(28.0)
