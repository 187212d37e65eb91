"""Errors in configurations: message, position, exit code 2, and no files written.

A `«` in a configuration marks the position that the message must name; it is removed before the
file is written.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from .conftest import CommandResult, Ldl

ROOT = Path(__file__).parents[2]
LOCATION = re.compile(r"^(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<message>.+)$")
D = "data: {source: digits, scale: minmax}\n"
N = "network: [{linear: 8}, tanh, linear]\n"

# name: (configuration, words of the message or its hint)
SYNTAX = {
    "empty file": ("«", ["empty", "ldl init"]),
    "only a comment": ("«# later\n", ["empty"]),
    "a word": ("«hello\n", ["key: value"]),
    "a list": ("«- data\n- network\n", ["list"]),
    "duplicate key": (D + N + "«data: {source: iris}\n", ["data", "twice", "line 1"]),
    "duplicate key deep": (
        D + "network: [{linear: {units: 3, bias: true, «units: 4}}, linear]\n",
        ["units", "twice"],
    ),
    "tab": ("data:\n«\tsource: digits\n" + N, ["tab", "spaces"]),
    "two documents": (D + N + "«---\n" + D + N, ["second document"]),
    "alias": (D + N + "loss: «*mse\n", ["alias"]),
    "anchor": (D + "network: «&n [linear]\n", ["anchor", "&n"]),
    "merge key": ("data: {source: digits, «<<: {scale: minmax}}\n" + N, ["merge key"]),
    "tag": (D + "network: «!!python/object/apply:os.system [echo]\n", ["tag"]),
    "int tag": ("seed: «!!int 3\n" + D + N, ["tag"]),
    "deep nesting": (D + "network: " + "[" * 49 + "«" + "[" * 900 + "]" * 949 + "\n", ["deep"]),
    "unclosed bracket": (D + "network: «[linear, tanh\n", ["never closed"]),
    "unclosed quote": ("name: «'example\n" + D + N, ["quote", "never closed"]),
    "bad indentation": ("data:\n  source: digits\n «scale: minmax\n" + N, []),
    "NUL": (D + "network: [linear«\0]\n", ["control character", "U+0000"]),
    "escape": (D + "network: [linear«\x1b[31m]\n", ["control character"]),
}
WORDS = {
    "misspelt section": (D + "«netwrok: [linear]\n", ["netwrok", "did you mean `network`"]),
    "misspelt key": (D + N + "train: {«epoch: 3}\n", ["epoch", "did you mean `epochs`"]),
    "unknown section": (D + N + "«callbacks: []\n", ["callbacks", "valid here"]),
    "unknown layer": (
        D + "network: [{«lineer: 8}, linear]\n",
        ["unknown layer", "did you mean `linear`"],
    ),
    "unknown source": ("data: {source: «digit}\n" + N, ["source", "did you mean `digits`"]),
    "unknown optimizer": (D + N + "optimizer: «addam\n", ["did you mean `adam`"]),
    "unknown loss": (D + N + "loss: [mse, «msee]\n", ["did you mean `mse`"]),
    "unknown evaluation": (D + N + "evaluate: [«clasification]\n", ["`classification`"]),
    "unknown decoder": (
        D + "network: {encoder: [{linear: 2}], decoder: «miror}\n",
        ["did you mean `mirror`"],
    ),
    "no decoder": (D + "«network: {encoder: [{linear: 2}]}\n", ["decoder"]),
    "no network": ("«" + D, ["needs `network`"]),
    "wrong type": (D + N + "train: {epochs: «many}\n", ["whole number", "many"]),
    "quoted number": (D + N + "train: {epochs: «'5'}\n", ["without quotes"]),
    "yes": (D + N + "train: {shuffle: «yes}\n", ["`true`"]),
    "fraction": (D + "network: [{linear: «8.5}, linear]\n", ["whole number", "8.5"]),
    "negative size": (D + "network: [{linear: «-8}, linear]\n", ["at least 1", "-8"]),
    "zero epochs": (D + N + "train: {epochs: «0}\n", ["at least 1"]),
    "NaN learning rate": (D + N + "optimizer: {sgd: «.nan}\n", ["finite"]),
    "infinite weight": (D + N + "loss: {mse: , weight: «.inf}\n", ["finite"]),
    "learning rate below 0": (D + N + "optimizer: {adam: {learning_rate: «-1e-3}}\n", ["above 0"]),
    "momentum of 1": (D + N + "optimizer: {sgd: {momentum: «1.0}}\n", ["below 1"]),
    "nesterov alone": (D + N + "optimizer: {sgd: {nesterov: «true}}\n", ["momentum"]),
    "a number as a name": ("name: «123\n" + D + N, ["quotes"]),
    "two layers in one": (D + "network: [{linear: 8, «tanh: }, linear]\n", ["two layers"]),
    "a list in the list": (D + "network: [«[linear, tanh], linear]\n", ["list"]),
    "null network": (D + "network:«\n", ["nothing"]),
    "dotted name": (D + "network: [{linear: 8, as: «a.b}, linear]\n", ["a.b", "letter"]),
    "block within itself": ("blocks: {b: [tanh, «b]}\n" + D + "network: [b, linear]\n", ["itself"]),
    "blocks that double": (
        "blocks:\n  b0: [«tanh]\n"
        + "".join(f"  b{i}: [b{i - 1}, b{i - 1}]\n" for i in range(1, 25))
        + D
        + "network: [b24, linear]\n",
        ["over 10,000 layers"],
    ),
    "blocks too deep": (
        "blocks:\n  b0: [tanh]\n"
        + "".join(f"  b{i}: [{'«' if i == 301 else ''}b{i - 1}]\n" for i in range(1, 401))
        + D
        + "network: [b400, linear]\n",
        ["over 100 deep"],
    ),
    "blocks too deep, innermost first": (
        "blocks:\n  b0: [tanh]\n"
        + "".join(f"  b{i}: [{'«' if i == 100 else ''}b{i - 1}]\n" for i in range(1, 401))
        + D
        + f"network: [{', '.join(f'b{i}' for i in range(401))}]\n",
        ["over 100 deep"],
    ),
    "an mlp too long": (
        D + f"network: [{{«mlp: {{units: [{', '.join(['4'] * 20000)}]}}}}, linear]\n",
        ["over 10,000 layers"],
    ),
    "an ablation with unsuitable losses": (
        "data: {source: diabetes}\nnetwork: [linear]\nevaluate:\n"
        "  - matrix: {losses: {ce: «cross_entropy, mse: mse}, optimizers: {adam: adam}}\n",
        ["cross_entropy learns classes"],
    ),
    "lbfgs with clipping in an ablation": (
        D + N + "train: {clip_norm: 1.0}\nevaluate: [{matrix: {optimizers: {l: «lbfgs}}}]\n",
        ["lbfgs searches along a line"],
    ),
    "whitened targets": (
        "data: {source: diabetes, scale_targets: «zca}\nnetwork: [linear]\n",
        ["minmax or standard"],
    ),
    "too many means of targets": (
        "data: {source: diabetes, scale_targets: «{standard: {mean: [1, 2], std: [1, 2]}}}\n"
        "network: [linear]\n",
        ["mean: 2 numbers"],
    ),
    "block called linear": ("blocks: {«linear: [tanh]}\n" + D + N, ["linear", "another name"]),
    "reshape to zero values": (D + "network: [{reshape: «[0]}, linear]\n", ["at least 1"]),
    "fresh noise without noise": ("data: {source: digits, fresh_noise: «true}\n" + N, ["noise"]),
    "train and validation over 1": (
        "data: {source: digits, split: {train: «0.9, validation: 0.3}}\n" + N,
        ["1.2"],
    ),
    "extends a missing file": ("extends: «base.yaml\n" + N, ["no such file", "base.yaml"]),
    "extends itself": ("extends: «t.yaml\n" + N, ["circle"]),
    "extends a folder": ("extends: «.\n" + N, ["folder"]),
}
NETWORKS = {
    "wrong shapes in a repeat": (
        D + "network:\n- linear: 32\n- repeat:\n    times: 3\n    layers:\n      - «residual:\n"
        "          - linear: 16\n          - tanh\n- linear\n",
        ["(32)", "(16)", "residual1"],
    ),
    "wrong shapes in a block": (
        "blocks:\n  b:\n    - linear: 6\n    - «reshape: [5]\n" + D + "network: [b, linear]\n",
        ["(6)", "(5)"],
    ),
    "cycle": (
        D + "network:\n- {linear: 8, as: a, from: b}\n- {«linear: 8, as: b, from: a}\n- linear\n",
        ["cycle", "a → b"],
    ),
    "unknown value": (
        D + "network: [{linear: 8, as: hidden}, {linear: 8, from: «hiden}, linear]\n",
        ["hiden", "hidden"],
    ),
    "unknown value in a loss": (D + N + "loss: {mse: , from: «code}\n", ["code", "linear2"]),
    "same of an unknown layer": (D + "network: [{same: «first}, linear]\n", ["first"]),
    "one name twice": (
        D + "network: [{linear: 8, as: h}, {linear: 8, as: «h}, linear]\n",
        ["h", "taken"],
    ),
    "add of one": (D + "network: [«add, linear]\n", ["two or more", "`from`"]),
    "units missing inside": (D + "network: [«linear, tanh, linear]\n", ["units"]),
    "too few outputs": (D + "network: [{«linear: 5}]\n", ["5", "10"]),
    "wrong number of targets": (
        D + "network: [{«linear: 8}]\nloss: {mse: , target: inputs}\n",
        ["(8)", "(64)"],
    ),
    "cross entropy of one value": (
        "data: {source: line}\nnetwork: [linear]\nloss: «cross_entropy\n",
        ["classes", "values", "use mse"],
    ),
    "mirror of a residual": (
        D + "network: {encoder: [{«residual: [{linear: 64}]}, {linear: 2}], decoder: mirror}\n",
        ["mirror"],
    ),
    "activation of an mlp": (
        D
        + "network: [{mlp: {units: [8], activation: «{mlp: [3]}}}, linear]\n".replace(
            "«{mlp", "{«mlp"
        ),
        [],
    ),
    "empty network": (D + "network: «[]\n", []),
    "no losses": (D + N + "loss: «[]\n", []),
    "gd with batches": (D + N + "optimizer: gd\ntrain: {batch_size: «32}\n", ["whole set"]),
    "accuracy of a regression": (
        "data: {source: line}\nnetwork: [linear]\ntrain: {early_stopping: {monitor: «accuracy}}\n",
        ["accuracy", "classes"],
    ),
    "evaluation for another task": (D + N + "evaluate: [«regression]\n", ["classification"]),
    "more folds than samples": (
        D[:-2]
        + ", split: {train: 20, validation: 5, test: 100}}\n"
        + N
        + "evaluate: [«{folds: {k: 26, part: validation}}]\n",
        ["26 folds of 25 samples"],
    ),
    "more clusters than training samples": (
        D[:-2] + ", split: {train: 9, test: 100}}\n" + N + "evaluate: [«{clustering: linear1}]\n",
        ["10 clusters of 9 training samples"],
    ),
    "a consistency check with lbfgs": (
        D + N + "optimizer: lbfgs\nevaluate: [«consistency_check]\n",
        ["one gradient per step"],
    ),
    "decision regions of many inputs": (D + N + "evaluate: [«decision_regions]\n", ["two numbers"]),
    "wrong layer in a classifier of an evaluation": (
        D + "network: {encoder: [{linear: 2}], decoder: mirror}\n"
        "evaluate: {denoising: {classifier: [{linear: 8}, «add, linear]}}\n",
        ["two or more"],
    ),
    "split over all": ("data: {source: digits, split: {«train: 5000}}\n" + N, ["1797"]),
    "no image": ("data: {source: iris, shape: «image}\n" + N, ["flat"]),
    "csv missing": ("data: {source: {csv: {path: «no.csv, target: y}}}\n" + N, ["no such file"]),
    "csv without the target": (
        "data: {source: {csv: {path: good.csv, target: «z}}}\n" + N,
        ['"z"', '"a"', '"y"'],
    ),
    "csv with a missing value": (
        "data: {source: {csv: {path: «holes.csv, target: y}}}\n" + N,
        ["line 3", '"b"', "missing"],
    ),
    "csv with a ragged row": (
        "data: {source: {csv: {path: «ragged.csv, target: y}}}\n" + N,
        ["line 4", "2 cells"],
    ),
    "not an npz file": ("data: {source: {npz: {path: «good.csv}}}\n" + N, ["good.csv"]),
}
CASES = {**SYNTAX, **WORDS, **NETWORKS}
# Here the message may also name the position of the key, or of the enclosing value.
LENIENT = {"csv without the target", "csv missing", "csv with a missing value",
           "csv with a ragged row", "not an npz file", "unknown value", "same of an unknown layer",
           "one name twice", "unknown value in a loss", "empty network", "no losses",
           "activation of an mlp", "split over all"}  # fmt: skip


def test_the_number_of_cases() -> None:
    """No case is lost."""
    assert len(CASES) >= 80


def write_config(folder: Path, text: str) -> tuple[Path, int, int]:
    """Write a configuration; return the file, and the line and column of its mark."""
    before, _, after = text.partition("«")
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    file = folder / "t.yaml"
    file.write_bytes((before + after).encode())
    (folder / "good.csv").write_text("a,b,y\n" + "1,2,p\n3,4,q\n" * 9)
    (folder / "holes.csv").write_text("a,b,y\n1,2,p\n3,,q\n5,6,q\n")
    (folder / "ragged.csv").write_text("a,b,y\n1,2,p\n3,4,p\n5,6\n7,8,q\n")
    return file, line, column


def problems(result: CommandResult) -> list[re.Match[str]]:
    """The first line of each message."""
    return [m for m in map(LOCATION.match, result.err.splitlines()) if m]


@pytest.mark.parametrize("name", CASES)
def test_an_invalid_configuration(
    name: str, ldl: Ldl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Position, line, caret, message; exit 2; nothing on stdout, no run folder."""
    text, words = CASES[name]
    file, line, column = write_config(tmp_path, text)
    monkeypatch.setenv("LDL_RUNS_DIR", str(tmp_path / "other"))
    result = ldl("train", file, "--runs", tmp_path / "runs")
    assert result.code == 2, result.err
    assert result.out == ""
    assert "Traceback" not in result.err
    assert not (tmp_path / "runs").exists() and not (tmp_path / "other").exists()
    reported = problems(result)
    assert reported and Path(reported[0]["file"]).name == "t.yaml"
    positions = [(int(m["line"]), int(m["column"])) for m in reported]
    if name in LENIENT:
        assert line in [position[0] for position in positions], result.err
    else:
        assert (line, column) in positions, result.err
    assert [word for word in words if word not in result.err] == []
    lines = result.err.splitlines()
    carets = [number for number, text in enumerate(lines) if text.strip().startswith("^")]
    if name != "empty file":
        assert carets, result.err
    for number in carets:
        assert lines[number - 1].strip() and len(lines[number]) <= 100


