"""The folder of a grid: found again by the same command, with the files of its plan."""

from __future__ import annotations

import csv
import json
import threading
from pathlib import Path

import pytest

from ldl.errors import RunFolderError
from ldl.grid.trial_store import (
    find_grid_folder,
    is_grid_folder,
    open_grid_folder,
    read_outcome,
    write_plan,
)
from ldl.runs import write_json
from ldl.runs.run_list import list_runs, run_folders

from .plans import SIZES, finished, grid_plan

BLOCK = f"seeds: 2\nvary:\n  {SIZES}\n  network.1: [tanh, {{dropout: 0.1}}]"


def test_a_folder_that_a_killed_grid_has_begun_is_new(tmp_path: Path) -> None:
    """It holds a temporary file alone; any other file is somebody's."""
    folder, plan = tmp_path / "grid", grid_plan(tmp_path, BLOCK)
    folder.mkdir()
    (folder / ".grid.json.7-0123abcd.tmp").touch()
    assert open_grid_folder(tmp_path, plan, str(folder)) == folder
    (folder / "grid.json").unlink()
    with pytest.raises(RunFolderError, match="not the folder of a grid"):
        find_grid_folder(tmp_path, plan, str(folder))


def test_the_same_command_finds_the_folder(tmp_path: Path) -> None:
    """Also with other values and seeds; another configuration gets another folder."""
    root = tmp_path / "runs"
    plan = grid_plan(tmp_path, BLOCK)
    assert find_grid_folder(root, plan) is None
    folder = open_grid_folder(root, plan)
    assert folder.parent == root and folder.name.endswith(f"-small-grid-{plan.base_digest[:6]}")
    assert find_grid_folder(root, plan) == open_grid_folder(root, plan) == folder
    more = grid_plan(tmp_path, f"seeds: 3\nvary: {{{SIZES}}}")
    assert open_grid_folder(root, more) == folder
    other = grid_plan(tmp_path, BLOCK, "train.epochs=2")
    assert find_grid_folder(root, other) is None and open_grid_folder(root, other) != folder


def test_the_newest_folder_is_found(tmp_path: Path) -> None:
    """Of several with the same base, the one with the latest time."""
    plan = grid_plan(tmp_path, BLOCK)
    folder = open_grid_folder(tmp_path, plan)
    newer = folder.with_name(folder.name.replace(folder.name[:4], "2999"))
    newer.mkdir()
    (newer / "grid.json").write_bytes((folder / "grid.json").read_bytes())
    assert find_grid_folder(tmp_path, plan) == newer


def test_simultaneous_calls_get_one_folder(tmp_path: Path) -> None:
    """As when two people start one grid."""
    plan = grid_plan(tmp_path, BLOCK)
    folders: list[Path] = []
    threads = [
        threading.Thread(target=lambda: folders.append(open_grid_folder(tmp_path / "runs", plan)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 8 and len(set(folders)) == 1


def test_a_given_folder(tmp_path: Path) -> None:
    """`--folder` makes and finds it; a folder of something else is an error."""
    plan, folder = grid_plan(tmp_path, BLOCK), tmp_path / "deep" / "own"
    assert find_grid_folder(tmp_path, plan, str(folder)) is None
    assert open_grid_folder(tmp_path, plan, str(folder)) == folder
    assert find_grid_folder(tmp_path, plan, str(folder)) == folder
    with pytest.raises(RunFolderError, match="another grid"):
        find_grid_folder(tmp_path, grid_plan(tmp_path, BLOCK, "seed=3"), str(folder))
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").touch()
    with pytest.raises(RunFolderError, match=r"no grid\.json"):
        open_grid_folder(tmp_path, plan, str(full))


def test_the_files_of_the_plan(tmp_path: Path) -> None:
    """grid.json, the source, and the plan as a table and as JSON."""
    plan = grid_plan(tmp_path, BLOCK)
    folder, trials = open_grid_folder(tmp_path / "runs", plan), plan.search.ask([])
    write_plan(folder, plan, trials)
    content = json.loads((folder / "grid.json").read_text())
    assert content["base"] == plan.base_digest and content["objective"]["name"] == "validation.loss"
    assert content["keys"] == ["train.batch_size", "network.1"] and content["format"] == 1
    assert (folder / "source.yaml").read_text() == (tmp_path / "small.yaml").read_text()
    rows = list(csv.DictReader((folder / "plan.csv").read_text().splitlines()))
    assert [(r["number"], r["seed"], r["id"]) for r in rows] == [
        (str(t.number), str(t.seed), t.id) for t in trials
    ]
    assert (rows[2]["train.batch_size"], rows[2]["network.1"]) == ("8", "{dropout: 0.1}")
    lines = [json.loads(line) for line in (folder / "plan.jsonl").read_text().splitlines()]
    assert [line["values"] for line in lines] == [dict(t.values) for t in trials]
    assert "yaml" not in lines[0]


def test_a_grid_folder_is_no_run(tmp_path: Path) -> None:
    """`ldl runs` does not list it as a killed run."""
    folder = open_grid_folder(tmp_path, grid_plan(tmp_path, BLOCK))
    assert is_grid_folder(folder) and run_folders(tmp_path) == [] and list_runs(tmp_path) == []


def test_reading_outcomes(tmp_path: Path) -> None:
    """As they were written; None where there is none or it cannot be read."""
    plan = grid_plan(tmp_path, BLOCK)
    folder, trial = open_grid_folder(tmp_path, plan), plan.search.ask([])[0]
    assert read_outcome(folder, trial.id) is None
    file = folder / "trials" / trial.id / "trial.json"
    file.parent.mkdir(parents=True)
    write_json(file, finished(trial, 0.25).to_dict())
    assert read_outcome(folder, trial.id) == finished(trial, 0.25)
    file.write_text("{")
    assert read_outcome(folder, trial.id) is None
    file.write_text('{"id": 3}')
    assert read_outcome(folder, trial.id) is None


def test_a_folder_of_another_version(tmp_path: Path) -> None:
    """It is not changed."""
    plan = grid_plan(tmp_path, BLOCK)
    folder = open_grid_folder(tmp_path, plan)
    write_json(folder / "grid.json", {"format": 99, "base": plan.base_digest})
    assert find_grid_folder(tmp_path, plan) is None
    with pytest.raises(RunFolderError, match="format"):
        find_grid_folder(tmp_path, plan, str(folder))
