"""Runs: found by part of a name, listed in any state, compared."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ldl.errors import RunFolderError
from ldl.runs.comparison import compare_runs
from ldl.runs.json_files import write_json
from ldl.runs.metrics_file import MetricsWriter
from ldl.runs.run_folder import RunFolder
from ldl.runs.run_list import find_run, flatten, list_runs

NOW = datetime(2026, 11, 20, 9, 15, 2, tzinfo=UTC)


def make(
    root: Path, name: str, minute: int = 0, digest: str = "3f9a1c", **config: Any
) -> RunFolder:
    at = NOW + timedelta(minutes=minute)
    run = RunFolder.create(root, name, digest, {"config.yaml": json.dumps(config).encode()}, at)
    run.set_status("running", now=at)
    with MetricsWriter(run.metrics, ("epoch", "train.loss")) as writer:
        for epoch in (1, 2):
            writer.append({"epoch": epoch, "train.loss": 1 / epoch})
    write_json(run.results, {"classification": {"accuracy": 0.5 + minute / 100, "n": [1, 2]}})
    run.set_status("completed", best={"train.loss": 0.5}, now=at + timedelta(seconds=9))
    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make(tmp_path, "denoise", 0)
    make(tmp_path, "denoise_more", 1, "aaaaaa")
    make(tmp_path, "gaussians", 2, "bbbbbb")
    (tmp_path / "README.md").write_text("")
    (tmp_path / "notes").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "experiment"),
    [
        ("20261120T091502Z-denoise-3f9a1c", "denoise"),
        ("20261120T0915", "denoise"),
        ("more", "denoise_more"),
        ("bbb", "gaussians"),
        ("last", "gaussians"),
    ],
)
def test_find_run(root: Path, name: str, experiment: str) -> None:
    assert f"-{experiment}-" in find_run(root, name).name


def test_find_by_path_and_among_equal_names(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = RunFolder(root / "20261120T091502Z-denoise-3f9a1c")
    again = make(root, "denoise", 0)
    assert again.name.endswith("-2")
    assert find_run(root / "elsewhere", str(first.path)) == first
    assert find_run(root, first.name) == first, "although another name starts with it"
    monkeypatch.chdir(root)
    assert find_run(Path("elsewhere"), first.name).path.resolve() == first.path
    assert find_run(Path("elsewhere"), "./" + first.name).path.resolve() == first.path


def test_last_among_runs_of_one_second(tmp_path: Path) -> None:
    for _ in range(11):
        newest = make(tmp_path, "same")
    assert find_run(tmp_path, "last") == newest and newest.name.endswith("-11")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("denoise", "'denoise' matches several runs: .*-denoise-3f9a1c, .*-denoise_more-aaaaaa"),
        ("gausians", r"matches 'gausians'; did you mean \w+-gaussians-bbbbbb\?"),
        ("zzzz", "matches 'zzzz'; `ldl runs` lists them"),
        ("notes/", "notes does not exist"),
        ("", "matches several runs"),
    ],
)
def test_a_name_without_a_match_gets_a_hint(root: Path, name: str, message: str) -> None:
    with pytest.raises(RunFolderError, match=message):
        find_run(root, name)


def test_no_runs_yet(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "runs") == []
    for name in ("last", "a"):
        with pytest.raises(RunFolderError, match=r"there are no runs (yet|in)"):
            find_run(tmp_path / "runs", name)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot read"):
        list_runs(tmp_path / "file")


def test_a_summary(root: Path) -> None:
    listed = list_runs(root)
    assert [run.experiment_name for run in listed] == ["denoise", "denoise_more", "gaussians"]
    run = listed[0]
    assert (run.status, run.started, run.seconds) == ("completed", "2026-11-20T09:15:02.000Z", 9.0)
    assert run.epoch == 2 and run.last == {"epoch": 2, "train.loss": 0.5}
    assert run.best == {"train.loss": 0.5}
    assert run.results == {"classification.accuracy": 0.5, "classification.n": [1, 2]}


def test_the_seconds_of_a_killed_run_end_with_its_last_row(tmp_path: Path) -> None:
    """The modification time of metrics.csv counts, since status.json was not updated."""
    run = make(tmp_path, "killed")
    run.set_status("running", now=NOW + timedelta(seconds=20))
    dead = {"pid": 2**22 + 1, "process": "none"}
    write_json(run.status, {**json.loads(run.status.read_text()), **dead})
    at = (NOW + timedelta(seconds=27)).timestamp()
    os.utime(run.metrics, (at, at))
    (summary,) = list_runs(tmp_path)
    assert (summary.status, summary.seconds) == ("interrupted", 9.0 + 7.0)


def test_damaged_folders_are_listed_with_their_reason(root: Path) -> None:
    names = sorted(path.name for path in root.iterdir() if "Z-" in path.name)
    (root / names[0] / "status.json").write_text("{")
    (root / names[1] / "results.json").write_text('{"a": 0.5')
    (root / names[2] / "metrics.csv").write_text("epoch,train.loss\n1\n")
    killed_early = RunFolder.create(
        root, "never", "cccccc", {"config.yaml": b""}, NOW + timedelta(hours=1)
    )
    odd = make(root, "odd", 120)
    odd.results.unlink()
    odd.results.mkdir()
    *damaged, not_started, last = list_runs(root)
    assert [run.status for run in damaged] == ["unreadable"] * 3
    files = ("status.json", "results.json", "metrics.csv")
    assert all(file in run.reason for file, run in zip(files, damaged, strict=True))
    assert (not_started.path, not_started.status, not_started.reason, not_started.seconds) == (
        killed_early.path,
        "interrupted",
        "killed before it started",
        0.0,
    )
    assert last.status == "unreadable" and "results.json" in last.reason


def test_a_list_of_two_hundred_is_quick(tmp_path: Path) -> None:
    import shutil
    import time

    one = make(tmp_path, "a")
    for number in range(2, 201):
        shutil.copytree(one.path, tmp_path / f"{one.name}-{number}")
    start = time.process_time()
    assert len(list_runs(tmp_path)) == 200
    assert time.process_time() - start < 1.0


def test_flatten() -> None:
    value = {"a": {"b": [1, 2], "c": {}}, "d": [{"linear": {"units": 3}}, "relu"], "e": None}
    assert dict(flatten(value)) == {
        "a.b": [1, 2],
        "a.c": {},
        "d.0.linear.units": 3,
        "d.1": "relu",
        "e": None,
    }


def test_compare_gives_differing_settings_and_all_results(tmp_path: Path) -> None:
    one = make(tmp_path, "a", 0, seed=0, train={"epochs": 5, "batch_size": 32})
    two = make(tmp_path, "b", 1, seed=0, train={"epochs": 9, "batch_size": 32}, noise=0.5)
    comparison = compare_runs([one, two], lambda path: json.loads(path.read_text()))
    assert comparison.settings == {"train.epochs": (5, 9), "noise": (None, 0.5)}
    assert comparison.results["classification.accuracy"] == (0.5, 0.51)
    assert [run.path for run in comparison.runs] == [one.path, two.path]


def test_compare_gives_the_names_of_choices(tmp_path: Path) -> None:
    """None, minmax and standard differ only in their names."""
    scales = (None, {"minmax": {"per": None}}, {"standard": {"per": None}})
    runs = [make(tmp_path, f"s{i}", i, data={"scale": s, "x": 1}) for i, s in enumerate(scales)]
    comparison = compare_runs(runs, lambda path: json.loads(path.read_text()))
    assert comparison.settings == {"data.scale": (None, "minmax", "standard")}


def test_a_grid_is_not_a_run(tmp_path: Path) -> None:
    """The message names the best run of the grid."""
    best = tmp_path / "grid" / "best"
    best.mkdir(parents=True)
    RunFolder(best).set_status("completed")
    for name in ("grid", str(tmp_path / "grid")):
        with pytest.raises(RunFolderError, match=r"is a grid; its best run is .*/best"):
            find_run(tmp_path, name)
