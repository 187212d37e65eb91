"""run.log: the log lines of a run, with times in UTC."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from ldl.errors import RunError

LINE_FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s"


@contextlib.contextmanager
def log_to(path: Path) -> Iterator[logging.Logger]:
    """Append the records of logger "ldl" from level INFO to `path` within the block.

    Yields that logger. Raises RunError when the file cannot be opened.
    """
    logger = logging.getLogger("ldl")
    previous_level = logger.level
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from error
    formatter = logging.Formatter(LINE_FORMAT, "%Y-%m-%dT%H:%M:%S")
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
