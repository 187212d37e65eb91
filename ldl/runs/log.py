"""run.log: the log lines of a run, with times in UTC."""

from __future__ import annotations

import contextlib
import io
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from ldl.control_characters import escape_controls
from ldl.errors import RunError
from ldl.folder_files import open_file

LINE_FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s"


class _EscapingFormatter(logging.Formatter):
    """Escapes control characters, which names and errors may contain."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record, and its traceback."""
        return escape_controls(super().format(record))


class _RunLogHandler(logging.StreamHandler):  # type: ignore[type-arg]
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Leave out a line that cannot be written; the default prints a traceback."""


@contextlib.contextmanager
def log_to(path: Path) -> Iterator[logging.Logger]:
    """Append the records of logger "ldl" from level INFO to `path` within the block.

    Yields that logger. Raises RunError when the file cannot be opened; a line that cannot be
    written is lost, as the run itself may well end.
    """
    logger = logging.getLogger("ldl")
    previous_level = logger.level
    try:
        file = open_file(path, "ab", buffering=0)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from error
    text = io.TextIOWrapper(file, "utf-8", "backslashreplace", write_through=True)
    handler = _RunLogHandler(text)
    formatter = _EscapingFormatter(LINE_FORMAT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.setLevel(min(previous_level or logging.INFO, logging.INFO))
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        logger.setLevel(previous_level)
        handler.close()
        with contextlib.suppress(OSError):
            text.close()
