"""`ldl predict` and `ldl evaluate`."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.data import SOURCES

from .conftest import Ldl

NAMES = ",".join(SOURCES["iris"]().describe().features)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Array, list[str]]:
    """Five flowers as CSV and as NPZ, their numbers and their names."""
    from sklearn.datasets import load_iris

    folder = tmp_path_factory.mktemp("iris")
    data = load_iris()
    x = data.data[::30]
    names = [str(data.target_names[i]) for i in data.target[::30]]
    np.savez(folder / "new.npz", x=x)
    return folder, folder / "new.npz", x, names


def table(text: str) -> list[list[str]]:
    """The rows of a CSV."""
    return list(csv.reader(io.StringIO(text)))


def test_classes_and_probabilities(
    ldl: Ldl, runs: Path, iris: tuple[Path, Path, Array, list[str]]
) -> None:
    """A row per sample: the most probable class, and the probability of each."""
    result = ldl("predict", "quick", iris[1], "--runs", runs)
    assert (result.code, result.err) == (0, "")
    header, *rows = table(result.out)
    assert header == ["predicted", "p(setosa)", "p(versicolor)", "p(virginica)"]
    assert len(rows) == 5
    for winner, *shares in rows:
        numbers = [float(share) for share in shares]
        assert sum(numbers) == pytest.approx(1, abs=1e-5)
        assert header[1 + numbers.index(max(numbers))] == f"p({winner})"
    assert [row[0] for row in rows] == iris[3]
    predictions = json.loads(ldl("predict", "quick", iris[1], "--runs", runs, "--json").out)
    assert [row["predicted"] for row in predictions] == iris[3]
    path = iris[1].parent / "out.json"
    assert ldl("predict", "quick", iris[1], "--runs", runs, "--json", "-o", path).code == 0
    assert json.loads(path.read_text()) == predictions and isinstance(
        predictions[0]["p(setosa)"], float
    )


def test_csv_and_npz_give_the_same_predictions(
    ldl: Ldl, runs: Path, iris: tuple[Path, Path, Array, list[str]]
) -> None:
    """Columns are found by name, in any order, with others beside them; scaling is the run's."""
    folder, npz, x, _ = iris
    info = json.loads((next(runs.glob("*quick*")) / "data.json").read_text())["info"]
    order = [2, 0, 3, 1]
    lines = [",".join([*(info["features"][i] for i in order), "note"])]
    lines += [",".join([*(str(row[i]) for i in order), "seen"]) for row in x]
    file = folder / "new.csv"
    file.write_text("\n".join(lines) + "\n")
    one = ldl("predict", "quick", npz, "--runs", runs).out
    assert ldl("predict", "quick", file, "--runs", runs).out == one


def test_values_are_a_x_plus_b(ldl: Ldl, runs: Path, tmp_path: Path) -> None:
    """A regression's values, equal to those of its saved weights."""
    from safetensors.numpy import load

    file = tmp_path / "x.csv"
    file.write_text("x\n0\n1\n-2.5\n")
    result = ldl("predict", "line", file, "--runs", runs)
    header, *rows = table(result.out)
    weights = load((next(runs.glob("*line*")) / "model.safetensors").read_bytes())
    a, b = weights["linear1.weight"][0, 0], weights["linear1.bias"][0]
    assert len(header) == 1
    assert [float(r[0]) for r in rows] == pytest.approx([b, a + b, -2.5 * a + b], rel=1e-6)


def test_reconstructions(
    ldl: Ldl, runs: Path, iris: tuple[Path, Path, Array, list[str]], tmp_path: Path
) -> None:
    """A value for each input, by its name and in its units; into a file."""
    output = tmp_path / "out.csv"
    result = ldl("predict", "squeeze", iris[1], "--output", output, "--runs", runs)
    assert (result.code, result.out) == (0, "") and str(output) in result.err
    header, *rows = table(output.read_text())
    assert header == list(SOURCES["iris"]().describe().features) and len(rows) == 5
    values = np.array(rows, float)
    data = SOURCES["iris"]().read(0).inputs["x"]
    assert (values > data.min(axis=0)).all() and (values < data.max(axis=0)).all()


