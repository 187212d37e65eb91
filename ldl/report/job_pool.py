"""Jobs in processes of their own, side by side, the longest first."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from ldl.cores import worker_environment
from ldl.report.jobs import Job
from ldl.report.run_index import IndexedRun, mark
from ldl.train.signals import interrupt_on_signal

PAUSE: Final = 0.05  # seconds between two looks at the workers
GRACE: Final = 30.0  # seconds for a worker to write its checkpoint
TAIL: Final = 4000  # bytes of what a worker said that are kept


@dataclass(frozen=True)
class FinishedJob:
    """A job whose worker has ended, with its exit code and the end of what it said."""

    job: Job
    code: int
    output: str
    seconds: float


@dataclass
class _Worker:
    job: Job
    process: subprocess.Popen[bytes]
    said: IO[bytes]
    began: float

    def ended(self) -> FinishedJob:
        self.said.seek(max(0, self.said.seek(0, os.SEEK_END) - TAIL))
        said = self.said.read().decode("utf-8", "replace").strip()
        self.close()
        code = self.process.returncode
        return FinishedJob(self.job, code, said, time.monotonic() - self.began)

    def close(self) -> None:
        self.said.close()
        if self.process.stdin:
            self.process.stdin.close()


def run_jobs(
    jobs: Sequence[Job],
    known: Mapping[str, IndexedRun],
    root: Path,
    workers: int,
    told: Callable[[FinishedJob], Any],
    folder_of: Callable[[str], Path | None],
) -> None:
    """Run the jobs, `workers` at a time; `told` hears of each that ends.

    A job whose run was interrupted goes on with it. `folder_of` gives the folder of the run with a
    key, if that is done, for jobs that start from its weights; without it they fail. A signal stops
    all workers, each with a checkpoint, and raises Interrupted.
    """
    waiting = sorted(jobs, key=lambda job: -job.guess)
    pending = {job.key for job in jobs}
    running: list[_Worker] = []
    with interrupt_on_signal():
        try:
            while waiting or running:
                for job in [j for j in waiting if j.after not in pending][: workers - len(running)]:
                    waiting.remove(job)
                    donor = folder_of(job.after) if job.after else None
                    if job.after and donor is None:
                        pending.discard(job.key)
                        told(
                            FinishedJob(
                                job, 1, "the run whose weights it starts from has failed", 0.0
                            )
                        )
                        continue
                    running.append(_start(job, known.get(job.key), root, donor))
                for worker in [w for w in running if w.process.poll() is not None]:
                    running.remove(worker)
                    pending.discard(worker.job.key)
                    told(worker.ended())
                time.sleep(PAUSE)
        finally:
            _stop(running)


def _start(job: Job, known: IndexedRun | None, root: Path, donor: Path | None) -> _Worker:
    start = [f"start_from={json.dumps(str(donor.absolute()))}"] if donor else []
    request = {
        "file": str(job.path),
        "overrides": [*job.overrides, *start],
        "root": str(root),
        "mark": mark(job),
        "resume": str(known.run.path) if known and known.status.status == "interrupted" else None,
        "pictures": job.pictures,
    }
    said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `ended` or `close`
    process = subprocess.Popen(
        [sys.executable, "-m", "ldl.report.worker"],
        stdin=subprocess.PIPE,
        stdout=said,
        stderr=said,
        start_new_session=True,  # Ctrl-C reaches the master alone, which stops the workers
        env=worker_environment(),
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended already, and its exit code tells why
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
    return _Worker(job, process, said, time.monotonic())


def _stop(running: Sequence[_Worker]) -> None:
    """SIGTERM to all, and after a while SIGKILL to those that do not end."""
    for worker in running:
        worker.process.send_signal(signal.SIGTERM)
    until = time.monotonic() + GRACE
    for worker in running:
        try:
            worker.process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
        worker.close()
