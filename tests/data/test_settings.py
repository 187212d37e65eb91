"""The settings of `ldl.data`: their limits and defaults."""

from __future__ import annotations

from collections.abc import Callable


def test_limits_and_defaults(check_settings: Callable[[str], None]) -> None:
    check_settings("data")
