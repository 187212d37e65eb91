"""Folders of runs and grids from elsewhere: links out of them, FIFOs, names that drive a terminal.

The folders are read by every command. A link must lead nowhere: the file behind it is neither read
nor changed, and the command ends with a message.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from ldl.execute import Callbacks, prepare, train
from ldl.folder_files import LINK_MESSAGE, matching_files, open_file
from ldl.train import TrainProgress

from .conftest import Ldl

HEADER = "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)\n"
CANARY = "epoch,canary-7f3a\n1,2\n"
EXPERIMENT = """\
name: hostile
data: {source: iris, scale: standard}
network: [{linear: 3}, tanh, linear]
train: {epochs: 2, batch_size: 32, checkpoint_seconds: 0}
"""
NEEDED: dict[str, tuple[str, ...]] = {  # files without which a command fails
    "evaluate": (
        ".lock", "config.yaml", "contingency", "data.json", "environment.json", "model.safetensors",
        "model.safetensors.sha256", "results.json", "scaler.safetensors", "status.json",
    ),
    "predict": ("config.yaml", "data.json", "model.safetensors", "scaler.safetensors"),
    "report": ("contingency", "environment.json", "metrics.csv", "plots", "source.yaml"),
    "resume": (
        ".lock", "checkpoints", "checkpoints/last.safetensors", "config.yaml", "metrics.csv",
        "run.log",
    ),
    "runs": ("config.yaml",),
    "show": ("config.yaml", "metrics.csv", "overrides.yaml", "results.json"),
    "verify": ("config.yaml", "environment.json", "metrics.csv", "model.safetensors"),
}  # fmt: skip
UNNEEDED = ("report.html", "plots/loss.png", "split.npz", "source.yaml", "job.json", "notes.txt")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A completed run with its plots and page, under a runs/ that is a link."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "config.yaml").write_text(EXPERIMENT)
    (folder / "elsewhere").mkdir()
    (folder / "runs").symlink_to(folder / "elsewhere")
    run = train(prepare(folder / "config.yaml"), folder / "runs")
    (run.path / "report.html").write_text("a page")
    (run.plots / "loss.png").write_bytes(b"a plot")
    return run.path


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file outside all folders, named as a table for the sake of what reads tables."""
    path = tmp_path / "canary"
    path.write_text(CANARY)
    return path


def files_of(run: Path) -> list[str]:
    """The files and folders of a run, and its lock; one file of each kind in a subfolder."""
    paths = sorted(p.relative_to(run) for p in run.rglob("*"))
    kinds = {(p.parent, p.suffix) if len(p.parts) > 1 else p: str(p) for p in paths}
    return sorted({*kinds.values(), ".lock"})


def prepared_copy(original: Path, folder: Path, interrupted: bool = False) -> Path:
    """A copy of a run, whose status allows to resume it where asked for."""
    copy = folder / "runs" / original.name
    shutil.rmtree(copy.parent, ignore_errors=True)
    shutil.copytree(original, copy)
    if interrupted:
        status = (copy / "status.json").read_text()
        (copy / "status.json").write_text(status.replace('"completed"', '"interrupted"'))
    return copy


def link_and_run(ldl: Ldl, command: str, run: Path, names: Sequence[str], canary: Path) -> str:
    """Replace files and folders by links out of the run; the messages of a command on it.

    What the links lead to is neither read nor changed, and the command ends as it should.
    """
    outside = canary.parent / "outside"
    shutil.rmtree(outside, ignore_errors=True)
    for name in names:
        if (run / name).is_dir():
            shutil.move(run / name, outside)
            (run / name).symlink_to(outside)
        else:
            (run / name).unlink(missing_ok=True)
            (run / name).symlink_to(canary)
    before = [(p, p.stat().st_mtime_ns) for p in sorted(outside.rglob("*"))]
    samples = canary.parent / "new.csv"
    samples.write_text(HEADER + "5,3,1,0.2\n")
    arguments = {"predict": [samples], "runs": [run, "--runs", run.parent]}.get(command, [])
    result = ldl(command, run, *arguments)
    case = f"{command} {names}: {result.out} {result.err}"
    assert result.code in (0, 1, 2) and "Traceback" not in result.err, case
    assert "canary-7f3a" not in result.out + result.err, case
    assert canary.read_text() == CANARY, case
    assert [(p, p.stat().st_mtime_ns) for p in sorted(outside.rglob("*"))] == before, case
    page = run / "report.html"
    assert page.is_symlink() or "canary-7f3a" not in page.read_text(), case
    return result.err if result.code else ""


@pytest.mark.parametrize("command", NEEDED)
def test_needed_files_as_links(
    ldl: Ldl, original: Path, tmp_path: Path, canary: Path, command: str
) -> None:
    """The command says that it follows no link."""
    for name in NEEDED[command]:
        run = prepared_copy(original, tmp_path, interrupted=command == "resume")
        assert LINK_MESSAGE in link_and_run(ldl, command, run, [name], canary), name


@pytest.mark.parametrize("command", NEEDED)
def test_other_files_as_links(
    ldl: Ldl, original: Path, tmp_path: Path, canary: Path, command: str
) -> None:
    """Links that a command replaces, or does not need, hurt nobody."""
    run = prepared_copy(original, tmp_path, interrupted=command == "resume")
    writes_page = command in ("report", "resume")
    names = [name for name in UNNEEDED if not (writes_page and name == "source.yaml")]
    assert link_and_run(ldl, command, run, names, canary) == ""