def test_the_samples_are_not_overwritten(ldl: Ldl, runs: Path, tmp_path: Path) -> None:
    """Neither under their own name nor through a link."""
    file, link = tmp_path / "x.csv", tmp_path / "link.csv"
    file.write_text("x\n1\n")
    link.symlink_to(file)
    for output in (file, link, tmp_path / "." / "x.csv"):
        result = ldl("predict", "line", file, "-o", output, "--runs", runs)
        assert result.code == 2 and "holds the samples" in result.err
    assert file.read_text() == "x\n1\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.csv", None),
        ("few.csv", "a,b\n1,2\n"),
        ("names.csv", "a,b,c,d\n1,2,3,4\n"),
        ("words.csv", f"{NAMES}\n1,2,3,x\n"),
        ("empty.csv", ""),
        ("ragged.csv", f"{NAMES}\n1,2,3\n"),
        ("broken.npz", "not a zip"),
    ],
)
def test_samples_that_do_not_match_the_network(
    name: str, content: str | None, ldl: Ldl, runs: Path, tmp_path: Path
) -> None:
    """Exit 2, the file's name, no traceback, no output."""
    file = tmp_path / name
    if content is not None:
        file.write_text(content)
    result = ldl("predict", "quick", file, "--runs", runs)
    assert (result.code, result.out) == (2, "")
    assert str(file) in result.err and "Traceback" not in result.err


@pytest.fixture
def copy(runs: Path, tmp_path: Path) -> Path:
    """A copy of the runs that a test may change."""
    shutil.copytree(runs, tmp_path / "runs")
    return tmp_path / "runs"


def test_evaluating_again_gives_the_same(ldl: Ldl, copy: Path) -> None:
    """The same results.json, byte for byte, and plots."""
    folder = next(copy.glob("*quick*"))
    before = (folder / "results.json").read_bytes()
    result = ldl("evaluate", "quick", "--runs", copy, "--json")
    assert result.code == 0
    assert (folder / "results.json").read_bytes() == before
    assert json.loads(result.out) == json.loads(before)
    assert (folder / "contingency/classification.png").exists()


def test_evaluating_another_split_keeps_earlier_results(ldl: Ldl, copy: Path) -> None:
    """The results of the test split stay in results.json."""
    folder = next(copy.glob("*quick*"))
    before = json.loads((folder / "results.json").read_text())
    result = ldl("evaluate", "quick", "classification: {part: train}", "--runs", copy)
    assert result.code == 0 and "train split" in result.out
    assert "`part` is now called `split`" in result.err
    after = json.loads((folder / "results.json").read_text())
    evaluations = [value for key, value in after.items() if key.startswith("classification")]
    assert before["classification"] in evaluations
    assert {"test", "train"} == {value["part"] for value in evaluations}


@pytest.mark.parametrize(
    ("evaluation", "words"),
    [
        ("clasification", "did you mean `classification`"),
        ("regression", "task is classification"),
        ("[", "never closed"),
        ("classification: {part: all}", "test"),
    ],
)
def test_invalid_evaluations(evaluation: str, words: str, ldl: Ldl, copy: Path) -> None:
    """Exit 2; the run's results stay."""
    folder = next(copy.glob("*quick*"))
    before = (folder / "results.json").read_bytes()
    result = ldl("evaluate", "quick", evaluation, "--runs", copy)
    assert result.code == 2 and words in result.err and "Traceback" not in result.err
    assert (folder / "results.json").read_bytes() == before


def test_a_network_of_an_evaluation_that_cannot_be_built(ldl: Ldl, copy: Path) -> None:
    """An error message, no traceback."""
    result = ldl("evaluate", "squeeze", "denoising: {classifier: [add]}", "--runs", copy)
    assert result.code == 2 and "two or more" in result.err


def test_a_damaged_network_is_refused(ldl: Ldl, copy: Path, tmp_path: Path) -> None:
    """A flipped bit, a cut file: exit 2 and the file's name."""
    model = next(copy.glob("*line*")) / "model.safetensors"
    sound = model.read_bytes()
    file = tmp_path / "x.csv"
    file.write_text("x\n1\n")
    for damaged in (sound[:-1] + bytes([sound[-1] ^ 1]), sound[:20], b""):
        model.write_bytes(damaged)
        for words in (("predict", "line", file), ("evaluate", "line")):
            result = ldl(*words, "--runs", copy)
            assert result.code == 2 and "model.safetensors" in result.err, result.err


def test_an_unfinished_run_has_no_weights(ldl: Ldl, copy: Path, tmp_path: Path) -> None:
    """The error names the missing file."""
    folder = next(copy.glob("*line*"))
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.sha256").unlink()
    result = ldl("evaluate", "line", "--runs", copy)
    assert result.code == 2 and "model.safetensors" in result.err and "Traceback" not in result.err
