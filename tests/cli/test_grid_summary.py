"""The summary of `ldl grid`, and grids in `ldl runs`."""

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


def test_a_grid_in_its_summary_and_in_lists(ldl: Ldl, tmp_path: Path) -> None:
    """The winner, its test metrics and the folder; then lists sorted by any column."""
    file, runs = tmp_path / "g.yaml", tmp_path / "runs"
    file.write_text(CLASSES + GRID)
    result = ldl("grid", file, "--runs", runs, "--jobs", 1, "--quiet")
    assert result.code == 0, result.err
    folder = Path(result.out.splitlines()[-1])
    assert folder.parent == runs and "winner: setting" in result.out and "±" in result.out
    assert "on the test split" in result.out and "paired t-test" in result.out
    assert {"results.csv", "results.json", "best", "plots"} <= {p.name for p in folder.iterdir()}
    assert (folder / "best" / "report.html").exists()

    again = ldl("grid", file, "--runs", runs, "--quiet", "--json")
    summary = json.loads(again.out)
    assert summary["grid"] == str(folder) and summary["winner"] and summary["test_figures"]

    listed = ldl("runs", "--runs", runs)
    assert folder.name in listed.out and "4/4 done" in listed.out
    (only,) = json.loads(ldl("runs", "--runs", runs, "--json").out)
    assert only["grid"] == str(folder) and only["done"] == 4

    table = ldl("runs", folder, "--sort-by", "objective", "--reverse", "--csv")
    rows = list(csv.DictReader(io.StringIO(table.out)))
    objectives = [float(row["objective"]) for row in rows]
    assert len(rows) == 4 and objectives == sorted(objectives, reverse=True)
    assert {row["network.1"] for row in rows} == {"tanh"}
    changed = ldl("runs", "flowers-grid", "--runs", runs, "--only-changed")
    assert "batch_size" in changed.out and "network.1" not in changed.out
    trials = json.loads(ldl("runs", folder, "--json", "--sort-by", "batch_size").out)
    assert [trial["values"]["train.batch_size"] for trial in trials] == [8, 8, 64, 64]
    wrong = ldl("runs", folder, "--sort-by", "objectiv")
    assert wrong.code != 0 and "did you mean `objective`?" in wrong.err


def test_rounds_are_printed_and_trials_listed_by_status(ldl: Ldl, tmp_path: Path) -> None:
    """The winner of successive halving is compared within its round."""
    file, folder = tmp_path / "h.yaml", tmp_path / "grid"
    search = "  search: {halving: {eta: 2, epochs: 1}}\n"
    file.write_text(CLASSES + GRID + search)
    words = ("train.epochs=2", "--folder", folder)
    result = ldl("grid", file, *words, "--jobs", 1, "--quiet")
    assert result.code == 0, result.err
    assert "2 settings in 2 rounds: 2 for 1, 1 for 2 epochs" in result.out
    assert (
        "no other setting in the round that ends at epoch 2" in result.out
        or "of 1 others" in result.out
    )
    results = json.loads((folder / "results.json").read_text())
    assert results["settings"] == 2 and len(results["rounds"]) == 2
    first = next(folder.glob("trials/*/trial.json"))
    first.unlink()
    (trial,) = json.loads(ldl("runs", folder, "--status", "interrupted", "--json").out)
    assert trial["id"] == first.parent.name
