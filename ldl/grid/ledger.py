"""What a grid folder says of its trials: which have ended and how; where all of it lies."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from ldl.atomic_file import durable_writes, fsync_tree
from ldl.errors import RunError, RunFolderError
from ldl.grid.claims import Claims
from ldl.grid.trial import Outcome
from ldl.runs import RunFolder, to_json, write_bytes

RETRIED = ("failed", "killed", "timeout", "memory")  # endings that another try may change


class Ledger:
    """A grid folder; several processes may use one at once.

    trials/<id>/ is the run folder of a trial, and trials/<id>/trial.json says that it has ended;
    claims/<id> is there while somebody works on it. shared/ holds files that many trials have in
    common, by their SHA-256, hard-linked into them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trials, self._shared = folder / "trials", folder / "shared"
        try:
            for place in (self.trials, self._shared):
                place.mkdir(parents=True, exist_ok=True)
            self.claims = Claims(folder / "claims")
        except OSError as error:
            raise RunFolderError(f"cannot make {error.filename}: {error.strerror}") from error

    def run(self, id: str) -> RunFolder:
        """The run folder of a trial, whether or not it exists."""
        return RunFolder(self.trials / id)

    def outcome(self, id: str) -> Outcome | None:
        """How a trial ended; None where it has not, or where a power cut took that file."""
        try:
            return Outcome.from_dict(json.loads(self._entry(id).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def end(self, outcome: Outcome) -> bool:
        """Write how a trial ended, once all its files are on the disk; only for who claims it.

        False, and nothing is written, where it had ended before.
        """
        folder = self.trials / outcome.id
        temporary = folder / f".trial.json.{os.getpid()}-{os.urandom(4).hex()}.tmp"
        try:
            folder.mkdir(exist_ok=True)
            temporary.write_bytes(to_json(outcome.to_dict()))
            fsync_tree(folder)
            if self.outcome(outcome.id) is None:  # what is there but cannot be read is no entry
                self._entry(outcome.id).unlink(missing_ok=True)
            # That name need not last: without it the trial is done again.
            os.link(temporary, self._entry(outcome.id))
        except FileExistsError:
            return False
        except OSError as error:
            raise RunError(f"cannot write {self._entry(outcome.id)}: {error.strerror}") from error
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def forget(self, outcome: Outcome) -> None:
        """Take back that a trial ended so, to try it again; only for who claims it."""
        if self.outcome(outcome.id) == outcome:
            self._entry(outcome.id).unlink()

    def furnish(self, id: str, own: Mapping[str, bytes], common: Mapping[str, bytes]) -> None:
        """Put files into a trial's folder, those in `common` as links; again does no harm."""
        folder = self.trials / id
        folder.mkdir(exist_ok=True)
        for name, data in own.items():
            write_bytes(folder / name, data)
        for name, data in common.items():
            if not (folder / name).exists():
                self._link(folder / name, data)

    def _link(self, path: Path, data: bytes) -> None:
        """A second name for the shared file that holds `data`."""
        shared = self._shared / hashlib.sha256(data).hexdigest()[:32]
        if not shared.exists():
            with durable_writes(True):  # trials of later calls trust it
                write_bytes(shared, data)
        try:
            os.link(shared, path)
        except FileExistsError:
            pass
        except OSError:  # a file has as many names as it can, or the file system knows one alone
            write_bytes(path, data)

    def _entry(self, id: str) -> Path:
        return self.trials / id / "trial.json"
