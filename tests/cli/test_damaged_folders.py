"""Folders with damaged files: every command answers or says what is wrong, without a traceback.

The damage is random, with a seed: odd values in JSON, changed lines and cells, cut, flipped and
replaced bytes, missing files, folders in place of files.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ldl.errors import LdlError
from ldl.grid.grid_results import write_results
from ldl.plots import style
from ldl.plots.grid_plots import draw_grid
from ldl.report.run_index import JOB_FILE, RunIndex
from tests.faults.mutators import ODD_VALUES, mutate_file
from tests.grid.grid_folders import write_grid

from .conftest import Ldl, train_run

CASES = int(os.environ.get("LDL_DAMAGED_CASES", "40"))
EXPERIMENT = """\
name: whole
data: {source: {moons: {samples: 60}}, scale: standard}
network: [{linear: 3}, tanh, linear]
train: {epochs: 2, batch_size: 64, checkpoint_seconds: 0, threads: 1}
evaluate: [classification, {decision_regions: {resolution: 10}}]
"""
JSON_FILES = ("data.json", "environment.json", "status.json", "results.json")
COMMANDS = (
    ("show", "RUN"), ("show", "RUN", "--json"), ("evaluate", "RUN"), ("predict", "RUN", "new.csv"),
    ("report", "RUN"), ("resume", "RUN"), ("verify", "RUN"), ("runs", "--runs", "runs"),
    ("runs", "--runs", "runs", "--csv"), ("runs", "RUN", "RUN"), ("check", "RUN/config.yaml"),
    ("train", "start.yaml", "--runs", "new", "--quiet"),
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A completed run."""
    folder = tmp_path_factory.mktemp("whole")
    train_run(folder, EXPERIMENT)
    (run,) = (folder / "runs").glob("2*")
    (run / JOB_FILE).write_text('{"file": "a1", "seed": 0, "key": "00"}')
    return run


def copy_run(whole: Path, folder: Path, interrupted: bool) -> Path:
    """The run in a new folder, in which the commands are called."""
    run = folder / "runs" / whole.name
    shutil.rmtree(run.parent, ignore_errors=True)
    shutil.rmtree(folder / "new", ignore_errors=True)
    shutil.copytree(whole, run)
    if interrupted:
        text = (run / "status.json").read_text()
        (run / "status.json").write_text(text.replace('"completed"', '"interrupted"'))
    (folder / "new.csv").write_text("x1,x2\n5,3\n")
    (folder / "start.yaml").write_text(f"start_from: {run}\n{EXPERIMENT}")
    return run


def call(ldl: Ldl, command: tuple[str, ...], run: Path, case: str) -> None:
    """A command on a run: an answer, or an error with a message."""
    arguments = [word.replace("RUN", str(run)) for word in command]
    try:
        result = ldl(*arguments)
    except BaseException as error:
        error.add_note(f"{case}: {' '.join(command)}")
        raise
    assert result.code in (0, 1, 2) and "Traceback" not in result.err, case
    assert result.code == 0 or result.err.strip() or command[0] == "verify", case


def damage(rng: random.Random, file: Path) -> str:
    """Change, remove or replace a file; what was done."""
    kind = rng.random()
    if kind < 0.9:
        file.write_bytes(mutate_file(rng, file.name, file.read_bytes()))
        return f"{file.name} changed to {file.read_bytes()[:3000]!r}"
    file.unlink()
    if kind > 0.95:
        file.mkdir()
    return f"{file.name} {'a folder' if file.is_dir() else 'missing'}"


def test_damaged_runs(
    ldl: Ldl, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any file of a run, any command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(style, "save_png", lambda figure, path: path)  # a second for each run
    for number in range(CASES):
        rng = random.Random(f"damaged run {number}")
        command = rng.choice(COMMANDS)
        run = copy_run(whole, tmp_path, interrupted=command[0] == "resume")
        files = sorted(path for path in run.rglob("*") if path.is_file() and path.suffix != ".png")
        file = rng.choice(files)
        case = f"case {number}, {damage(rng, file)}"
        call(ldl, command, run, case)
        RunIndex.read(run.parent)


@pytest.mark.parametrize("name", JSON_FILES)
def test_odd_values_everywhere_in_a_file(
    ldl: Ldl, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The whole file is an odd value; then each of its keys has one, or is missing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(style, "save_png", lambda figure, path: path)
    content = json.loads((whole / name).read_text())
    rng = random.Random(name)
    contents = [rng.choice(ODD_VALUES), [], {}]
    for key in content:
        contents += [{**content, key: rng.choice(ODD_VALUES)}, {**content, key: {"a": [1]}}]
        contents.append({k: v for k, v in content.items() if k != key})
    commands = [command for command in COMMANDS if command[0] in READERS[name]]
    for number, odd in enumerate(contents):
        run = copy_run(whole, tmp_path, interrupted=False)
        (run / name).write_text(json.dumps(odd))
        call(ldl, commands[number % len(commands)], run, f"{name}: {json.dumps(odd)}")


READERS = {
    "data.json": ("predict", "evaluate"),
    "environment.json": ("report", "verify", "train"),
    "status.json": ("show", "runs", "report"),
    "results.json": ("show", "runs", "report"),
}


def test_damaged_grids(ldl: Ldl, tmp_path: Path) -> None:
    """Any file of a grid: lists, tables and plots."""
    readers: list[Callable[[Path], object]] = [
        lambda grid: call(ldl, ("runs", "RUN"), grid, case),
        lambda grid: call(ldl, ("runs", "--runs", str(grid.parent)), grid, case),
        lambda grid: call(ldl, ("runs", "RUN", "--json"), grid, case),
        write_results,
        draw_grid,
    ]
    settings = [{"optimizer.sgd.learning_rate": 0.1 * i, "loss": "mse"} for i in range(3)]
    for number in range(CASES):
        rng = random.Random(f"damaged grid {number}")
        shutil.rmtree(tmp_path / "runs", ignore_errors=True)
        grid = write_grid(
            tmp_path / "runs" / "g", settings, [[0.1, 0.2], [0.3, "failed"], [None] * 2]
        )
        write_results(grid)
        file = rng.choice(sorted(path for path in grid.rglob("*") if path.is_file()))
        case = f"case {number}, {damage(rng, file)}"
        reader = rng.choice(readers)
        try:
            reader(grid)
        except LdlError:
            pass
        except BaseException as error:
            error.add_note(case)
            raise