@pytest.mark.parametrize("name", CASES)
def test_check_prints_the_same(name: str, ldl: Ldl, tmp_path: Path) -> None:
    """`ldl check` finds every error without training."""
    file, _, _ = write_config(tmp_path, CASES[name][0])
    by_check, by_train = ldl("check", file), ldl("train", file, "--runs", tmp_path / "runs")
    assert (by_check.code, by_check.err) == (by_train.code, by_train.err)


# --- files and overrides --------------------------------------------------------------------


def test_files_that_cannot_be_read(ldl: Ldl, tmp_path: Path) -> None:
    """Missing, a folder, binary, not UTF-8, too large, unreadable: exit 2 and the file's name."""
    binary, latin, huge = (tmp_path / name for name in ("b.yaml", "l.yaml", "h.yaml"))
    binary.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    latin.write_bytes("name: Größe\n".encode("latin-1"))
    huge.write_bytes(b"# " + b"x" * 60_000_000)
    cases = {
        tmp_path / "none.yaml": "no such file",
        tmp_path: "folder",
        binary: "UTF-8",
        latin: "UTF-8",
        huge: "large",
    }
    for file, words in cases.items():
        result = ldl("train", file, "--runs", tmp_path / "runs")
        assert result.code == 2 and str(file) in result.err, file
        assert words in result.err and "Traceback" not in result.err
    assert not (tmp_path / "runs").exists()


