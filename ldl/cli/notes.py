"""Advice on what is allowed but hardly meant, on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldl.cli.output import say

if TYPE_CHECKING:
    from ldl.execute import PreparedExperiment


def print_notes(prepared: PreparedExperiment) -> None:
    """Each note with its place in the configuration."""
    from ldl.compile import config_warnings

    for path, message in config_warnings(prepared.experiment):
        mark = prepared.loaded.mark(path)
        say(f"{mark.file}:{mark.line}:{mark.column}: note: {message}")
