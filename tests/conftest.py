"""Collection rules for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Collect tests/external, which import PyTorch, with `-m external` only; likewise Chromium."""
    external = Path(__file__).parent / "external"
    if collection_path.is_relative_to(external) and config.option.markexpr != "external":
        return True
    if collection_path.name == "test_browser.py" and config.option.markexpr != "browser":
        return True
    return None
