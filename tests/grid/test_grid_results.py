"""The results of a grid: the table, the winner and its ties, lists, best/."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_rel

from ldl.errors import RunError
from ldl.grid.best import find_best, make_best
from ldl.grid.grid_list import find_grid, list_grids, read_grid_entry, trial_rows
from ldl.grid.grid_plan import GridOptions
from ldl.grid.grid_results import paired_t_test, read_results, write_results
from ldl.grid.leases import Leases
from ldl.grid.objective import Objective
from ldl.grid.run import run_grid
from ldl.grid.trial_store import open_grid_folder
from ldl.runs import RunFolder, read_json

from .grid_folders import write_grid
from .plans import grid_plan
from .running import RecordedEvents

SETTINGS: list[dict[str, Any]] = [
    {"a.rate": 0.1},
    {"a.rate": 0.2},
    {"a.rate": 0.3, "b": [1, 2]},
    {"a.rate": 0.4},
]


def rows(folder: Path) -> list[dict[str, str]]:
    """results.csv."""
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_is_sorted(tmp_path: Path) -> None:
    """Best first; candidates that lost a seed follow complete ones, then those without a value."""
    figures: list[list[Any]] = [[0.5, 0.7], ["diverged", 0.1], [0.3, 0.4], ["diverged", "failed"]]
    folder = write_grid(tmp_path, SETTINGS, figures)
    write_results(folder)
    table = rows(folder)
    assert list(table[0]) == [
        "number", "a.rate", "b", "mean", "sd", "seeds", "epochs", "seconds", "status",
    ]  # fmt: skip
    assert [row["number"] for row in table] == ["3", "1", "2", "4"]
    assert table[0]["b"] == "[1, 2]" and table[1]["b"] == ""
    assert (table[0]["mean"], table[0]["sd"][:8]) == ("0.35", "0.070710")
    assert table[0]["status"] == "completed 2/2"
    assert table[2]["status"] == "completed 1/2, diverged 1/2"
    assert (table[2]["seeds"], table[2]["sd"]) == ("1", "")
    assert table[3]["status"] == "diverged 1/2, failed 1/2" and table[3]["mean"] == ""
    content = read_json(folder / "results.json")
    assert content["winner"]["number"] == 3
    assert content["counts"] == {"completed": 5, "diverged": 2, "failed": 1}


def test_the_goal_is_max(tmp_path: Path) -> None:
    """The highest objective wins."""
    goal = Objective("validation.accuracy", "max", column="validation_accuracy")
    folder = write_grid(tmp_path, SETTINGS[:2], [[0.5], [0.9]], goal)
    results, _ = write_results(folder)
    assert results.winner is not None and results.winner.number == 2


def test_ties_by_a_paired_test(tmp_path: Path) -> None:
    """A small but consistent difference is no tie; a large one with much spread is."""
    figures = [[0.1, 0.2, 0.3, 0.4], [0.11, 0.212, 0.309, 0.411], [0.9, 0.1, 0.1, 0.9]]
    folder = write_grid(tmp_path, SETTINGS[:3], figures)
    results, _ = write_results(folder)
    tied = results.tied
    assert tied is not None and [row.number for row, _ in tied] == [3]
    assert tied[0][1] == pytest.approx(float(ttest_rel(figures[0], figures[2]).pvalue))
    content = read_json(folder / "results.json")
    assert (
        content["tied"][0]["number"] == 3
        and "paired" in content["test"]
        and content["alpha"] == 0.05
    )


def test_untested_candidates(tmp_path: Path) -> None:
    """A candidate with one seed left is neither tied nor worse."""
    figures = [[0.1, 0.1, 0.1], [0.0999, "failed", "failed"], [0.5, 0.6, 0.4]]
    results, _ = write_results(write_grid(tmp_path, SETTINGS[:3], figures))
    content = read_json(tmp_path / "results.json")
    assert results.tied == [] and content["untested"] == 1
    assert content["notes"] == [
        "1 other cannot be compared: fewer than two seeds in common with the winner"
    ]


def test_the_test_agrees_with_scipy() -> None:
    """For any number of seeds, and where the seeds of the two differ."""
    rng = np.random.default_rng(0)
    for n in (2, 3, 5, 40):
        one, other = rng.normal(size=n), rng.normal(0.3, size=n)
        ours = paired_t_test(dict(enumerate(one)), {**dict(enumerate(other)), 99: 7.0})
        assert ours == pytest.approx(float(ttest_rel(one, other).pvalue), rel=1e-12)


def test_no_ties_with_one_seed(tmp_path: Path) -> None:
    """A note says why."""
    results, _ = write_results(write_grid(tmp_path, SETTINGS[:2], [[0.5], [0.5]]))
    assert results.tied is None
    assert "one seed" in read_json(tmp_path / "results.json")["notes"][0]


def test_a_note_about_two_seeds(tmp_path: Path) -> None:
    """Three seeds need no note."""
    write_results(write_grid(tmp_path / "two", SETTINGS[:2], [[0.5, 0.6], [0.5, 0.9]]))
    assert "2 seeds" in read_json(tmp_path / "two" / "results.json")["notes"][0]
    write_results(write_grid(tmp_path / "three", SETTINGS[:2], [[0.5, 0.6, 0.7], [0.5, 0.9, 0.6]]))
    assert read_json(tmp_path / "three" / "results.json")["notes"] == []


def test_differences_without_spread() -> None:
    """Equal values are tied; values with a constant difference are not."""
    assert paired_t_test({0: 0.5, 1: 0.25}, {0: 0.5, 1: 0.25}) == 1.0
    assert paired_t_test({0: 0.5, 1: 0.25}, {0: 1.0, 1: 0.75}) == 0.0
    assert paired_t_test({0: 0.5, 1: 0.25}, {1: 0.5, 2: 0.7}) is None
    with warnings.catch_warnings():  # the same but for rounding
        warnings.simplefilter("error")
        assert paired_t_test({0: 0.3, 1: 0.6}, {0: 0.1, 1: 0.4}) == 0.0
        assert paired_t_test({0: 0.1 + 0.2, 1: 0.5}, {0: 0.3, 1: 0.5}) == 1.0


def test_waiting_trials_and_a_grid_without_results(tmp_path: Path) -> None:
    """An unfinished grid has results too."""
    folder = write_grid(tmp_path / "a", SETTINGS[:2], [[0.5, None], [None, None]])
    results, changed = write_results(folder)
    assert changed and results.counts == {"completed": 1, "waiting": 3}
    assert results.winner is not None and results.winner.number == 1
    assert not write_results(tmp_path / "a")[1]
    empty, _ = write_results(write_grid(tmp_path / "b", SETTINGS[:1], [["failed"]]))
    assert empty.winner is None
    assert read_json(tmp_path / "b" / "results.json")["notes"] == ["no trial has an objective"]


def test_lists(tmp_path: Path) -> None:
    """Grids by name and as entries; trials in the order of the plan."""
    folder = write_grid(
        tmp_path / "20260101T000000Z-made-grid-ababab", SETTINGS[:2], [[0.5], ["failed"]]
    )
    (tmp_path / "20260102T000000Z-made-grid-ababab").mkdir()
    (tmp_path / "20260102T000000Z-made-grid-ababab" / "grid.json").write_text("{}")
    good, bad = list_grids(tmp_path)
    assert (good.status, good.done, good.trials) == ("2/2 done, 1 failed", 2, 2)
    assert bad.status == "unreadable" and bad.reason
    assert find_grid(tmp_path, str(folder)) == folder
    assert find_grid(tmp_path, "20260101") == folder and find_grid(tmp_path, "made") is None
    folder.rename(tmp_path / "20260101T000000Z-elastic-grid-ababab")
    assert find_grid(tmp_path, "elast") is not None and find_grid(tmp_path, "last") is None
    folder = tmp_path / "20260101T000000Z-elastic-grid-ababab"
    table = trial_rows(read_results(folder), folder)
    assert [(row["number"], row["status"]) for row in table] == [(1, "completed"), (2, "failed")]
    assert read_grid_entry(folder).to_dict()["best"] == 0.5


def test_rounds_of_halving(tmp_path: Path) -> None:
    """A candidate counts once, and the winner is compared with those of its last round."""
    settings = [{"a.rate": rate, "train.epochs": 1} for rate in (0.1, 0.2, 0.3)]
    settings += [{"a.rate": rate, "train.epochs": 3} for rate in (0.1, 0.2)]
    figures = [[0.4, 0.5], [0.41, 0.5], [0.4, 0.52], [0.3, 0.4], [0.31, 0.4]]
    folder = write_grid(tmp_path, settings, figures)
    about = read_json(folder / "grid.json")
    (folder / "grid.json").write_text(json.dumps(about | {"search": "halving"}))
    results, _ = write_results(folder)
    assert results.winner is not None and results.winner.number == 4
    assert [row.number for row in results.compared] == [5] and results.last_round == 3
    content = read_json(folder / "results.json")
    assert content["settings"] == 3 and content["trials"] == 10
    assert content["rounds"] == [{"epochs": 1, "settings": 3}, {"epochs": 3, "settings": 2}]
    assert [row["number"] for row in content["tied"]] == [5]


def test_statuses_of_unfinished_trials(tmp_path: Path) -> None:
    """Running while a process holds the lease; interrupted where they have started."""
    folder = write_grid(tmp_path, SETTINGS, [[0.5], [None], [None], [None]])
    ids = [f"{number:08x}{0:08x}" for number in (1, 2, 3, 4)]
    leases = Leases(folder / "claims")
    assert leases.acquire(ids[1])
    (folder / "trials" / ids[2]).mkdir()
    RunFolder(folder / "trials" / ids[2]).set_status("running", epoch=1)
    table = trial_rows(read_results(folder), folder)
    states = [row["status"] for row in table]
    assert states == ["completed", "running", "interrupted", "waiting"]


def test_a_grid_and_its_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """best/ has the weights of the winner's trial, evaluated on the test split; it is made once."""
    block = "objective: validation.accuracy\nseeds: 2\nvary: {train.batch_size: [8, 64]}"
    tables = []
    for jobs in (1, 2):
        plan = grid_plan(tmp_path, block, "train.epochs=2")
        folder = open_grid_folder(tmp_path / f"runs{jobs}", plan)
        run_grid(plan, folder, GridOptions(jobs=jobs), RecordedEvents())
        results, _ = write_results(folder)
        tables.append([{k: v for k, v in row.items() if k != "seconds"} for row in rows(folder)])
        tables.append(json.loads((folder / "results.json").read_text()))
    assert tables[0] == tables[2] and tables[1] == tables[3] and len(tables[0]) == 2
    best, made_now = make_best(folder, results)
    assert (
        best is not None
        and results.winner is not None
        and made_now
        and best.path == folder / "best"
    )
    assert read_json(best.results)["classification"]["part"] == "test"
    trial = read_json(best.path / "trial.json")
    assert trial["id"] == results.winner.trials[0].id and "grid:" not in best.config.read_text()
    weights = folder / "trials" / trial["id"] / "model.safetensors"
    assert best.model.read_bytes() == weights.read_bytes()
    assert best.metrics.read_bytes() == (weights.parent / "metrics.csv").read_bytes()
    assert make_best(folder, results)[1] is False
    weights.write_bytes(weights.read_bytes()[:-1])  # it is trained again, to the same bits
    best.results.unlink()
    kept = best.model.read_bytes()
    assert make_best(folder, results)[1] is True and best.model.read_bytes() == kept
    assert "training ended" in best.log.read_text()
    (folder / "best" / "trial.json").write_text('{"id": "other"}')  # another setting had won
    assert make_best(folder, results)[1] is True
    assert find_best(folder) is not None and not (folder / ".best").exists()
    for name in ("results.json", "config.yaml", "metrics.csv", "model.safetensors"):
        for damage in (b"", None):
            file = folder / "best" / name
            file.unlink() if damage is None else file.write_bytes(damage)
            assert find_best(folder) is None, name
        assert make_best(folder, results)[1] is True and find_best(folder) is not None
    (folder / "best" / "results.json").unlink()

    def refuse(path: Path, target: Path) -> Path:
        if target == folder / "best":
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    rename = Path.rename
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(RunError, match=r"cannot replace .*best: Permission denied"):
        make_best(folder, results)
