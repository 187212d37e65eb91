"""A pytest plugin: the lines that each test executes, its seconds, whether it starts processes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

measured: dict[str, dict[str, Any]] = {}
failed: set[str] = set()
current: list[dict[str, Any]] = []


def pytest_configure() -> None:
    """Note which tests start processes."""

    def audit(event: str, _: object) -> None:
        if current and event in ("subprocess.Popen", "os.fork", "os.posix_spawn"):
            current[-1]["processes"] = True

    sys.addaudithook(audit)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Tell coverage which test is running, and note the time of processors that it takes."""
    running = coverage.Coverage.current()
    assert running is not None
    running.switch_context(item.nodeid)
    current.append({"seconds": -cpu_seconds(), "processes": False})
    try:
        return (yield)
    finally:
        running.switch_context("")
        measured[item.nodeid] = facts = current.pop()
        facts["seconds"] += cpu_seconds()


def cpu_seconds() -> float:
    """Seconds that this process and its ended children have computed."""
    return sum(os.times()[:4])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a test that fails without a change: it cannot tell one."""
    if report.failed:
        failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write what was measured of the tests that pass."""
    passed = {test: facts for test, facts in measured.items() if test not in failed}
    content = {"tests": passed, "failed": sorted(failed)}
    Path(os.environ["MUTANTS_TESTS"]).write_text(json.dumps(content))
