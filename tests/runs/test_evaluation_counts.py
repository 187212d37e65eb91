"""The count of evaluations of test samples: one file, many processes, no lock."""

from __future__ import annotations

import json
import logging
import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from ldl.runs import RunFolder
from ldl.runs.evaluation_counts import (
    EVALUATIONS_FILE,
    count_evaluations,
    record_evaluation,
    run_digest,
    sample_warning,
    samples_digest,
)

DATA = "ab" * 32
ROWS = {"a": [5, 3, 9], "b": [9, 5, 3], "c": [9, 5, 4]}  # a and b are the same samples


def run_folder(path: Path, rows: list[int], with_digest: bool = True) -> RunFolder:
    """A folder with the files that say which samples were evaluated."""
    path.mkdir(parents=True)
    digest = {"test_samples_sha256": samples_digest(DATA, np.array(rows))} if with_digest else {}
    (path / "environment.json").write_text(json.dumps({"data_sha256": DATA, **digest}))
    np.savez(path / "split.npz", train=[0, 1], test=rows)
    return RunFolder(path)


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, RunFolder]:
    """Three runs, the second from before the digest was written."""
    return {name: run_folder(tmp_path / name, rows, name != "b") for name, rows in ROWS.items()}


def record(run: RunFolder, times: int = 1) -> None:
    for _ in range(times):
        record_evaluation(run, str(run_digest(run)))


def test_runs_with_the_same_samples_share_a_count(runs: dict[str, RunFolder]) -> None:
    """In any order of the samples; other samples and other data are counted by themselves."""
    assert [count_evaluations(run) for run in runs.values()] == [0, 0, 0]
    record(runs["a"])
    record(runs["b"])
    record(runs["c"])
    assert [count_evaluations(run) for run in runs.values()] == [2, 2, 1]
    rows = np.array(ROWS["a"])
    assert samples_digest("cd" * 32, rows) != samples_digest(DATA, rows)
    assert samples_digest(DATA, rows.astype(np.int32)) == samples_digest(DATA, rows)


def test_a_deleted_run_still_counts(runs: dict[str, RunFolder]) -> None:
    import shutil

    record(runs["a"], 3)
    shutil.rmtree(runs["a"].path)
    assert count_evaluations(runs["b"]) == 3


def test_the_runs_of_a_grid_count_beside_the_grid(tmp_path: Path) -> None:
    """Its best run, also while it is made, and its trials."""
    grid = tmp_path / "grid"
    best = run_folder(grid / "best", ROWS["a"])
    (grid / "grid.json").write_text("{}")
    new = run_folder(grid / ".best" / "new", ROWS["a"])
    other = run_folder(tmp_path / "other", ROWS["a"])
    for run in (best, new, other):
        record(run)
    assert {count_evaluations(run) for run in (best, new, other)} == {3}
    assert [path.parent for path in tmp_path.rglob(EVALUATIONS_FILE)] == [tmp_path]


def test_many_processes_lose_no_line(runs: dict[str, RunFolder]) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=record, args=(runs["a"], 200)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert count_evaluations(runs["a"]) == 1600


def test_a_line_that_was_cut_off_takes_no_other_with_it(runs: dict[str, RunFolder]) -> None:
    record(runs["a"], 2)
    file = runs["a"].path.parent / EVALUATIONS_FILE
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2 + 10])
    record(runs["a"])
    assert count_evaluations(runs["a"]) == 2


@pytest.mark.parametrize("obstacle", ["folder", "link"])
def test_a_count_that_cannot_be_written_fails_nothing(
    obstacle: str, runs: dict[str, RunFolder], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does it follow a link."""
    file, elsewhere = tmp_path / EVALUATIONS_FILE, tmp_path / "elsewhere"
    elsewhere.write_text("private")
    if obstacle == "folder":
        file.mkdir()
    else:
        file.symlink_to(elsewhere)
    with caplog.at_level(logging.WARNING, "ldl"):
        record(runs["a"])
    assert "not counted" in caplog.text and count_evaluations(runs["a"]) == 0
    assert elsewhere.read_text() == "private"


def test_runs_with_other_samples_do_not_compare(runs: dict[str, RunFolder]) -> None:
    assert sample_warning([runs["a"], runs["b"]]) is None
    warning = sample_warning(list(runs.values()))
    assert warning is not None and "(a, b: 3 samples; c: 3 samples)" in warning
    (runs["b"].path / "split.npz").write_bytes(b"PK\x03\x04")
    (runs["c"].path / "environment.json").unlink()
    assert run_digest(runs["b"]) is None and run_digest(runs["c"]) is None
    assert sample_warning(list(runs.values())) is None
