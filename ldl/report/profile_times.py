"""How long a profile takes: measured where its runs are there, else estimated."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from ldl.report.claim_files import ClaimFile, Profile
from ldl.report.run_index import RunIndex


@dataclass(frozen=True)
class FileTime:
    """The runs of a file in a profile: seconds measured, and expected of those that are missing."""

    stem: str
    jobs: int
    done: int
    measured: float
    expected: float


@dataclass(frozen=True)
class ProfileTime:
    """The runs of a profile: `seconds` of one core, and until the end with `workers` at once."""

    profile: Profile
    files: tuple[FileTime, ...]
    workers: int
    remaining: float  # seconds

    @property
    def jobs(self) -> int:
        """The number of runs."""
        return sum(file.jobs for file in self.files)

    @property
    def done(self) -> int:
        """The number of runs that are there."""
        return sum(file.done for file in self.files)

    @property
    def measured(self) -> float:
        """The seconds that these took, added up."""
        return sum(file.measured for file in self.files)

    @property
    def seconds(self) -> float:
        """The seconds of all runs, measured and expected, added up."""
        return self.measured + sum(file.expected for file in self.files)


def profile_time(
    profile: Profile, files: Sequence[ClaimFile], index: RunIndex, workers: int
) -> ProfileTime:
    """The time of all jobs of these files, each job once."""
    times, missing, seen = [], [], set()
    for file in files:
        jobs = [job for job in file.jobs if job.key not in seen]
        seen |= {job.key for job in jobs}
        done = [run for job in jobs if (run := index.runs.get(job.key)) and run.done]
        expected = [
            index.expected_seconds(job)
            for job in jobs
            if not ((run := index.runs.get(job.key)) and run.done)
        ]
        measured = sum(run.status.seconds for run in done)
        times.append(FileTime(file.stem, len(jobs), len(done), measured, sum(expected)))
        missing += expected
    return ProfileTime(profile, tuple(times), workers, makespan(missing, workers))


def makespan(seconds: Sequence[float], workers: int) -> float:
    """The end of jobs that `workers` do, the longest first. Source: Graham, 1969."""
    ends = [0.0] * workers
    for duration in sorted(seconds, reverse=True):
        heapq.heapreplace(ends, ends[0] + duration)
    return max(ends)