@pytest.mark.slow
def test_every_file_as_a_link(ldl: Ldl, original: Path, tmp_path: Path, canary: Path) -> None:
    """Every file and folder that a run has, for every command."""
    for name in files_of(original):
        for command in NEEDED:
            run = prepared_copy(original, tmp_path, interrupted=command == "resume")
            link_and_run(ldl, command, run, [name], canary)


@pytest.mark.parametrize("name", ["status.json", ".lock", "metrics.csv", "config.yaml"])
def test_a_fifo_is_refused_at_once(ldl: Ldl, original: Path, tmp_path: Path, name: str) -> None:
    run = prepared_copy(original, tmp_path)
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    for command in ("show", "evaluate", "report", "verify"):
        result = ldl(command, run)
        assert result.code in (0, 2) and "Traceback" not in result.err
    assert "regular file" in ldl("evaluate" if name != "metrics.csv" else "verify", run).err


def test_a_new_run_writes_through_no_link(original: Path, tmp_path: Path) -> None:
    """A checkpoint folder that becomes a link while a run trains."""
    outside = tmp_path / "outside"
    outside.mkdir()

    def replace_checkpoints(progress: TrainProgress) -> None:
        (folder,) = (tmp_path / "runs").glob("2*")
        if progress.row is not None and not (folder / "checkpoints").is_symlink():
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)
            (folder / "checkpoints").symlink_to(outside)

    prepared = prepare(original / "config.yaml")
    with pytest.raises(Exception, match=LINK_MESSAGE):
        train(prepared, tmp_path / "runs", Callbacks(training=replace_checkpoints))
    assert list(outside.iterdir()) == []


def test_a_config_of_a_run_extends_nothing(ldl: Ldl, original: Path, tmp_path: Path) -> None:
    run = prepared_copy(original, tmp_path)
    secret = tmp_path / "secret.yaml"
    secret.write_text("name: {canary-7f3a: 1}\n")
    (run / "config.yaml").write_text(f"extends: {secret}\n{EXPERIMENT}")
    for command in ("check", "train"):
        result = ldl(command, run / "config.yaml")
        assert result.code == 2 and "extends no other file" in result.err
        assert "canary" not in result.err


def test_folders_and_files_by_descriptor(tmp_path: Path) -> None:
    """The trials of a grid, whatever their names, are no links; the folder itself may be one."""
    (tmp_path / "trials").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "metrics.csv").write_text(CANARY)
    (tmp_path / "trials" / "0f").symlink_to(tmp_path / "outside")
    (tmp_path / "linked").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match=LINK_MESSAGE):
        open_file(tmp_path / "trials" / "0f" / "metrics.csv")
    with open_file(tmp_path / "linked" / "metrics.csv") as file:
        assert file.read().decode() == CANARY
    with pytest.raises(OSError, match="not a regular file"):
        open_file(Path("/dev/zero"))
    assert matching_files(tmp_path / "plots", "*.png") == []


def test_names_control_no_terminal(ldl: Ldl, tmp_path: Path) -> None:
    """Names of classes, columns, runs and keys, on every way to terminal, CSV and HTML."""
    evil = "\x1b[2J\x9b1m\u202e\r"
    rows = "".join(f"{i},{i % 2},{'no' if i % 2 else evil}\n" for i in range(40))
    (tmp_path / "t.csv").write_text(f"a{evil[:-1]},b,class\n{rows}", newline="")
    (tmp_path / "c.yaml").write_text(
        "data: {source: {csv: {path: t.csv, target: class}}}\nnetwork: [{linear: 2}, linear]\n"
        f'name: "{chr(92)}x1b[31mrun"\ntrain: {{epochs: 1}}\n'
    )
    runs = tmp_path / f"runs{evil[:-1]}"
    trained = ldl("train", tmp_path / "c.yaml", "--runs", runs)
    assert trained.code == 0, trained.err
    (tmp_path / "bad.yaml").write_text(f'"{chr(92)}x1b[2J": 1\n')
    predicted = tmp_path / "p.csv"
    results = [
        trained,
        ldl("check", tmp_path / "c.yaml"),
        ldl("check", tmp_path / "bad.yaml"),
        ldl("check", tmp_path / f"{evil}.yaml"),
        ldl("show", "last", "--runs", runs),
        ldl("runs", "--runs", runs, "--csv"),
        ldl("evaluate", "last", "--runs", runs),
        ldl("predict", "last", tmp_path / "t.csv", "--runs", runs),
        ldl("predict", "last", tmp_path / "t.csv", "--runs", runs, "--json"),
        ldl("predict", "last", tmp_path / "t.csv", "--runs", runs, "-o", predicted),
    ]
    texts = [text for result in results for text in (result.out, result.err)]
    (page,) = runs.glob("*/report.html")
    for text in [*texts, predicted.read_text(), page.read_text()]:
        assert not set("\x1b\x9b\u202e\r") & set(text), text
    assert {row["predicted"] for row in json.loads(results[-2].out)} <= {evil[:-1], "no"}
    assert predicted.read_bytes().count(b"\n") == 41
