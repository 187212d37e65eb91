"""A fixture that runs `ldl` in this process, and runs that are trained once per session."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ldl.cli import main
from ldl.execute import prepare, train

CLASSES = """\
name: flowers
data: {source: iris, scale: standard}
network: [{linear: 4}, tanh, linear]
train: {epochs: 3, batch_size: 16}
"""
VALUES = """\
name: line
data: {source: {line: {samples: 60}}}
network: [linear]
train: {epochs: 2}
"""
INPUTS = """\
name: squeeze
data: {source: iris, scale: minmax}
network: {encoder: [{linear: 2}], decoder: mirror}
train: {epochs: 2}
"""


@dataclass(frozen=True)
class CommandResult:
    """Exit code, stdout and stderr of a command."""

    code: int
    out: str
    err: str


Ldl = Callable[..., CommandResult]


@pytest.fixture
def ldl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ldl:
    """A function that runs `ldl` with its arguments in this process."""

    def run(*arguments: str | Path) -> CommandResult:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["ldl", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as error:
            code = error.code
        assert code is None or isinstance(code, int)
        return CommandResult(code or 0, *capsys.readouterr())

    return run


def train_run(folder: Path, text: str, overrides: Sequence[str] = ()) -> None:
    """Train a configuration; the run is under `folder`/runs."""
    file = folder / "experiment.yaml"
    file.write_text(text)
    train(prepare(file, overrides), folder / "runs")


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classifiers, a regression and an autoencoder; tests must not change them."""
    folder = tmp_path_factory.mktemp("trained")
    train_run(folder, CLASSES)
    train_run(folder, CLASSES, ["optimizer={adam: 0.05}", "train.epochs=5", "name=quick"])
    train_run(folder, VALUES)
    train_run(folder, INPUTS)
    return folder / "runs"
