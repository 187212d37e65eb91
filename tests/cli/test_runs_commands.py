"""`ldl runs` and `ldl show`: listing, sorting, filtering, comparing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Ldl


def listed(ldl: Ldl, runs: Path, *words: str) -> list[dict[str, Any]]:
    """`ldl runs --json`."""
    done = ldl("runs", "--runs", runs, "--json", *words)
    assert done.code == 0, done.err
    found: list[dict[str, Any]] = json.loads(done.out)
    return found


def titles(found: list[dict[str, Any]]) -> list[str]:
    """The experiments' names."""
    return [Path(run["run"]).name.split("-")[1] for run in found]


def test_all_runs_by_start(ldl: Ldl, runs: Path) -> None:
    """Oldest first, whatever second they began in."""
    assert titles(listed(ldl, runs)) == ["flowers", "quick", "line", "squeeze"]


def test_the_table(ldl: Ldl, runs: Path) -> None:
    """A line a run with its status and main result; the names are whole."""
    done = ldl("runs", "--runs", runs)
    assert done.code == 0 and done.err == ""
    for run in listed(ldl, runs):
        (line,) = [text for text in done.out.splitlines() if Path(run["run"]).name in text]
        assert "completed" in line
    assert "classification.accuracy" in done.out and "regression.r2" in done.out


def test_sorting_by_a_figure(ldl: Ldl, runs: Path) -> None:
    """Runs without it stand last."""
    found = listed(ldl, runs, "--sort-by", "accuracy")
    accuracies = [run["results"].get("classification.accuracy") for run in found]
    assert accuracies[2:] == [None, None]
    assert accuracies[:2] == sorted(accuracies[:2])
    losses = [
        r["last"]["validation_loss"] for r in listed(ldl, runs, "--sort-by", "validation_loss")
    ]
    assert losses == sorted(losses)
    assert titles(listed(ldl, runs, "--sort-by", "epoch"))[-1] == "quick"


@pytest.mark.parametrize(
    "key", ["part", "classification.part", "name", "seconds", "r2", "kl_divergence"]
)
def test_sorting_by_anything_there_is(key: str, ldl: Ldl, runs: Path) -> None:
    """Words, numbers, and what only some have, or have as null."""
    assert len(listed(ldl, runs, "--sort-by", key)) == 4


def test_sorting_by_nothing_there_is(ldl: Ldl, runs: Path) -> None:
    """A misspelt key is an error that lists or suggests, not a silent order."""
    done = ldl("runs", "--runs", runs, "--sort-by", "acuracy")
    assert done.code == 2 and "accuracy" in done.err


def test_filters(ldl: Ldl, runs: Path) -> None:
    """By status and by a part of the name."""
    assert titles(listed(ldl, runs, "--name", "qui")) == ["quick"]
    assert len(listed(ldl, runs, "--status", "completed")) == 4
    assert listed(ldl, runs, "--status", "failed") == []


def test_an_unknown_status_is_an_error(ldl: Ldl, runs: Path) -> None:
    """It would match no run for ever."""
    done = ldl("runs", "--runs", runs, "--status", "finished")
    assert done.code == 2 and "completed" in done.err


def test_no_runs(ldl: Ldl, runs: Path, tmp_path: Path) -> None:
    """Said on stderr; an empty list in JSON; no folder is made."""
    done = ldl("runs", "--runs", tmp_path / "none")
    assert (done.code, done.out) == (0, "") and "no runs" in done.err
    assert listed(ldl, tmp_path / "none") == []
    assert not (tmp_path / "none").exists()
    filtered = ldl("runs", "--runs", runs, "--status", "diverged")
    assert "matches" in filtered.err  # there are runs, but none of these


def test_comparing_two(ldl: Ldl, runs: Path) -> None:
    """Only the settings in which they differ, and their results."""
    done = ldl("runs", "flowers", "quick", "--runs", runs, "--json")
    found = json.loads(done.out)
    assert found["settings"]["train.epochs"] == [3, 5]
    assert found["settings"]["optimizer.adam.learning_rate"] == [0.001, 0.05]
    assert not [key for key in found["settings"] if key.startswith(("data", "network"))]
    one, two = found["results"]["classification.accuracy"]
    assert 0 <= one <= 1 and 0 <= two <= 1
    table = ldl("runs", "flowers", "quick", "--runs", runs)
    assert "train.epochs" in table.out and table.code == 0
    lines = ldl("runs", "flowers", "quick", "--runs", runs, "--csv").out.splitlines()
    refused = ldl("runs", "flowers", "quick", "--runs", runs, "--status", "diverged")
    assert refused.code == 2 and "the order in which its runs are named" in refused.err
    assert f"classification.accuracy,{one},{two}" in lines and "–" not in "".join(lines)


def test_runs_that_do_not_exist(ldl: Ldl, runs: Path) -> None:
    """Suggestions, and all that fit where several do."""
    done = ldl("runs", "flowers", "quik", "--runs", runs)
    assert done.code == 2 and "quick" in done.err
    done = ldl("show", "2", "--runs", runs)
    assert done.code == 2 and "fits" in done.err


def test_show(ldl: Ldl, runs: Path) -> None:
    """Status, best, last, results, files."""
    done = ldl("show", "quick", "--runs", runs)
    assert done.code == 0
    for words in ("completed: all epochs are done", "best: epoch", "last: epoch 5", "accuracy",
                  "metrics.csv", "model.safetensors"):  # fmt: skip
        assert words in done.out
    found = json.loads(ldl("show", "quick", "--runs", runs, "--json").out)
    assert found["status"] == "completed" and found["last"]["epoch"] == 5
    assert (
        ldl("show", "last", "--runs", runs)
        .out.splitlines()[0]
        .rpartition("-")[0]
        .endswith("squeeze")
    )


def test_show_by_path(ldl: Ldl, runs: Path) -> None:
    """A folder is a run too, wherever runs lie."""
    folder = next(runs.glob("*line*"))
    assert ldl("show", folder).out.splitlines()[0] == str(folder)


def test_a_damaged_run_is_listed_and_not_hidden(ldl: Ldl, runs: Path, tmp_path: Path) -> None:
    """One bad folder does not take the list away."""
    import shutil

    copy = tmp_path / "runs"
    shutil.copytree(runs, copy)
    next(copy.glob("*quick*/status.json")).write_text("{")
    all_runs = listed(ldl, copy)
    found = dict(zip(titles(all_runs), [run["status"] for run in all_runs], strict=True))
    assert found == {"flowers": "completed", "quick": "unreadable", "line": "completed",
                     "squeeze": "completed"}  # fmt: skip
    done = ldl("show", "quick", "--runs", copy)
    assert done.code == 2 and "status.json" in done.err
