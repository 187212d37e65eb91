"""`ldl grid --dry-run`, and what other commands make of a grid block."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ldl.grid import cost
from ldl.grid.cost import TrialTiming

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
    """Timing has its own tests."""
    made_up = TrialTiming(0.001, 0.01, 0.0, 50_000_000, 1000)
    monkeypatch.setattr(cost, "measure", lambda yamls, *rest: [made_up] * len(yamls))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A classifier with six settings of two seeds."""
    path = tmp_path / "g.yaml"
    path.write_text(CLASSES + GRID)
    return path


def test_the_table(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """A row a setting, how many are new, what it will cost; nothing is written."""
    done = ldl("grid", file, "--dry-run", "--jobs", 2, "--runs", tmp_path / "runs")
    assert (done.code, done.err) == (0, "") and not (tmp_path / "runs").exists()
    lines = done.out.splitlines()
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


def test_nothing_is_left_where_no_scheduler_answers(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """No folder of a grid that could not begin."""
    done = ldl("grid", file, "--dask", "tcp://127.0.0.1:9", "--runs", tmp_path / "runs")
    assert done.code == 1 and "no Dask scheduler answers at tcp://127.0.0.1:9" in done.err
    assert not (tmp_path / "runs").exists()
    done = ldl("grid", file, "--dask", "tcp://a..b:9", "--runs", tmp_path / "runs")
    assert done.code == 1 and "no Dask scheduler answers at tcp://a..b:9" in done.err


def test_json(ldl: Ldl, file: Path) -> None:
    """The same for a program."""
    found = json.loads(ldl("grid", file, "--dry-run", "--json", "--jobs", 1).out)
    assert found["new"] == found["most"] == len(found["trials"]) == 12
    first = found["trials"][0]
    assert first["values"] == {"train.batch_size": 8, "network.1": "tanh"}
    assert (first["number"], first["seed"], first["state"]) == (1, 0, "new")
    assert found["objective"]["goal"] == "max" and found["estimate"]["seconds"] > 0
    assert found["folder"] is None and found["workers"] == 1


def test_a_long_table_is_cut_in_the_middle(ldl: Ldl, file: Path) -> None:
    """The first and the last settings, and how many are left out."""
    done = ldl("grid", file, "--dry-run", "grid.vary.train.epochs={range: [1, 101, 1]}")
    lines = done.out.splitlines()
    assert len(lines) == 2 + 20 + 1 + 10 + 2
    assert lines[22].split()[0] == "…" and lines[22].endswith("570 settings")
    assert "1,200 trials: 1,200 new" in done.out


def test_what_is_there_already(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """Trained trials are told from new ones; the folder is named."""
    runs = tmp_path / "runs"
    few = ("grid.vary.train.batch_size=[16]", "grid.seeds=1", "--runs", runs)
    assert ldl("grid", file, *few, "--jobs", 2, "-q").code == 0
    (folder,) = runs.iterdir()
    done = ldl("grid", file, "--dry-run", "--runs", runs)
    assert "12 trials: 10 new, 2 already there" in done.out
    assert done.out.splitlines()[-1] == str(folder)
    assert len(re.findall(r"1 completed, 1 new", done.out)) == 2
    done = ldl("grid", file, *few, "--dry-run")
    assert "2 trials: 0 new, 2 already there" in done.out and "workers" not in done.out


def test_searches_that_ask_later(ldl: Ldl, file: Path) -> None:
    """What is known beforehand, and how many more there may be."""
    done = ldl("grid", file, "--dry-run", "grid.search={halving: 2}", "train.epochs=8")
    assert "12 trials: 12 new, 0 already there" in done.out
    assert "and up to 8 more, chosen by the results" in done.out
    done = ldl("grid", file, "--dry-run", "grid.search={tpe: {trials: 5, batch: 2}}")
    assert "4 trials: 4 new" in done.out and "up to 6 more" in done.out


def test_a_search_that_is_over(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """What it asked for later is listed too, and there is no more of it."""
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
        done = ldl("grid", file, *words, "--dry-run")
        assert " 0 new, " in done.out and "chosen by the results" not in done.out
        found = json.loads(ldl("grid", file, *words, "--dry-run", "--json").out)
        assert found["most"] == len(found["trials"]) > 4 and found["new"] == 0


def test_a_grid_without_an_objective(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """Exit 3 where all have diverged, 0 where some have not."""
    words = ("grid.seeds=1", "train.epochs=1", "-q", "--jobs", 1)
    lost = "grid.vary={optimizer: [{sgd: 1.0e+300}], network.1: [relu]}"
    done = ldl("grid", file, lost, *words, "--folder", tmp_path / "lost")
    assert done.code == 3 and "no trial has an objective" in done.out
    some = lost.replace("]", ", {sgd: 0.1}]", 1)
    assert ldl("grid", file, some, *words, "--folder", tmp_path / "some").code == 0


def test_an_address_that_none_can_be(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """Refused before anything is made, with an example."""
    for address in ("bogus", "host:8786", "tcp://host", "http://host:80", "tcp://host:x"):
        done = ldl("grid", file, "--dask", address, "--folder", tmp_path / "made")
        assert done.code == 2 and "write it as tcp://host:8786" in done.err
    assert not (tmp_path / "made").exists()


def test_notes(ldl: Ldl, file: Path) -> None:
    """On stderr, unless --quiet."""
    change = "grid.vary.train.batch_size=[8, 8]"
    done = ldl("grid", file, "--dry-run", change)
    assert done.err.startswith("note: 2 settings are the same as another and run once: ")
    assert "4 trials" in done.out
    assert ldl("grid", file, "--dry-run", "-q", change).err == ""


def test_a_folder_that_is_no_grids(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """Exit 2 and why."""
    done = ldl("grid", file, "--dry-run", "--folder", tmp_path)
    assert done.code == 2 and "is not the folder of a grid" in done.err


def test_train_leaves_the_block_alone(ldl: Ldl, file: Path, tmp_path: Path) -> None:
    """The base is trained, and a note says what searches; the run knows nothing of the grid."""
    done = ldl("train", file, "grid.seeds=1", "train.epochs=1", "--runs", tmp_path / "runs")
    assert done.code == 0 and f"`ldl grid {file}` runs the search" in done.err
    (run,) = (tmp_path / "runs").iterdir()
    assert "grid" not in (run / "config.yaml").read_text()
    assert (run / "source.yaml").read_text() == file.read_text()
    assert ldl("train", run / "config.yaml", "--runs", tmp_path / "again").code == 0


def test_train_is_quiet_without_a_block(ldl: Ldl, tmp_path: Path) -> None:
    """No word of grids."""
    file = tmp_path / "t.yaml"
    file.write_text(CLASSES)
    assert "ldl grid" not in ldl("train", file, "--runs", tmp_path / "runs").err


def test_check_tells_of_the_grid(ldl: Ldl, file: Path) -> None:
    """After the network: how many trials, by which figure."""
    done = ldl("check", file)
    assert done.code == 0 and "grid                   at most 12 trials" in done.out
    assert "validation.accuracy" in done.out
    assert json.loads(ldl("check", file, "--json").out)["grid"]["settings"] == 6


def test_explain_and_schema(ldl: Ldl) -> None:
    """The block, its searches and its spacings."""
    done = ldl("explain", "grid")
    for word in ("objective", "seeds", "search", "vary", "zip", "when", "exclude", "include"):
        assert re.search(rf"^  {word} ", done.out, re.M), word
    for name in ("halving", "tpe", "random", "range", "linspace", "logspace", "search", "spacing"):
        assert ldl("explain", name).code == 0
    schema = json.loads(ldl("schema").out)
    assert "vary" in json.dumps(schema["$defs"]["section.GridBlock"])
    assert "grid" in schema["properties"]


def test_the_help_shows_all_options(ldl: Ldl) -> None:
    """As the issue lists them."""
    text = ldl("grid", "--help").out
    for option in (
        "--jobs", "--dry-run", "--folder", "--runs", "--retry", "--retry-failed", "--fail-fast",
        "--trial-timeout", "--dask", "--json", "--quiet",
    ):  # fmt: skip
        assert option in text