def test_an_alias_bomb_is_refused_at_once(tmp_path: Path) -> None:
    """490 million nodes from 306 bytes; in a separate process with a time limit."""
    names = "abcdefghi"
    rows = [f"{names[0]}: &a [" + ",".join(["lol"] * 9) + "]"]
    for before, name in pairwise(names):
        rows.append(f"{name}: &{name} [" + ",".join([f"*{before}"] * 9) + "]")
    file = tmp_path / "bomb.yaml"
    file.write_text("\n".join(rows) + "\n")
    result = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "check", str(file)],
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert result.returncode == 2
    assert "bomb.yaml:1:4: an anchor" in result.stderr and "Traceback" not in result.stderr


OVERRIDES = {
    "train.epoch=3": ("command line:1:7", "did you mean `epochs`"),
    "train.epochs": ("command line:1:1", "`=`"),
    "=3": ("command line:1:1", ""),
    "train.epochs=many": ("command line:1:14", "whole number"),
    "train.epochs=[1": ("command line:1:14", "never closed"),
    "network.7=tanh": ("command line:1:9", "0 to 2"),
    "optimizer.sgd.momentum=0.5": ("command line:1:11", "adam"),
    "loss=msee": ("command line:1:6", "did you mean `mse`"),
    "network.0.linear=-4": ("command line:1:18", "at least 1"),
    "data.noise.gaussian=0.5": ("command line:1:12", "data.noise"),
}


