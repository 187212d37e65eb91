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
    """Training scales, the rest does not; of the same file, else of all; each job counts once."""
    job = Job("a1", 0, 0, "k0", Path("a1.yaml"), (), True, 10.0)
    index = RunIndex()
    assert index.expected_seconds(job) == 10.0
    for stem, key, training, seconds, estimate in (
        ("a1", "k0", 20.0, 23.0, 10.0),
        ("a0", "k9", 4.0, 5.0, 2.0),
    ):
        run = make_run(tmp_path / stem, {}, {"epoch": [1, 2], "seconds": [1.0, training - 1.0]})
        status = replace(run.read_status(), seconds=seconds)
        index._add(key, IndexedRun(run, status, stem), estimate)
    jobs = tuple(replace(job, key=f"k{i}", seed=i) for i in range(3))
    other = replace(job, stem="a2", key="m", estimated_seconds=6.0)
    files = [
        ClaimFile("a1", Path("a1.yaml"), jobs=jobs),
        ClaimFile("a2", Path("a2.yaml"), jobs=(*jobs[:1], other)),
    ]
    time = profile_time("faithful", files, index, 2)
    assert (time.jobs, time.done, time.measured) == (4, 1, 23.0)
    assert time.seconds == pytest.approx(23.0 + 2 * 23.0 + (2.0 + 6 * 2.0))
    assert time.remaining == pytest.approx(23.0 + 14.0)
    assert index.expected_seconds(replace(job, estimated_seconds=1.0)) == pytest.approx(5.0)
