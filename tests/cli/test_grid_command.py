"""`ldl grid --dry-run`, and the grid block in other commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ldl.grid import cost
from ldl.grid.cost import TrialTiming
from ldl.runs.run_list import run_folders

from .conftest import CLASSES, Ldl

SIZES = "train.batch_size: [8, 16, 32]"
GRID = """\
grid:
  objective: validation.accuracy
  seeds: 2
  vary:
    train.batch_size: [8, 16, 32]
    network.1: [tanh, {dropout: 0.1}]
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cost estimates have tests of their own."""
    timing = TrialTiming(0.001, 0.01, 0.0, 50_000_000, 1000)
    monkeypatch.setattr(cost, "measure", lambda yamls, *rest: [timing] * len(yamls))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A classifier with six settings of two seeds."""
    path = tmp_path / "g.yaml"
    path.write_text(CLASSES + GRID)
    return path


def test_the_table_of_settings(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """A row per setting, the number of new trials, the cost; nothing is written."""
    result = ldl("grid", file, "--dry-run", "--jobs", 2, "--runs", tmp_path / "runs")
    assert (result.code, result.err) == (0, "") and not (tmp_path / "runs").exists()
    lines = result.out.splitlines()
    assert lines[0].split() == ["setting", "batch_size", "network.1", "seeds", "state"]
    rows = [re.split(r" {2,}", line.strip()) for line in lines[2:8]]
    assert rows == [
        [str(number), size, layer, "0–1", "new"]
        for number, (size, layer) in enumerate(
            [(s, n) for s in ("8", "16", "32") for n in ("tanh", "{dropout: 0.1}")], 1
        )
    ]
    assert lines[8] == "12 trials: 12 new, 0 already there"
    assert re.fullmatch(r"with 2 workers about .+ s, .+ MB of memory, .+ kB of disk", lines[9])


def test_a_former_name_is_noted_once(ldl: Ldl, file: Path) -> None:
    """As by `ldl train`."""
    result = ldl("grid", file, "train.stop_gradient_norm=0.1", "--dry-run")
    note = "note: `stop_gradient_norm` is now called `gradient_tolerance`"
    assert result.code == 0 and result.err.count(note) == 1


def test_no_folder_is_made_where_no_scheduler_answers(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """The error names the address."""
    result = ldl("grid", file, "--dask", "tcp://127.0.0.1:9", "--runs", tmp_path / "runs")
    assert result.code == 1 and "no Dask scheduler answers at tcp://127.0.0.1:9" in result.err
    assert not (tmp_path / "runs").exists()
    result = ldl("grid", file, "--dask", "tcp://a..b:9", "--runs", tmp_path / "runs")
    assert result.code == 1 and "no Dask scheduler answers at tcp://a..b:9" in result.err


def test_json(ldl: Ldl, file: Path) -> None:
    """The same facts as JSON."""
    document = json.loads(ldl("grid", file, "--dry-run", "--json", "--jobs", 1).out)
    assert document["new"] == document["most"] == len(document["trials"]) == 12
    first = document["trials"][0]
    assert first["values"] == {"train.batch_size": 8, "network.1": "tanh"}
    assert (first["number"], first["seed"], first["state"]) == (1, 0, "new")
    assert document["objective"]["goal"] == "max" and document["estimate"]["seconds"] > 0
    assert document["folder"] is None and document["workers"] == 1


def test_a_long_table_is_cut_in_the_middle(ldl: Ldl, file: Path) -> None:
    """The first and the last settings, and how many are left out."""
    result = ldl("grid", file, "--dry-run", "grid.vary.train.epochs={range: [1, 101, 1]}")
    lines = result.out.splitlines()
    assert len(lines) == 2 + 20 + 1 + 10 + 2
    assert lines[22].split()[0] == "…" and lines[22].endswith("570 settings")
    assert "1,200 trials: 1,200 new" in result.out


def test_finished_trials_are_not_new(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """They are counted apart, and the folder is printed."""
    runs = tmp_path / "runs"
    few = ("grid.vary.train.batch_size=[16]", "grid.seeds=1", "--runs", runs)
    assert ldl("grid", file, *few, "--jobs", 2, "-q").code == 0
    (folder,) = runs.glob("[!.]*")
    result = ldl("grid", file, "--dry-run", "--runs", runs)
    assert "12 trials: 10 new, 2 already there" in result.out
    assert result.out.splitlines()[-1] == str(folder)
    assert len(re.findall(r"1 completed, 1 new", result.out)) == 2
    result = ldl("grid", file, *few, "--dry-run")
    assert "2 trials: 0 new, 2 already there" in result.out and "workers" not in result.out


def test_searches_that_choose_trials_by_results(ldl: Ldl, file: Path) -> None:
    """The first trials, and the largest number of further ones."""
    result = ldl("grid", file, "--dry-run", "grid.search={halving: 2}", "train.epochs=8")
    assert "12 trials: 12 new, 0 already there" in result.out
    assert "and up to 8 more, chosen by the results" in result.out
    result = ldl("grid", file, "--dry-run", "grid.search={tpe: {trials: 5, batch: 2}}")
    assert "4 trials: 4 new" in result.out and "up to 6 more" in result.out


def test_a_finished_search(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """All of its trials are listed, and no further ones are announced."""
    sizes = "grid.vary={train.batch_size: [8, 64], network.1: [tanh, relu]}"
    for search in ("{halving: 2}", "{tpe: {trials: 3, batch: 2}}"):
        words = (
            f"grid.search={search}",
            sizes,
            "train.epochs=4",
            "--folder",
            tmp_path / search[1:4],
        )
        assert ldl("grid", file, *words, "--jobs", 2, "-q").code == 0
        result = ldl("grid", file, *words, "--dry-run")
        assert " 0 new, " in result.out and "chosen by the results" not in result.out
        document = json.loads(ldl("grid", file, *words, "--dry-run", "--json").out)
        assert document["most"] == len(document["trials"]) > 4 and document["new"] == 0


def test_a_grid_without_an_objective(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """Exit 3 where all have diverged, 0 where some have not."""
    words = ("grid.seeds=1", "train.epochs=1", "-q", "--jobs", 1)
    lost = "grid.vary={optimizer: [{sgd: 1.0e+300}], network.1: [relu]}"
    result = ldl("grid", file, lost, *words, "--folder", tmp_path / "lost")
    assert result.code == 3 and "no trial has an objective" in result.out
    some = lost.replace("]", ", {sgd: 0.1}]", 1)
    assert ldl("grid", file, some, *words, "--folder", tmp_path / "some").code == 0


def test_an_invalid_dask_address(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """An error with an example; no folder is made."""
    for address in ("bogus", "host:8786", "tcp://host", "http://host:80", "tcp://host:x"):
        result = ldl("grid", file, "--dask", address, "--folder", tmp_path / "grid")
        assert result.code == 2 and "write it as tcp://host:8786" in result.err
    assert not (tmp_path / "grid").exists()


def test_notes(ldl: Ldl, file: Path) -> None:
    """On stderr, unless --quiet."""
    change = "grid.vary.train.batch_size=[8, 8]"
    result = ldl("grid", file, "--dry-run", change)
    assert result.err.startswith("note: 2 settings are the same as another and run once: ")
    assert "4 trials" in result.out
    assert ldl("grid", file, "--dry-run", "-q", change).err == ""


def test_a_folder_without_a_grid(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """Exit 2 with the reason."""
    result = ldl("grid", file, "--dry-run", "--folder", tmp_path)
    assert result.code == 2 and "is not the folder of a grid" in result.err


def test_train_ignores_the_grid_block(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """The base is trained, a note names `ldl grid`; the run does not contain the block."""
    result = ldl("train", file, "grid.seeds=1", "train.epochs=1", "--runs", tmp_path / "runs")
    assert result.code == 0 and f"`ldl grid {file}` runs the search" in result.err
    (run,) = run_folders(tmp_path / "runs")
    assert "grid" not in (run / "config.yaml").read_text()
    assert (run / "source.yaml").read_text() == file.read_text()
    assert ldl("train", run / "config.yaml", "--runs", tmp_path / "again").code == 0


def test_train_without_a_block_prints_no_note(ldl: Ldl, tmp_path: Path) -> None:
    """Grids are not mentioned."""
    file = tmp_path / "t.yaml"
    file.write_text(CLASSES)
    assert "ldl grid" not in ldl("train", file, "--runs", tmp_path / "runs").err


def test_check_describes_the_grid(ldl: Ldl, file: Path) -> None:
    """After the network: the number of trials and the objective."""
    result = ldl("check", file)
    assert result.code == 0 and "grid                   at most 12 trials" in result.out
    assert "validation.accuracy" in result.out
    assert json.loads(ldl("check", file, "--json").out)["grid"]["settings"] == 6


def test_explain_and_schema(ldl: Ldl) -> None:
    """The block, its searches and its spacings."""
    result = ldl("explain", "grid")
    for word in ("objective", "seeds", "search", "vary", "zip", "when", "exclude", "include"):
        assert re.search(rf"^  {word} ", result.out, re.M), word
    for name in ("halving", "tpe", "random", "range", "linspace", "logspace", "search", "spacing"):
        assert ldl("explain", name).code == 0
    schema = json.loads(ldl("schema").out)
    assert "vary" in json.dumps(schema["$defs"]["section.GridBlock"])
    assert "grid" in schema["properties"]


def test_the_help_shows_all_options(ldl: Ldl) -> None:
    """Every option of `ldl grid`."""
    text = ldl("grid", "--help").out
    for option in (
        "--jobs", "--dry-run", "--folder", "--runs", "--retry", "--retry-failed", "--fail-fast",
        "--trial-timeout", "--dask", "--json", "--quiet",
    ):  # fmt: skip
        assert option in text
