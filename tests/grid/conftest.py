"""A grid for the tests of several files."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .killing import CONFIG, TRIALS, grid
from .running import entries


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, float]:
    """The configuration, an undisturbed grid, and the seconds that it took."""
    folder = tmp_path_factory.mktemp("whole")
    file = folder / "killed.yaml"
    file.write_text(CONFIG)
    started = time.monotonic()
    assert grid(file, folder / "grid", "--jobs", "2").wait() == 0
    assert len(entries(folder / "grid")) == TRIALS
    return file, folder / "grid", time.monotonic() - started
