"""A grid's folder is found again by the same command."""

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


def test_the_same_command_finds_it(tmp_path: Path) -> None:
    """Also with other values and seeds; another configuration gets a folder of its own."""
    root = tmp_path / "runs"
    plan = grid_plan(tmp_path, BLOCK)
    assert find_grid_folder(root, plan) is None
    place = open_grid_folder(root, plan)
    assert place.parent == root and place.name.endswith(f"-small-grid-{plan.base_digest[:6]}")
    assert find_grid_folder(root, plan) == open_grid_folder(root, plan) == place
    more = grid_plan(tmp_path, f"seeds: 3\nvary: {{{SIZES}}}")
    assert open_grid_folder(root, more) == place
    other = grid_plan(tmp_path, BLOCK, "train.epochs=2")
    assert find_grid_folder(root, other) is None and open_grid_folder(root, other) != place


def test_the_newest_is_found(tmp_path: Path) -> None:
    """Of several of the same base, the one with the latest stamp."""
    plan = grid_plan(tmp_path, BLOCK)
    place = open_grid_folder(tmp_path, plan)
    newer = place.with_name(place.name.replace(place.name[:4], "2999"))
    newer.mkdir()
    (newer / "grid.json").write_bytes((place / "grid.json").read_bytes())
    assert find_grid_folder(tmp_path, plan) == newer


def test_many_at_once_get_one_folder(tmp_path: Path) -> None:
    """As when two people start it together."""
    plan = grid_plan(tmp_path, BLOCK)
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(open_grid_folder(tmp_path / "runs", plan)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    """`--folder` makes and finds it; what is something else's is refused."""
    plan, place = grid_plan(tmp_path, BLOCK), tmp_path / "deep" / "mine"
    assert find_grid_folder(tmp_path, plan, str(place)) is None
    assert open_grid_folder(tmp_path, plan, str(place)) == place
    assert find_grid_folder(tmp_path, plan, str(place)) == place
    with pytest.raises(RunFolderError, match="another grid"):
        find_grid_folder(tmp_path, grid_plan(tmp_path, BLOCK, "seed=3"), str(place))
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").touch()
    with pytest.raises(RunFolderError, match=r"no grid\.json"):
        open_grid_folder(tmp_path, plan, str(full))


def test_what_is_written(tmp_path: Path) -> None:
    """grid.json, the source, and the plan as a table and as JSON."""
    plan = grid_plan(tmp_path, BLOCK)
    place, trials = open_grid_folder(tmp_path / "runs", plan), plan.search.ask([])
    write_plan(place, plan, trials)
    about = json.loads((place / "grid.json").read_text())
    assert about["base"] == plan.base_digest and about["objective"]["name"] == "validation.loss"
    assert about["keys"] == ["train.batch_size", "network.1"] and about["format"] == 1
    assert (place / "source.yaml").read_text() == (tmp_path / "small.yaml").read_text()
    rows = list(csv.DictReader((place / "plan.csv").read_text().splitlines()))
    assert [(r["number"], r["seed"], r["id"]) for r in rows] == [
        (str(t.number), str(t.seed), t.id) for t in trials
    ]
    assert (rows[2]["train.batch_size"], rows[2]["network.1"]) == ("8", "{dropout: 0.1}")
    lines = [json.loads(line) for line in (place / "plan.jsonl").read_text().splitlines()]
    assert [line["values"] for line in lines] == [dict(t.values) for t in trials]
    assert "yaml" not in lines[0]


def test_it_is_no_run(tmp_path: Path) -> None:
    """`ldl runs` does not take it for a run that was killed."""
    place = open_grid_folder(tmp_path, grid_plan(tmp_path, BLOCK))
    assert is_grid_folder(place) and run_folders(tmp_path) == [] and list_runs(tmp_path) == []


def test_outcomes(tmp_path: Path) -> None:
    """As they were written; nothing where there is none, or one that cannot be read."""
    plan = grid_plan(tmp_path, BLOCK)
    place, trial = open_grid_folder(tmp_path, plan), plan.search.ask([])[0]
    assert read_outcome(place, trial.id) is None
    file = place / "trials" / trial.id / "trial.json"
    file.parent.mkdir(parents=True)
    write_json(file, finished(trial, 0.25).to_dict())
    assert read_outcome(place, trial.id) == finished(trial, 0.25)
    file.write_text("{")
    assert read_outcome(place, trial.id) is None
    file.write_text('{"id": 3}')
    assert read_outcome(place, trial.id) is None


def test_a_folder_of_another_version(tmp_path: Path) -> None:
    """Is not touched."""
    plan = grid_plan(tmp_path, BLOCK)
    place = open_grid_folder(tmp_path, plan)
    write_json(place / "grid.json", {"format": 99, "base": plan.base_digest})
    assert find_grid_folder(tmp_path, plan) is None
    with pytest.raises(RunFolderError, match="format"):
        find_grid_folder(tmp_path, plan, str(place))
