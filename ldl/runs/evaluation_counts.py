"""How often the test samples of a run were evaluated, by any run in the same folder of runs.

Each evaluation of a test split appends a line to the file `.evaluations` in the folder of runs: the
SHA-256 of the samples, the time, the name of the run. A line is one write, which the system appends
as a whole, so processes need no lock; a line that a crash cut off counts if its hash is complete.
The lines of deleted runs stay: what was learned from a test split is not forgotten with the run.
"""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ldl.errors import RunFolderError
from ldl.folder_files import open_descriptor, open_file, read_bytes
from ldl.runs.json_files import read_json
from ldl.runs.run_folder import RunFolder
from ldl.runs.status import timestamp

if TYPE_CHECKING:
    import numpy as np

EVALUATIONS_FILE: Final = ".evaluations"
DIGEST_KEY: Final = "test_samples_sha256"  # in environment.json
SPLIT_FILE: Final = "split.npz"


def samples_digest(data_sha256: str, rows: np.ndarray[Any, Any]) -> str:
    """SHA-256 of the data's SHA-256 and of the sample indices (n,) in ascending order."""
    import numpy as np

    data = np.sort(rows).astype("<i8").tobytes()
    return hashlib.sha256(f"{data_sha256}\n".encode() + data).hexdigest()


def record_evaluation(run: RunFolder, digest: str) -> None:
    """Count an evaluation of test samples with this digest; where that fails, log why."""
    # A line break first, so that the end of a line that was cut off does not take this one too.
    line = f"\n{digest} {timestamp()} {run.name}"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    try:
        descriptor = open_descriptor(_file_of(run), flags)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        logging.getLogger("ldl").warning("this evaluation is not counted: %s", error)


def count_evaluations(run: RunFolder) -> int:
    """How often the run's test samples were evaluated; 0 where it has none or nothing is known."""
    digest = run_digest(run)
    try:
        return read_bytes(_file_of(run)).count(f"\n{digest} ".encode()) if digest else 0
    except OSError:
        return 0


def count_text(count: int) -> str:
    """`evaluated 38 times here`."""
    return f"evaluated {'once' if count == 1 else f'{count:,} times'} here"


def run_digest(run: RunFolder) -> str | None:
    """The digest of a run's test samples; None where it has none, or cannot be read."""
    try:
        environment = read_json(run.environment)
        if DIGEST_KEY in environment:
            return str(environment[DIGEST_KEY])
        rows = _test_rows(run)  # of a run from before the digest was written
        return None if rows is None else samples_digest(str(environment["data_sha256"]), rows)
    except (RunFolderError, KeyError, TypeError):
        return None


def sample_warning(runs: Sequence[RunFolder]) -> str | None:
    """A warning where runs were evaluated on different test samples, None where they were not."""
    names: dict[str, list[str]] = {}
    rows: dict[str, np.ndarray[Any, Any] | None] = {}
    for run in runs:
        if digest := run_digest(run):
            names.setdefault(digest, []).append(run.name)
            rows.setdefault(digest, _test_rows(run))
    if len(names) < 2:
        return None
    parts = []
    for digest, group in names.items():
        count = rows[digest]
        parts.append(f"{', '.join(group)}{'' if count is None else f': {len(count)} samples'}")
    text = "the runs were evaluated on different test samples, so their results do not compare"
    return f"{text} ({'; '.join(parts)})"


def _test_rows(run: RunFolder) -> np.ndarray[Any, Any] | None:
    import numpy as np

    try:
        with open_file(run.path / SPLIT_FILE) as file, np.load(file) as rows:
            return np.asarray(rows["test"]) if "test" in rows else None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def _file_of(run: RunFolder) -> Path:
    """In the folder that holds the run, or the grid to which it belongs."""
    parents = run.path.absolute().parents
    grid = next((folder for folder in parents[:2] if (folder / "grid.json").exists()), None)
    return (grid.parent if grid is not None else parents[0]) / EVALUATIONS_FILE
