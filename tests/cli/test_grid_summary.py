"""What `ldl grid` says at its end, and `ldl runs` of grids."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from .conftest import CLASSES, Ldl

GRID = """\
grid:
  objective: validation.accuracy
  seeds: 2
  vary: {train.batch_size: [8, 64], network.1: [tanh]}
"""


def test_a_grid_from_its_end_to_its_lists(ldl: Ldl, tmp_path: Path) -> None:
    """The winner, its test figures, the folder; then the lists, by any column."""
    file, runs = tmp_path / "g.yaml", tmp_path / "runs"
    file.write_text(CLASSES + GRID)
    done = ldl("grid", file, "--runs", runs, "--jobs", 1, "--quiet")
    assert done.code == 0, done.err
    folder = Path(done.out.splitlines()[-1])
    assert folder.parent == runs and "winner: setting" in done.out and "±" in done.out
    assert "on the test split" in done.out and "paired t-test" in done.out
    assert {"results.csv", "results.json", "best", "plots"} <= {p.name for p in folder.iterdir()}
    assert (folder / "best" / "report.html").exists()

    again = ldl("grid", file, "--runs", runs, "--quiet", "--json")
    told = json.loads(again.out)
    assert told["grid"] == str(folder) and told["winner"] and told["test_figures"]

    listed = ldl("runs", "--runs", runs)
    assert folder.name in listed.out and "4/4 done" in listed.out
    (only,) = json.loads(ldl("runs", "--runs", runs, "--json").out)
    assert only["grid"] == str(folder) and only["done"] == 4

    table = ldl("runs", folder, "--sort-by", "objective", "--reverse", "--csv")
    found = list(csv.DictReader(io.StringIO(table.out)))
    figures = [float(row["objective"]) for row in found]
    assert len(found) == 4 and figures == sorted(figures, reverse=True)
    assert {row["network.1"] for row in found} == {"tanh"}
    changed = ldl("runs", "flowers-grid", "--runs", runs, "--only-changed")
    assert "batch_size" in changed.out and "network.1" not in changed.out
    trials = json.loads(ldl("runs", folder, "--json", "--sort-by", "batch_size").out)
    assert [each["values"]["train.batch_size"] for each in trials] == [8, 8, 64, 64]
    wrong = ldl("runs", folder, "--sort-by", "objectiv")
    assert wrong.code != 0 and "did you mean `objective`?" in wrong.err


def test_rounds_are_said_and_waiting_trials_found(ldl: Ldl, tmp_path: Path) -> None:
    """A winner of halving is compared within its round; trials are found by how they stand."""
    file, folder = tmp_path / "h.yaml", tmp_path / "grid"
    search = "  search: {halving: {eta: 2, epochs: 1}}\n"
    file.write_text(CLASSES + GRID + search)
    words = ("train.epochs=2", "--folder", folder)
    done = ldl("grid", file, *words, "--jobs", 1, "--quiet")
    assert done.code == 0, done.err
    assert "2 settings in 2 rounds: 2 for 1, 1 for 2 epochs" in done.out
    assert (
        "no other setting in the round that ends at epoch 2" in done.out
        or "of 1 others" in done.out
    )
    told = json.loads((folder / "results.json").read_text())
    assert told["settings"] == 2 and len(told["rounds"]) == 2
    first = next(folder.glob("trials/*/trial.json"))
    first.unlink()
    (found,) = json.loads(ldl("runs", folder, "--status", "interrupted", "--json").out)
    assert found["id"] == first.parent.name