@pytest.mark.parametrize("override", OVERRIDES)
def test_a_bad_override(override: str, ldl: Ldl, tmp_path: Path) -> None:
    """The error names the position within the override, with a caret."""
    file, _, _ = write_config(tmp_path, D + N + "optimizer: adam\n«")
    result = ldl("train", file, override, "--runs", tmp_path / "runs")
    location, words = OVERRIDES[override]
    assert result.code == 2 and not (tmp_path / "runs").exists()
    assert result.err.startswith(location + ": ") and words in result.err
    lines = result.err.splitlines()
    assert lines[1].strip() == override
    assert lines[2].index("^") - lines[1].index(override) == int(location.rpartition(":")[2]) - 1


def test_several_bad_overrides_are_all_reported(ldl: Ldl, tmp_path: Path) -> None:
    """Their line is their number on the command line."""
    file, _, _ = write_config(tmp_path, D + N + "«")
    result = ldl("check", file, "seed=1", "train.epoch=3", "sede=4")
    assert [m["line"] for m in problems(result)] == ["2", "3"]


# --- all at once ----------------------------------------------------------------------------


def test_five_errors_of_five_kinds_are_all_reported(ldl: Ldl, tmp_path: Path) -> None:
    """A misspelt key, a wrong type, an unknown layer, a number out of range, a missing key."""
    text = (
        "sede: 3\ndata: {scale: minmax}\nnetwork: [{lineer: 8}, linear]\n"
        "optimizer: {sgd: {momentum: 1.5}}\ntrain: {epochs: lots}\n"
    )
    file, _, _ = write_config(tmp_path, text)
    result = ldl("train", file, "--runs", tmp_path / "runs")
    assert result.code == 2
    assert [int(m["line"]) for m in problems(result)] == [1, 2, 3, 4, 5]


