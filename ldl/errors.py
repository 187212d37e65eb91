"""The exceptions. Every error that a user can cause is an `LdlError` with an exit code."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SYSTEM_ERRORS: Final = (
    errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.ESTALE,
    errno.EMFILE, errno.ENFILE, errno.EINTR, errno.ENOMEM,
)  # fmt: skip
"""Errors of the system that the user's input does not cause; another call may succeed."""


class LdlError(Exception):
    """The base of all errors for users; `exit_code` is the exit status of the command.

    `folder` is the run folder from which `ldl resume` continues, if there is one.
    """

    exit_code = 1
    folder: str | None = None


class UsageError(LdlError):
    """The command line or its input is wrong."""

    exit_code = 2


class DataError(UsageError):
    """A data set is missing, unreadable or not what the configuration says.

    `setting` names the setting of the section `data` that causes the error.
    """

    def __init__(self, message: str, setting: str = "source") -> None:
        super().__init__(message)
        self.setting = setting


class RunFolderError(UsageError):
    """A run folder is missing, unreadable or in the wrong state for the command."""


class InUse(RunFolderError):
    """Another process is writing to the run folder."""


class RunError(LdlError):
    """A run started and failed."""


class Diverged(RunError):
    """A loss, a gradient or a weight became infinite or NaN."""


class Interrupted(BaseException):
    """A signal stopped the run after a checkpoint; the exit code is 128 + the signal number.

    Like KeyboardInterrupt no Exception, so that no handler of errors takes it for one.
    """

    folder: str | None = None

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by signal {signal_number}")
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number


class SettingError(ValueError):
    """A registry entry rejects a setting; the configuration adds the position in the file."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{setting}: {reason}")
        self.setting = setting
        self.reason = reason


class GraphError(UsageError):
    """A graph cannot be planned; `problems` holds (node name, reason) pairs."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{node}: {reason}" for node, reason in problems))
        self.problems = tuple(problems)


class ShapeError(ValueError):
    """Raised by `Layer.plan`; the graph adds the node's name and raises `GraphError`."""


def system_errno(error: BaseException | None) -> int | None:
    """The number, of SYSTEM_ERRORS, of the error that caused `error`; None where none did."""
    while error is not None:
        if isinstance(error, MemoryError):
            return errno.ENOMEM
        if isinstance(error, OSError) and error.errno in SYSTEM_ERRORS:
            return error.errno
        error = error.__cause__
    return None


def os_error_message(error: OSError | MemoryError) -> str:
    """What failed, for users: the file, where one is known, and the reason."""
    if isinstance(error, MemoryError):
        return ": ".join(filter(None, ("there is not enough memory", str(error))))
    reason = error.strerror or str(error) or type(error).__name__
    return reason if error.filename is None else f"{error.filename}: {reason}"


@dataclass(frozen=True)
class Problem:
    """One mistake in a configuration and its position; line and column count from 1."""

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
    """All problems of a configuration."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{p.location}: {p.message}" for p in problems))
        self.problems = tuple(problems)
