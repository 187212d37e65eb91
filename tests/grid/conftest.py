"""What several files need."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .killing import CONFIG, TRIALS, grid
from .running import entries


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, float]:
    """The configuration, an undisturbed grid, and the seconds that it took."""
    place = tmp_path_factory.mktemp("whole")
    file = place / "killed.yaml"
    file.write_text(CONFIG)
    began = time.monotonic()
    assert grid(file, place / "grid", "--jobs", "2").wait() == 0
    assert len(entries(place / "grid")) == TRIALS
    return file, place / "grid", time.monotonic() - began
