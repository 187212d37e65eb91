"""The exception tree. Every error that a user can cause is an `LdlError` with an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class LdlError(Exception):
    """The root; `exit_code` is what the command line exits with."""

    exit_code = 1


class UsageError(LdlError):
    """The command cannot be carried out as it was given."""

    exit_code = 2


class DataError(UsageError):
    """A data set is missing, unreadable or not what it should be.

    `setting` names the setting of the section `data` to which that is due.
    """

    def __init__(self, message: str, setting: str = "source") -> None:
        super().__init__(message)
        self.setting = setting


class RunFolderError(UsageError):
    """A run folder is missing, unreadable or not in a state that the command needs."""


class InUse(RunFolderError):
    """Another process is writing that run."""


class RunError(LdlError):
    """A run started and failed; `folder` is what it left, where there is a folder."""

    folder: str | None = None


class Diverged(RunError):
    """A loss, a gradient or a weight stopped being finite."""


class Interrupted(LdlError):
    """A signal ended the run after a checkpoint; the exit code is 128 + the signal's number."""

    folder: str | None = None

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by signal {signal_number}")
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number


class SettingError(ValueError):
    """A registry entry refuses a setting; the configuration adds the line it stands on."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{setting}: {reason}")
        self.setting = setting
        self.reason = reason


class GraphError(UsageError):
    """A network cannot be planned: `problems` pairs a node's name with what is wrong there."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{node}: {reason}" for node, reason in problems))
        self.problems = tuple(problems)


class ShapeError(ValueError):
    """Raised by `Layer.plan`; the graph adds the node's name and raises `GraphError`."""


@dataclass(frozen=True)
class Problem:
    """One mistake in a configuration and where it stands; line and column count from 1."""

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    source: str = ""
    width: int = 1
    hint: str = ""

    @property
    def location(self) -> str:
        """file:line:column, or the file where there is no line."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class ConfigError(UsageError):
    """All that is wrong with a configuration, at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{p.location}: {p.message}" for p in problems))
        self.problems = tuple(problems)