PARTLY_WRONG = {
    "every section": """\
data: {source: iris, scale: «standrd, split: {train: «0.9, validation: 0.3}}
network:
  - {linear: 4, as: hidden}
  - {«linera: 8, as: wrong}
  - {concat: {}, from: «[hidden, nowhere]}
  - {«conv2d: 3, from: hidden}
  - {same: wrong}
  - {linear: {«unit: 3}}
  - linear
loss: {mse: {}, from: «nothere}
train: {«epoch: 3}
evaluate: [«classificaton]
""",
    "too many samples": """\
data: {source: iris, split: «{train: 0.9, validation: 0.05, test: 0.9}}
network: [{linear: 4}, {«conv2d: 3}, linear]
loss: {mse: {}, from: «nothere}
""",
    "encoder and decoder": """\
data: {source: iris, «scael: minmax}
network:
  encoder: [{linear: 4}, «foo, {tanh: {}, from: «bar}]
  decoder: [{linear: 4, from: «zzz}, sigmoid, sigmoid]
""",
    "a wrong loss, whose outputs nobody knows": """\
data: {source: iris}
network: [{«maxpool2d: 2}, {linear: 1}]
loss: «crossentropie
optimizer: {adam: {learning_rate: «-1}}
schedule: {cosine: {eta_min: 0.5}}
""",
}


