"""run.log: what the run said, with the time in UTC."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from ldl.errors import RunError

LINE = "%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s"


@contextlib.contextmanager
def log_to(path: Path) -> Iterator[logging.Logger]:
    """While it lasts, logger "ldl" also appends to `path`, from level INFO; gives that logger."""
    logger = logging.getLogger("ldl")
    before = logger.level
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from error
    form = logging.Formatter(LINE, "%Y-%m-%dT%H:%M:%S")
    form.converter = time.gmtime
    handler.setFormatter(form)
    handler.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.setLevel(min(before or logging.INFO, logging.INFO))
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()
