"""Help, versions, exit codes, and what goes to stdout and what to stderr."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ldl.execute import prepare

from .conftest import CLASSES, Ldl

ROOT = Path(__file__).parents[2]
COMMANDS = [
    "train", "resume", "check", "gradcheck", "evaluate", "predict", "runs", "show", "explain",
    "schema", "init", "data",
]  # fmt: skip
COMMAND = [sys.executable, str(ROOT / "cli.py")]


def experiment(folder: Path, text: str = CLASSES) -> Path:
    """A configuration on the disk."""
    file = folder / "flowers.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps_with_an_example(name: str, ldl: Ldl) -> None:
    """`--help` and `-h`, with an `ldl` line to copy."""
    result = ldl(name, "--help")
    assert (result.code, result.err) == (0, "")
    assert f"Example: ldl {name}" in " ".join(result.out.split())
    assert ldl(name, "-h").out == result.out


@pytest.mark.parametrize("name", ["list", "fetch", "verify"])
def test_every_data_command_helps_with_an_example(name: str, ldl: Ldl) -> None:
    """The subcommands of `ldl data`."""
    assert f"Example: ldl data {name}" in " ".join(ldl("data", name, "--help").out.split())


def test_the_list_of_commands_is_complete(ldl: Ldl) -> None:
    """`ldl --help` lists every command."""
    text = ldl("--help").out
    assert [name for name in COMMANDS if not re.search(rf"^\W+{name} ", text, re.M)] == []


def test_examples_name_existing_files(ldl: Ldl) -> None:
    """The configurations that the examples name exist."""
    for name in COMMANDS:
        for file in re.findall(r"configs/\w+\.yaml", ldl(name, "--help").out):
            assert (ROOT / file).exists()


def test_the_version(ldl: Ldl) -> None:
    """One line."""
    result = ldl("--version")
    assert result.code == 0 and re.fullmatch(r"ldl \d+\.\d+\.\d+\S*\n", result.out)


@pytest.mark.parametrize(
    "words",
    [("train",), ("nothing",), ("train", "a", "--nothing"), ("show",), ("predict", "one"), ()],
)
def test_wrong_usage_exits_2(words: tuple[str, ...], ldl: Ldl) -> None:
    """The usage is printed, no traceback."""
    result = ldl(*words)
    assert result.code == 2 and "Usage" in result.err + result.out
    assert "Traceback" not in result.err


def test_training_prints_results_on_stdout_and_the_rest_on_stderr(ldl: Ldl, tmp_path: Path) -> None:
    """The last line of stdout is the folder."""
    file = experiment(tmp_path)
    result = ldl("train", file, "--runs", tmp_path / "runs")
    assert result.code == 0
    lines = result.out.splitlines()
    folder = Path(lines[-1])
    assert folder.parent == tmp_path / "runs" and (folder / "status.json").exists()
    assert lines[0].startswith("classification on the test split")
    assert any(line.split()[0] == "accuracy" for line in lines[1:-1])
    assert "epoch" not in result.out
    assert "epoch 3/3" in result.err and "validation_loss" in result.err
    assert (folder / "contingency/classification.png").read_bytes()[:4] == b"\x89PNG"
    assert (folder / "plots/loss.png").exists()
    assert not re.search(r"[{}\x1b]", result.out)


def test_an_evaluation_without_metrics_prints_no_braces(ldl: Ldl, tmp_path: Path) -> None:
    """Decision regions have no metrics of their own."""
    text = "data: {source: gaussians}\nnetwork: [linear]\ntrain: {epochs: 1}\n"
    result = ldl("train", experiment(tmp_path, text), "--runs", tmp_path / "runs")
    assert result.code == 0 and "{" not in result.out


def test_quiet_prints_results_only(ldl: Ldl, tmp_path: Path) -> None:
    """No line per epoch."""
    result = ldl("train", experiment(tmp_path), "--quiet", "--runs", tmp_path / "runs")
    assert "epoch 1/3" not in result.err and result.out.count("accuracy") == 1


def test_json_of_a_training(ldl: Ldl, tmp_path: Path) -> None:
    """One document on stdout, and nothing else there."""
    result = ldl("train", experiment(tmp_path), "--json", "--runs", tmp_path / "runs")
    document = json.loads(result.out)
    assert set(document) == {"run", "status", "results"}
    assert document["status"]["status"] == "completed"
    assert 0 <= document["results"]["classification"]["accuracy"] <= 1


def test_the_folder_of_runs(ldl: Ldl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--runs` before LDL_RUNS_DIR before `runs`."""
    file = experiment(tmp_path, CLASSES + "evaluate: []\n")
    monkeypatch.chdir(tmp_path)
    assert ldl("train", file, "-q").out.startswith("runs/")
    monkeypatch.setenv("LDL_RUNS_DIR", str(tmp_path / "environment"))
    assert ldl("train", file, "-q").out.startswith(str(tmp_path / "environment"))
    assert ldl("train", file, "-q", "--runs", "option").out.startswith("option/")