@pytest.mark.parametrize("name", PARTLY_WRONG)
def test_problems_of_one_part_hide_none_of_another(name: str, ldl: Ldl, tmp_path: Path) -> None:
    """All of them, at their positions, and none that only follows from another."""
    lines = PARTLY_WRONG[name].splitlines()
    expected = [
        (number, match.start() + 1 - line[: match.start()].count("«"))
        for number, line in enumerate(lines, 1)
        for match in re.finditer("«", line)
    ]
    (tmp_path / "c.yaml").write_text("\n".join(lines).replace("«", ""))
    for command in ("check", "train"):
        found = problems(ldl(command, tmp_path / "c.yaml"))
        assert [(int(m["line"]), int(m["column"])) for m in found] == expected


def test_errors_in_names_do_not_hide_those_in_the_network(ldl: Ldl, tmp_path: Path) -> None:
    """A misspelt key and an unknown evaluation; wrong shapes, an unknown value, a cycle."""
    text = (
        D + "network:\n- {linear: 8, as: h}\n- {add: , from: [h, x]}\n- {tanh: , from: hh}\n"
        "- {identity: , as: me, from: me}\n- {linear: , from: h}\n"
        "train: {epoch: 5}\nevaluate: [regresion]\n"
    )
    file, _, _ = write_config(tmp_path, text)
    result = ldl("check", file)
    assert result.code == 2
    assert [int(m["line"]) for m in problems(result)] == [4, 5, 6, 8, 9]


def test_errors_of_network_training_and_evaluation_at_once(ldl: Ldl, tmp_path: Path) -> None:
    """Errors of later checks are in the order of the file."""
    text = (
        D + "network:\n- {linear: 8, as: h}\n- {add: , from: [h, x]}\n- {linear: , from: hh}\n"
        "optimizer: gd\ntrain: {batch_size: 5}\nevaluate: [regression]\n"
    )
    file, _, _ = write_config(tmp_path, text)
    result = ldl("check", file)
    assert [int(m["line"]) for m in problems(result)] == [4, 5, 7, 8]


def test_errors_in_an_extended_file_name_that_file(ldl: Ldl, tmp_path: Path) -> None:
    """Each error has the line of the file in which it is."""
    (tmp_path / "base.yaml").write_text("\n\n" + D + "network: [{lineer: 3}]\n")
    file, _, _ = write_config(tmp_path, "extends: base.yaml\ntrain: {epoch: 3}\n")
    result = ldl("check", file)
    reported = {(Path(m["file"]).name, int(m["line"])) for m in problems(result)}
    assert reported == {("base.yaml", 4), ("t.yaml", 2)}


@pytest.mark.parametrize(
    "change",
    [
        "network.0.linear=10000000000",
        "network.0.linear=1000000000000000000000",
        "train.batch_size=100000000000",
        "train.batch_size=1000000000000000000000",
    ],
)
def test_sizes_beyond_the_memory(change: str, ldl: Ldl, tmp_path: Path) -> None:
    """A message and exit code 2, no traceback."""
    file, _, _ = write_config(tmp_path, D + N + "train: {epochs: 1}\n«")
    result = ldl("check", file, change)
    assert result.code == 2 and ("at most 1,000,000,000" in result.err or "weights" in result.err)


def test_a_batch_is_never_larger_than_the_data(ldl: Ldl, tmp_path: Path) -> None:
    """The batch is at most the training split."""
    file, _, _ = write_config(tmp_path, D + N + "train: {epochs: 1}\n«")
    result = ldl("check", file, "train.batch_size=1000000000", "--json")
    assert json.loads(result.out)["total"]["batch_size"] < 1797
