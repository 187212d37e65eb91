"""All commands: each module registers its own, and the help lists them in this order."""

from __future__ import annotations

# isort: off
from ldl.cli.app import app
from ldl.cli import training, gridding, checking, judging, reading, reporting, datasets, reference  # noqa: F401

__all__ = ["app"]
