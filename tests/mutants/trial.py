"""Run chosen tests in a fork of this process, which has imported the libraries that they need."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest

LIBRARIES = (
    "hypothesis", "jinja2", "matplotlib.pyplot", "numpy", "PIL.Image", "safetensors.numpy",
    "scipy.linalg", "scipy.optimize", "scipy.signal", "scipy.special", "scipy.stats",
    "sklearn.datasets", "sklearn.linear_model", "sklearn.metrics", "threadpoolctl", "typer", "yaml",
)  # fmt: skip
QUIET = ("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")
MEMORY = 8 << 30  # bytes of address space of a test process
GRACE = 10.0  # seconds on top of three times those that the tests took


class Selection:
    """A pytest plugin that runs the given tests in the given order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.ranks = {test: rank for rank, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the given tests."""
        items[:] = [item for item in items if item.nodeid in self.ranks]
        items.sort(key=lambda item: self.ranks[item.nodeid])


def preload() -> None:
    """Import the libraries before the first fork, so that no fork has to."""
    for name in LIBRARIES:
        import_module(name)


def python_path(copy: Path) -> str:
    """PYTHONPATH with the tree `copy` before all else."""
    return os.pathsep.join([str(copy), os.environ.get("PYTHONPATH", "")])


def notices(copy: Path, tests: Sequence[str], seconds: float) -> str:
    """What ends the tests in the tree `copy`: "failed", "timeout", or "" where all of them pass.

    `seconds` is how long they take without a change.
    """
    pid = os.fork()
    if pid == 0:
        try:
            run_tests(copy, tests, int(3 * seconds + GRACE))
        finally:  # not even an exit that a test asks for continues the parent's program
            os._exit(3)
    deadline = time.monotonic() + 10 * (3 * seconds + GRACE)  # other programs may take the cores
    ended, status = 0, 0
    while not ended and time.monotonic() < deadline:
        time.sleep(0.02)
        ended, status = os.waitpid(pid, os.WNOHANG)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # what the tests started, too
    if not ended:
        os.waitpid(pid, 0)
        return "timeout"
    passed = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    return "" if os.waitstatus_to_exitcode(status) in passed else "failed"


def run_tests(copy: Path, tests: Sequence[str], seconds: int) -> None:
    """End this process with pytest's exit code, or by a signal after `seconds` of its own time."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    os.environ["PYTHONPATH"] = python_path(copy)
    # Bytecode files tell changes within one second and of one length not apart.
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
        del sys.modules[name]  # those of the tree itself
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "", *QUIET, *files]
    os._exit(pytest.main(options, plugins=[Selection(tests)]))