def test_a_folder_of_runs_that_cannot_be_made(ldl: Ldl, tmp_path: Path) -> None:
    """There is a file of that name."""
    (tmp_path / "file").write_text("")
    result = ldl("train", experiment(tmp_path), "--runs", tmp_path / "file")
    assert result.code == 2 and "file" in result.err and "Traceback" not in result.err


def test_a_run_that_diverges_exits_1(ldl: Ldl, tmp_path: Path) -> None:
    """The message on stderr, nothing on stdout; the list shows it."""
    text = "data: {source: line}\nnetwork: [linear]\noptimizer: {sgd: 1e6}\n"
    result = ldl("train", experiment(tmp_path, text), "-q", "--runs", tmp_path / "runs")
    assert (result.code, result.out) == (1, "")
    assert "learning_rate" in result.err and "Traceback" not in result.err
    listed = json.loads(ldl("runs", "--runs", tmp_path / "runs", "--json").out)
    assert [run["status"] for run in listed] == ["diverged"]
    assert ldl("show", "last", "--runs", tmp_path / "runs").code == 0
    for words in (("evaluate", "last"), ("predict", "last", "x.npz"), ("resume", "last")):
        result = ldl(*words, "--runs", tmp_path / "runs")
        assert result.code == 2 and "Traceback" not in result.err, words


def test_notes_are_printed_on_stderr(ldl: Ldl, tmp_path: Path) -> None:
    """With file, line and column."""
    file = experiment(tmp_path, CLASSES.replace("linear]", "linear, softmax]"))
    result = ldl("check", file)
    assert result.code == 0
    assert f"{file}:3:38: note: cross_entropy applies softmax itself" in result.err
    assert "note" not in result.out


def test_a_former_name_of_a_setting_is_noted_once(ldl: Ldl, tmp_path: Path) -> None:
    """In the file or as an override; it trains the same."""
    file = experiment(tmp_path)
    note = "`stop_gradient_norm` is now called `gradient_tolerance`; the former name still works"
    result = ldl("check", file, "train.stop_gradient_norm=0.5")
    assert result.code == 0 and result.err.count(note) == 1
    assert "note" not in ldl("check", file, "train.gradient_tolerance=0.5").err
    old = prepare(file, ["train.stop_gradient_norm=0.5"])
    new = prepare(file, ["train.gradient_tolerance=0.5"])
    assert old.yaml == new.yaml and "gradient_tolerance: 0.5" in new.yaml
    assert old.key_text == new.key_text and "stop_gradient_norm: 0.5" in new.key_text


# --- as a process ---------------------------------------------------------------------------


def test_no_colour_without_a_terminal(runs: Path) -> None:
    """Not even where colour is asked for, if NO_COLOR is set."""
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm-256color"}
    for words in (["runs", "--runs", str(runs)], ["--help"], ["check", "none.yaml"]):
        result = subprocess.run([*COMMAND, *words], capture_output=True, text=True, env=environment)
        assert "\x1b" not in result.stdout + result.stderr


@pytest.mark.parametrize("words", [["runs"], ["runs", "--json"], ["show", "line"]])
def test_a_closed_pipe_is_no_error(words: list[str], runs: Path) -> None:
    """As in `ldl runs | head -1`: no traceback, nothing on stderr."""
    process = subprocess.Popen(
        [*COMMAND, *words, "--runs", str(runs)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    process.wait()
    assert err == b""


def test_unbuffered_output_to_a_closed_pipe(runs: Path) -> None:
    """The reader closes the pipe after the first line."""
    line = f"{sys.executable} -u {ROOT / 'cli.py'} explain --json | head -1"
    result = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("{\n", "")


def test_output_that_is_closed(runs: Path) -> None:
    """No traceback; the output is lost."""
    line = f"{sys.executable} {ROOT / 'cli.py'} runs --runs {runs} >&-"
    result = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_characters_that_an_encoding_lacks() -> None:
    """They are written as escapes."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = [*COMMAND, "explain", "cross_entropy"]
    result = subprocess.run(words, capture_output=True, text=True, env=environment)
    assert result.returncode == 0 and "log \\u03a3_k" in result.stdout
