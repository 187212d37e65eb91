"""The jobs of a report in a pool of worker processes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Final

from ldl.errors import Interrupted, LdlError, RunFolderError
from ldl.execute.worker_pool import (
    Task,
    TaskReport,
    TaskResult,
    Worker,
    WorkerPool,
    stop_when_orphaned,
)
from ldl.report.jobs import Job
from ldl.report.run_index import IndexedRun, job_file
from ldl.signals import interrupt_on_signal

JOB_WORKER: Final = "ldl.report.job_pool:JobWorker"
POLL: Final = 0.5  # seconds to wait for a worker before signals are handled
OUTPUT_TAIL: Final = 4000  # bytes of a worker's output that are kept


@dataclass(frozen=True)
class FinishedJob:
    """A job whose process has ended, with its exit code and the end of its output."""

    job: Job
    exit_code: int
    output: str
    seconds: float


def run_jobs(
    jobs: Sequence[Job],
    runs: Mapping[str, IndexedRun],
    root: Path,
    workers: int,
    on_finish: Callable[[FinishedJob], Any],
    folder_of: Callable[[str], Path | None],
) -> None:
    """Run jobs in their order in `root`, `workers` at a time; `on_finish` gets each that has ended.

    A job whose run in `runs` was interrupted continues it. `folder_of` gives the folder of the run
    with a key, if that is done, for jobs that start from its weights; without it they fail. A
    signal stops all workers, each with a checkpoint, and raises Interrupted.
    """
    waiting = list(jobs)
    running: dict[str, Job] = {}
    with (
        TemporaryDirectory() as outputs,
        interrupt_on_signal(),
        closing(WorkerPool(JOB_WORKER, {}, workers)) as pool,
    ):
        while waiting or running:
            pending = {job.key for job in waiting} | running.keys()
            startable = [job for job in waiting if job.after not in pending]
            for job in startable[: workers - len(running)]:
                waiting.remove(job)
                pretrained = folder_of(job.after) if job.after else None
                if job.after and pretrained is None:
                    reason = "the run whose weights it starts from has failed"
                    on_finish(FinishedJob(job, 1, reason, 0.0))
                    continue
                output = Path(outputs) / job.key
                pool.start(
                    Task(job.key, _payload(job, runs.get(job.key), root, pretrained, output))
                )
                running[job.key] = job
            for report in pool.wait(POLL) if running else ():
                job = running.pop(report.id)
                on_finish(_finished_job(job, report, Path(outputs) / job.key))


def _payload(
    job: Job, run: IndexedRun | None, root: Path, pretrained: Path | None, output: Path
) -> dict[str, Any]:
    """The arguments of `JobWorker.run`, in JSON's types."""
    start = [f"start_from={json.dumps(str(pretrained.absolute()))}"] if pretrained else []
    interrupted = run is not None and run.status.status == "interrupted"
    return {
        "file": str(job.path),
        "overrides": [*job.overrides, *start],
        "root": str(root),
        "job_file": {name: text.decode() for name, text in job_file(job).items()},
        "resume": str(run.run.path) if run and interrupted else None,
        "draws_plots": job.draws_plots,
        "output": str(output),
    }


def _finished_job(job: Job, report: TaskReport, output: Path) -> FinishedJob:
    """The job with the end of its output, or without output the reason why its process died."""
    text = ""
    with suppress(OSError):
        text = output.read_bytes()[-OUTPUT_TAIL:].decode("utf-8", "replace").strip()
    exit_code = report.exit_code if report.value is None else report.value
    return FinishedJob(job, exit_code, text or report.error, report.seconds)


class JobWorker(Worker):
    """Trains, or resumes, the run of a job; the value of a task is its exit code."""

    grace: ClassVar[float] = 30.0

    def run(self, task: Task, attempt: int) -> tuple[TaskResult, int]:
        """Run a job. The exit code is that of the command line for the same error."""
        descriptor = os.open(task.payload["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number in (1, 2):
            os.dup2(descriptor, number)
        try:
            with interrupt_on_signal():
                _run_job(task.payload)
        except (LdlError, Interrupted) as error:
            print(error, file=sys.stderr)
            return TaskResult.FINISHED, error.exit_code
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
        return TaskResult.FINISHED, 0


def _run_job(payload: Mapping[str, Any]) -> None:
    """Resume the interrupted run; where there is none, or it cannot be resumed, start one."""
    from ldl.execute import Callbacks, prepare, resume, train
    from ldl.plots import draw
    from ldl.report.run_page import with_run_page
    from ldl.runs import RunFolder

    callbacks = Callbacks(training=stop_when_orphaned())
    if payload["draws_plots"]:
        callbacks = Callbacks(training=callbacks.training, draw=draw)

    def run() -> RunFolder:
        if payload["resume"]:
            with suppress(RunFolderError):
                return resume(RunFolder.open(Path(payload["resume"])), callbacks)
        prepared = prepare(Path(payload["file"]), payload["overrides"])
        files = {name: text.encode() for name, text in payload["job_file"].items()}
        return train(prepared, Path(payload["root"]), callbacks, files)

    if payload["draws_plots"]:
        with_run_page(run)
    else:
        run()
