"""`ldl runs` and `ldl show`: listing, sorting, filtering, comparing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from .conftest import Ldl


def listed(ldl: Ldl, runs: Path, *words: str) -> list[dict[str, Any]]:
    """`ldl runs --json`."""
    result = ldl("runs", "--runs", runs, "--json", *words)
    assert result.code == 0, result.err
    listing: list[dict[str, Any]] = json.loads(result.out)
    return listing


def titles(listing: list[dict[str, Any]]) -> list[str]:
    """The names of the experiments."""
    return [Path(run["run"]).name.split("-")[1] for run in listing]


def test_all_runs_by_start(ldl: Ldl, runs: Path) -> None:
    """Oldest first, also of runs started in the same second."""
    assert titles(listed(ldl, runs)) == ["flowers", "quick", "line", "squeeze"]


def test_the_table(ldl: Ldl, runs: Path) -> None:
    """A row per run with its status and main result; names are not cut."""
    result = ldl("runs", "--runs", runs)
    assert result.code == 0 and result.err == ""
    for run in listed(ldl, runs):
        (line,) = [text for text in result.out.splitlines() if Path(run["run"]).name in text]
        assert "completed" in line
    assert "classification.accuracy" in result.out and "regression.r2" in result.out


def test_sorting_by_a_metric(ldl: Ldl, runs: Path) -> None:
    """Runs without the metric come last."""
    listing = listed(ldl, runs, "--sort-by", "accuracy")
    accuracies = [run["results"].get("classification.accuracy") for run in listing]
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
def test_sorting_by_any_value(key: str, ldl: Ldl, runs: Path) -> None:
    """Texts, numbers, and values that some runs lack or have as null."""
    assert len(listed(ldl, runs, "--sort-by", key)) == 4


def test_sorting_by_an_unknown_value(ldl: Ldl, runs: Path) -> None:
    """A misspelt key is an error with a suggestion."""
    result = ldl("runs", "--runs", runs, "--sort-by", "acuracy")
    assert result.code == 2 and "accuracy" in result.err


def test_filters(ldl: Ldl, runs: Path) -> None:
    """By status and by a part of the name."""
    assert titles(listed(ldl, runs, "--name", "qui")) == ["quick"]
    assert len(listed(ldl, runs, "--status", "completed")) == 4
    assert listed(ldl, runs, "--status", "failed") == []


def test_an_unknown_status_is_an_error(ldl: Ldl, runs: Path) -> None:
    """It could match no run."""
    result = ldl("runs", "--runs", runs, "--status", "finished")
    assert result.code == 2 and "completed" in result.err


def test_no_runs(ldl: Ldl, runs: Path, tmp_path: Path) -> None:
    """A message on stderr, an empty list in JSON; no folder is made."""
    result = ldl("runs", "--runs", tmp_path / "none")
    assert (result.code, result.out) == (0, "") and "no runs" in result.err
    assert listed(ldl, tmp_path / "none") == []
    assert not (tmp_path / "none").exists()
    filtered = ldl("runs", "--runs", runs, "--status", "diverged")
    assert "matches" in filtered.err  # there are runs, but none of these


def test_comparing_two(ldl: Ldl, runs: Path) -> None:
    """Only the settings in which they differ, and their results."""
    result = ldl("runs", "flowers", "quick", "--runs", runs, "--json")
    listing = json.loads(result.out)
    assert listing["settings"]["train.epochs"] == [3, 5]
    assert listing["settings"]["optimizer.adam.learning_rate"] == [0.001, 0.05]
    assert not [key for key in listing["settings"] if key.startswith(("data", "network"))]
    one, two = listing["results"]["classification.accuracy"]
    assert 0 <= one <= 1 and 0 <= two <= 1
    table = ldl("runs", "flowers", "quick", "--runs", runs)
    assert "train.epochs" in table.out and table.code == 0
    lines = ldl("runs", "flowers", "quick", "--runs", runs, "--csv").out.splitlines()
    refused = ldl("runs", "flowers", "quick", "--runs", runs, "--status", "diverged")
    assert refused.code == 2 and "the order in which its runs are named" in refused.err
    assert f"classification.accuracy,{one},{two}" in lines and "–" not in "".join(lines)


def test_evaluations_of_the_test_samples_are_counted(ldl: Ldl, runs: Path, tmp_path: Path) -> None:
    """By all runs with the same ones; a comparison warns of other samples, on its page too."""
    flowers, quick, line = (Path(run["run"]).name for run in listed(ldl, runs)[:3])
    first = ldl("show", flowers, "--runs", runs).out
    (count,) = [int(text.split()[-3]) for text in first.splitlines() if "test samples: " in text]
    assert count >= 2
    ldl("evaluate", quick, "--runs", runs)
    shown = json.loads(ldl("show", flowers, "--runs", runs, "--json").out)
    assert shown["test_evaluations"] == count + 1
    same = json.loads(ldl("runs", flowers, quick, "--runs", runs, "--json").out)
    assert same["test_evaluations"] == [count + 1] * 2 and same["warning"] is None
    page = tmp_path / "page.html"
    result = ldl("runs", flowers, line, "--runs", runs, "--html", page)
    assert "warning: the runs were evaluated on different test samples" in result.err
    assert "evaluations of the test samples" in result.out
    assert "Warning: the runs were evaluated on different test samples" in page.read_text()


def test_an_overlap_with_pretrained_weights_stands_in_the_table(
    ldl: Ldl, runs: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(runs, tmp_path / "runs")
    results = next(folder.glob("*-flowers-*")) / "results.json"
    content = json.loads(results.read_text())
    content["classification"]["seen_samples"] = {"test": 3}
    results.write_text(json.dumps(content))
    lines = ldl("runs", "--runs", folder).out.splitlines()
    assert [line.rstrip().endswith("(overlap)") for line in lines if "-flowers-" in line] == [True]
    assert sum("(overlap)" in line for line in lines) == 1


def test_comparing_runs_from_before_and_after_a_renaming(
    ldl: Ldl, runs: Path, tmp_path: Path
) -> None:
    """Settings that only bear other names do not differ."""
    for name in ("new", "old"):
        shutil.copytree(next(runs.glob("*quick*")), tmp_path / name)
    config = tmp_path / "old" / "config.yaml"
    text = config.read_text()
    changed = text.replace("gradient_tolerance:", "stop_gradient_norm:").replace(
        "{split:", "{part:"
    )
    assert changed.count("stop_gradient_norm") == 1 and "{part: test" in changed
    config.write_text(changed)
    result = ldl("runs", "new", "old", "--runs", tmp_path, "--json")
    assert json.loads(result.out)["settings"] == {}
    config.write_text(f"{changed}unknown: 1\n")  # of another version: as written
    settings = json.loads(ldl("runs", "new", "old", "--runs", tmp_path, "--json").out)["settings"]
    assert settings["unknown"] == [None, 1] and "evaluate.0.classification.part" in settings


def test_runs_that_do_not_exist(ldl: Ldl, runs: Path) -> None:
    """Suggestions; of an ambiguous name all matches."""
    result = ldl("runs", "flowers", "quik", "--runs", runs)
    assert result.code == 2 and "quick" in result.err
    result = ldl("show", "2", "--runs", runs)
    assert result.code == 2 and "matches" in result.err


def test_show(ldl: Ldl, runs: Path) -> None:
    """Status, best, last, results, files."""
    result = ldl("show", "quick", "--runs", runs)
    assert result.code == 0
    for words in ("completed: all epochs are done", "best: epoch", "last: epoch 5", "accuracy",
                  "metrics.csv", "model.safetensors"):  # fmt: skip
        assert words in result.out
    listing = json.loads(ldl("show", "quick", "--runs", runs, "--json").out)
    assert listing["status"] == "completed" and listing["last"]["epoch"] == 5
    assert (
        ldl("show", "last", "--runs", runs)
        .out.splitlines()[0]
        .rpartition("-")[0]
        .endswith("squeeze")
    )


def test_show_by_path(ldl: Ldl, runs: Path) -> None:
    """A run may be named by its path, wherever it is."""
    folder = next(runs.glob("*line*"))
    assert ldl("show", folder).out.splitlines()[0] == str(folder)


def test_a_damaged_run_is_listed(ldl: Ldl, runs: Path, tmp_path: Path) -> None:
    """Its status is `unreadable`; the other runs are listed too."""
    import shutil

    copy = tmp_path / "runs"
    shutil.copytree(runs, copy)
    next(copy.glob("*quick*/status.json")).write_text("{")
    all_runs = listed(ldl, copy)
    listing = dict(zip(titles(all_runs), [run["status"] for run in all_runs], strict=True))
    assert listing == {"flowers": "completed", "quick": "unreadable", "line": "completed",
                     "squeeze": "completed"}  # fmt: skip
    result = ldl("show", "quick", "--runs", copy)
    assert result.code == 2 and "status.json" in result.err
