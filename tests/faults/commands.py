"""`ldl` commands in forked processes, which have everything imported: a case takes no second."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import io
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.faults import phases

PR_SET_CHILD_SUBREAPER = 36
PIPE_BYTES = 1 << 20
TIMEOUT = 60.0  # seconds after which a command hangs

EXPERIMENT = """\
name: tiny
seed: 3
data: {source: {gaussians: {clusters: 2, samples: 60, std: 0.8}}, scale: standard}
network: [{linear: 4}, tanh, linear]
optimizer: {adam: 0.05}
train: {epochs: 3, batch_size: 16, checkpoint_seconds: 0, threads: 1}
evaluate: [classification]
"""
GRID = EXPERIMENT + "grid: {objective: validation.loss, vary: {optimizer.adam: [0.05, 0.02]}}\n"
WARM_UP = (
    ("train", "tiny.yaml", "--runs", "first"),
    ("resume", "last", "--runs", "first"),
    ("evaluate", "last", "--runs", "first"),
    ("report", "last", "--runs", "first"),
    ("show", "last", "--runs", "first"),
    ("grid", "grid.yaml", "--runs", "first", "--jobs", "1"),
    ("train", "missing.yaml"),
)


@dataclass(frozen=True)
class Ended:
    """How a command ended; a negative code is the signal that killed it."""

    code: int
    out: str
    err: str


class Hang(Exception):
    """A command or a process that it started did not end."""


def prepare_process(folder: Path) -> None:
    """Become the parent of orphans, and import all that commands need by calling them once."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _shorten()
    (folder / "tiny.yaml").write_text(EXPERIMENT)
    (folder / "grid.yaml").write_text(GRID)
    argv = sys.argv
    os.chdir(folder)
    for command in WARM_UP:
        sys.argv = ["ldl", *command]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            _call_main(nothing)
    sys.argv = argv
    phases.default_signals()
    gc.collect()
    gc.freeze()


def _shorten() -> None:
    """Replace what takes long and writes nothing: figures, the command line's own structure."""
    import importlib.metadata

    import typer.main
    from matplotlib.figure import Figure

    from ldl import plots
    from ldl.execute import worker_pool

    def empty_figure(*arguments: Any) -> Figure:
        return Figure()

    Figure.savefig = _write_image  # type: ignore[method-assign, assignment]
    for table in (plots._EPOCH_PLOTS, plots._TABLE_PLOTS, plots._ARRAY_PLOTS):
        table.update(dict.fromkeys(table, empty_figure))  # type: ignore[attr-defined]
    plots.contingency_plot.contingency_plot = empty_figure
    typer.main.get_command = cache(typer.main.get_command)
    importlib.metadata.version = cache(importlib.metadata.version)
    worker_pool.subprocess = _ForkingSubprocess  # type: ignore[attr-defined]


def _write_image(figure: Any, file: Any, **options: Any) -> None:
    """Stands for the drawing of a figure."""
    file.write(b"\x89PNG\r\n\x1a\n" + bytes(400))


def nothing() -> None:
    """Do nothing."""


def ldl(
    *arguments: object,
    folder: Path,
    before: Callable[[], object] = nothing,
    after: Callable[[], object] = nothing,
) -> Ended:
    """Run a command in `folder`; its process calls `before` first and `after` last. Raises Hang."""
    streams = [os.pipe() for _ in range(2)]
    for _, end in streams:
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    pid = os.fork()
    if pid == 0:
        _run_main([str(a) for a in arguments], folder, before, after, [end for _, end in streams])
    for _, end in streams:
        os.close(end)
    code = _wait(pid)
    texts = []
    for start, _ in streams:
        with open(start, "rb") as stream:
            texts.append(stream.read().decode("utf-8", "replace"))
    return Ended(code, *texts)


def _run_main(
    arguments: Sequence[str],
    folder: Path,
    before: Callable[[], object],
    after: Callable[[], object],
    outputs: Sequence[int],
) -> None:
    """The forked process; does not return."""
    code: Any = 1
    try:
        os.chdir(folder)
        null = os.open(os.devnull, os.O_RDONLY)
        for number, descriptor in enumerate((null, *outputs)):
            os.dup2(descriptor, number)
        sys.stdout, sys.stderr = (os.fdopen(n, "w", 1, "utf-8", closefd=False) for n in (1, 2))
        sys.argv = ["ldl", *arguments]
        phases.default_signals()
        code = _call_main(before)
        after()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code if isinstance(code, int) else 1)


def _call_main(before: Callable[[], object]) -> Any:
    """The exit code that the interpreter would give."""
    from ldl.cli import main

    try:
        try:
            before()
            main()
        finally:
            sys.setprofile(None)
    except SystemExit as end:
        return end.code or 0
    except KeyboardInterrupt:
        traceback.print_exc()
        return 130
    except BaseException:
        with contextlib.suppress(BaseException):
            traceback.print_exc()
    else:
        return 0
    return 1


def _wait(pid: int) -> int:
    """The exit code of a process, once its descendants have ended too."""
    deadline, code = time.monotonic() + TIMEOUT, 0
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            ended, status = os.waitpid(-1, os.WNOHANG)
            if ended == pid:
                code = os.waitstatus_to_exitcode(status)
            if ended == 0:
                time.sleep(0.001)
        _kill_all()
        raise Hang(f"not ended after {TIMEOUT:g} s")
    return code


def _kill_all() -> None:
    """Kill the children of this process and those that they leave behind."""
    with contextlib.suppress(ChildProcessError):
        while True:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            for child in children:
                os.kill(int(child), signal.SIGKILL)
            os.waitpid(-1, 0)


# --- the fork server of a grid --------------------------------------------------------------


class _ForkedServer:
    """The part of subprocess.Popen that a WorkerPool uses; the process is forked, not started."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        requests, answers = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._serve(command, requests, answers)
        os.close(requests[0])
        os.close(answers[1])
        self.stdin, self.stdout = os.fdopen(requests[1], "wb", 0), os.fdopen(answers[0], "rb", 0)
        self.code: int | None = None

    def _serve(
        self, command: Sequence[str], requests: tuple[int, int], answers: tuple[int, int]
    ) -> None:
        """Be the server; does not return."""
        from ldl.execute import fork_server

        try:
            sys.setprofile(None)
            phases.enter("server")
            phases.default_signals()
            os.dup2(requests[0], 0)
            os.dup2(answers[1], 1)
            for descriptor in (*requests, *answers):
                os.close(descriptor)
            os.setsid()
            sys.argv = list(command[2:])
            fork_server.main()
        except SystemExit:
            os._exit(1)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        finally:
            os._exit(0)

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + (timeout or TIMEOUT)
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("fork_server", timeout or TIMEOUT)
            else:
                time.sleep(0.001)
        return self.code

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


class _ForkingSubprocess:
    """Stands for the module `subprocess` in `ldl.execute.worker_pool`."""

    Popen, PIPE, TimeoutExpired = _ForkedServer, subprocess.PIPE, subprocess.TimeoutExpired
