"""The phase that a command is in, and signals at a chosen moment of a phase."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

NOT_BEGUN = "not-begun"  # a file of a case: the command has not begun with the run folder

_phase = "start"


def current() -> str:
    """The phase of this process."""
    return _phase


def enter(phase: str) -> None:
    """Begin a phase."""
    global _phase
    _phase = phase


def _marked(owner: Any, name: str, begin: str, after: str) -> None:
    """Let the function `owner.name` begin a phase, and another one when it returns."""
    function = getattr(owner, name)

    @wraps(function)
    def marked(*arguments: Any, **options: Any) -> Any:
        enter(begin)
        result = function(*arguments, **options)
        enter(after)
        return result

    setattr(owner, name, marked)


def mark_training() -> None:
    """Phases of `train`: start, data, epochs, checkpoint, evaluation, plots and finish.

    Removes the file NOT_BEGUN of the working directory when the command begins with its run.
    """
    from ldl.cli import train_commands
    from ldl.execute.preparation import PreparedExperiment
    from ldl.report import run_page
    from ldl.runs import RunFolder
    from ldl.train import Trainer

    enter("start")
    _marked(PreparedExperiment, "data", "data", "data")
    _marked(Trainer, "fit", "epochs", "evaluation")
    _marked(RunFolder, "save_checkpoint", "checkpoint", "epochs")
    _marked(train_commands, "draw", "plots", "finish")
    with_run_page = run_page.with_run_page

    def begin(*arguments: Any) -> Any:
        if os.path.exists(NOT_BEGUN):
            os.unlink(NOT_BEGUN)
        return with_run_page(*arguments)

    run_page.with_run_page = begin


def mark_grid() -> None:
    """Phases of `grid`: start, trials and finish of the command, trial and server."""
    from ldl.execute.fork_server import ForkServer
    from ldl.grid.run import GridRun
    from ldl.grid.trial_worker import TrialWorker

    enter("start")
    _marked(GridRun, "run", "trials", "finish")
    _marked(ForkServer, "serve", "server", "server")
    _marked(TrialWorker, "run", "trial", "trial")


class Moments:
    """Counts what Python calls in each phase; sends a signal at one of these moments."""

    def __init__(self, phase: str = "", at: int = 0, number: int = 0) -> None:
        self.phase, self.at, self.number = phase, at, number
        self.counts: Counter[str] = Counter()

    def start(self) -> None:
        """Begin to count, in the main thread of this process."""
        sys.setprofile(self._count)

    def _count(self, frame: Any, event: str, argument: Any) -> None:
        self.counts[_phase] += 1
        if self.number and _phase == self.phase and self.counts[_phase] >= self.at:
            sys.setprofile(None)
            os.kill(os.getpid(), self.number)

    def save(self, path: Path) -> None:
        """Write the counts as JSON."""
        path.write_text(json.dumps(self.counts))


def default_signals() -> None:
    """The handlers that Python starts with."""
    handlers: dict[int, Callable[..., Any] | int] = {signal.SIGINT: signal.default_int_handler}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM):
        signal.signal(number, handlers.get(number, signal.SIG_DFL))
    signal.set_wakeup_fd(-1)
    signal.setitimer(signal.ITIMER_REAL, 0)
