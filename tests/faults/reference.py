"""Undisturbed commands that all cases are compared with, and folders that they start from."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import phases
from tests.faults.commands import EXPERIMENT, GRID, Ended, ldl, prepare_process
from tests.faults.system_calls import Fault, SystemCalls

COMMANDS = {
    "train": ("train", "tiny.yaml", "--runs", "runs", "--quiet"),
    "resume": ("resume", "last", "--runs", "runs", "--quiet"),
    "grid": ("grid", "grid.yaml", "--folder", "runs/grid", "--jobs", "1", "--quiet"),
}
MARKS = {"train": phases.mark_training, "resume": phases.mark_training, "grid": phases.mark_grid}
LOGGED_SECONDS = ("seconds",)  # columns that differ between equal runs


@dataclass
class Reference:
    """What a command leaves, which system calls it makes, and how many moments it has."""

    contents: dict[str, Any]
    calls: list[tuple[str, str]]  # (call, phase), in their order
    moments: dict[str, int] = field(default_factory=dict)  # by phase

    def numbers(self, suits: Callable[[str], bool]) -> dict[str, list[int]]:
        """The numbers (from 1) of the calls that suit, by phase."""
        numbers: dict[str, list[int]] = defaultdict(list)
        for number, (call, phase) in enumerate(self.calls, 1):
            if suits(call):
                numbers[phase].append(number)
        return numbers


class Workshop:
    """A folder for cases, with the references in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        prepare_process(folder)
        self.references = {command: self._reference(command) for command in COMMANDS}

    def case(self, name: str, command: str) -> Path:
        """A new folder with all that a command needs; one that is there is removed."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "tiny.yaml").write_text(EXPERIMENT)
        (folder / "grid.yaml").write_text(GRID)
        if command == "resume":
            shutil.copytree(self.folder / "interrupted", folder / "runs")
            (folder / phases.NOT_BEGUN).touch()
        return folder

    def _reference(self, command: str) -> Reference:
        if command == "resume":
            self._interrupted_run()
        folder, record = self.case(f"reference-{command}", command), self.folder / "record"
        recorder = SystemCalls(str(folder / "runs"), record=str(record))
        ended = self.run(folder, command, recorder.install)
        assert ended.code == 0, ended.err
        calls = [tuple(line.split()) for line in record.read_text().splitlines()]
        record.unlink()
        moments = phases.Moments()
        self.run(
            self.case("moments", command), command, moments.start, lambda: moments.save(record)
        )
        counts = json.loads(record.read_text())
        record.unlink()
        return Reference(contents(folder / "runs"), calls, counts)  # type: ignore[arg-type]

    def _interrupted_run(self) -> None:
        """`interrupted/` holds a run that SIGTERM has stopped within its second epoch."""
        moments = phases.Moments("checkpoint", 2000, signal.SIGTERM)
        folder = self.case("stopped", "train")
        ended = self.run(folder, "train", moments.start)
        assert ended.code == 128 + signal.SIGTERM, ended
        shutil.copytree(folder / "runs", self.folder / "interrupted")

    def run(
        self,
        folder: Path,
        command: str,
        prepare: Callable[[], object] = lambda: None,
        finish: Callable[[], object] = lambda: None,
    ) -> Ended:
        """Run a command, in a process in which `prepare` is called first and `finish` last."""

        def before() -> None:
            MARKS[command]()
            prepare()

        return ldl(*COMMANDS[command], folder=folder, before=before, after=finish)

    def faulty(self, folder: Path, command: str, fault: Fault) -> tuple[Ended, bool]:
        """Run a command with a fault; also gives whether the fault came to pass."""
        calls = SystemCalls(str(folder / "runs"), fault)
        return self.run(folder, command, calls.install), calls.happened


def contents(runs: Path) -> dict[str, Any]:
    """What must be equal: of the run in the folder, or of a grid and each of its trials."""
    if (runs / "grid" / "grid.json").exists():
        grid = runs / "grid"
        files = {path.parent.name: path for path in grid.glob("trials/*/trial.json")}
        outcomes = {id: json.loads(path.read_text()) for id, path in files.items()}
        return {
            "outcomes": {i: (o["status"], o["objective"]) for i, o in outcomes.items()},
            "trials": {id: run_contents(path.parent) for id, path in files.items()},
            "table": table(grid / "results.csv"),
            "best": run_contents(grid / "best"),
        }
    folders = [path for path in runs.iterdir() if path.name[0] == "2"]
    return run_contents(folders[0]) if len(folders) == 1 else {"runs": len(folders)}


def run_contents(run: Path) -> dict[str, Any]:
    """The bytes of weights, metrics without seconds, and results, and which files there are."""
    status = json.loads((run / "status.json").read_text())
    files = sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())
    results, page = run / "results.json", run / "report.html"
    return {
        "status": (status["status"], status["reason"], status["epoch"], status["best"]),
        "weights": (run / "model.safetensors").read_bytes(),
        "metrics": table(run / "metrics.csv"),
        "results": results.read_bytes() if results.exists() else None,
        "page": "completed" in page.read_text() if page.exists() else None,
        "files": [name for name in files if not name.startswith(("checkpoints/", "."))],
    }


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file without the columns of seconds."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k not in LOGGED_SECONDS} for row in rows]


def difference(runs: Path, reference: Reference) -> str:
    """What differs from an undisturbed command; empty where nothing does."""
    try:
        found = contents(runs)
    except (OSError, ValueError, KeyError) as error:
        return f"{type(error).__name__}: {error}"
    return _difference(found, reference.contents, "")


def _difference(found: Any, expected: Any, path: str) -> str:
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        pairs = (_difference(found[key], expected[key], f"{path}/{key}") for key in expected)
        return "; ".join(filter(None, pairs))
    if found == expected:
        return ""
    if path.endswith("files") and isinstance(found, list):
        return (
            f"{path}: lacks {sorted({*expected} - {*found})}, has {sorted({*found} - {*expected})}"
        )
    return f"{path}: {str(found)[:150]} instead of {str(expected)[:150]}"


def single_run(runs: Path) -> Path | None:
    """The run folder in `runs`, if there is one."""
    folders = [path for path in runs.glob("2*") if path.is_dir()] if runs.exists() else []
    return folders[0] if folders else None


def remove_tree(path: Path) -> None:
    """Remove a folder, also one with odd modes."""
    for folder, _, _ in os.walk(path):
        os.chmod(folder, 0o700)
    shutil.rmtree(path, ignore_errors=True)
