"""`ldl explain`, `schema`, `init`, `data`, `check` and `gradcheck`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ldl.config import read
from ldl.config.tree import Tree
from ldl.execute import REGISTRIES

from .conftest import CLASSES, INPUTS, VALUES, Ldl

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
ENTRIES = [(kind, name) for kind, names in REGISTRIES.items() for name in names]


# --- explain --------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_every_name_is_explained(kind: str, name: str, ldl: Ldl) -> None:
    """Its kind, its docstring's first line and all of its settings, in text and in JSON."""
    done = ldl("explain", name)
    assert (done.code, done.err) == (0, "")
    assert f"{name} ({kind})" in done.out
    first = (REGISTRIES[kind][name].__doc__ or "").splitlines()[0]
    assert first in done.out
    entries = [e for e in json.loads(ldl("explain", name, "--json").out) if e["kind"] == kind]
    assert [entry["name"] for entry in entries] == [name]
    for setting in entries[0]["settings"]:
        assert re.search(rf"^  {setting['name']} +\S", done.out, re.M), setting
        assert setting["required"] or "default" in setting


def test_all_names_are_listed(ldl: Ldl) -> None:
    """By kind."""
    listed = json.loads(ldl("explain", "--json").out)
    assert {kind: list(names) for kind, names in REGISTRIES.items()}.items() <= listed.items()
    text = ldl("explain").out
    assert [name for _, name in ENTRIES if name not in text] == []


@pytest.mark.parametrize(
    "section",
    ["data", "split", "network", "loss", "optimizer", "train", "early_stopping", "evaluate",
     "blocks", "name", "seed", "encoder", "decoder", "claim", "figure"],
)  # fmt: skip
def test_every_section_is_explained(section: str, ldl: Ldl) -> None:
    """Whoever reads a configuration asks for its keys."""
    assert ldl("explain", section).code == 0


def test_a_misspelt_name(ldl: Ldl) -> None:
    """A suggestion, exit 2."""
    done = ldl("explain", "crossentropy")
    assert (done.code, done.out) == (2, "") and "did you mean cross_entropy" in done.err
    assert ldl("explain", "Cross-Entropy").code == 0


# --- schema ---------------------------------------------------------------------------------


def plain(tree: Tree) -> Any:
    """A configuration as JSON has it, numbers read as the language reads them."""
    if isinstance(tree.value, dict):
        return {key: plain(value) for key, value in tree.value.items()}
    if isinstance(tree.value, list):
        return [plain(value) for value in tree.value]
    return tree.value


def test_the_schema_is_one_and_fits_what_is_shipped(ldl: Ldl) -> None:
    """Valid against its own rules; every configuration is valid against it."""
    schema = json.loads(ldl("schema").out)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    whole = [p for p in (ROOT / "configs").rglob("*.yaml") if "extends:" not in p.read_text()]
    assert len(whole) > 10
    for path in whole:
        assert list(validator.iter_errors(plain(read(path).tree))) == [], path


@pytest.mark.parametrize(
    "change",
    [
        {"sede": 1},
        {"seed": -1},
        {"train": {"epochs": "many"}},
        {"train": {"epoch": 3}},
        {"optimizer": {"adm": 0.1}},
        {"network": [{"linear": -4}]},
        {"network": {"encoder": ["tanh"]}},
        {"loss": "msee"},
    ],
)
def test_the_schema_refuses_what_the_language_refuses(change: dict[str, Any], ldl: Ldl) -> None:
    """Editors then mark it."""
    schema = json.loads(ldl("schema").out)
    good = {"data": {"source": "digits"}, "network": ["linear"]}
    validator = Draft202012Validator(schema)
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, **change})


def test_resolved_configurations_fit_the_schema(ldl: Ldl, runs: Path) -> None:
    """Those with every default filled in too."""
    validator = Draft202012Validator(json.loads(ldl("schema").out))
    for path in runs.glob("*/config.yaml"):
        assert list(validator.iter_errors(plain(read(path).tree))) == []


# --- init -----------------------------------------------------------------------------------


def test_a_starting_file_is_sound_and_trains(ldl: Ldl, tmp_path: Path) -> None:
    """Commented, checked, trained; the next steps are said on stderr."""
    file = tmp_path / "new" / "mine.yaml"
    done = ldl("init", file)
    assert done.code == 0 and done.out == f"{file}\n" and f"ldl check {file}" in done.err
    text = file.read_text()
    assert text.count("#") >= 5 and yaml.safe_load(text)["name"] == "mine"
    assert ldl("check", file).code == 0
    done = ldl("train", file, "train.epochs=1", "-q", "--runs", tmp_path / "runs")
    assert done.code == 0 and "-mine-" in done.out


@pytest.mark.parametrize(
    "name", ["my: file", "123", "null", "true", "1e3", "#1", "{x}", "'q", "- a", "a b", "größe"]
)
def test_any_file_name_gives_a_sound_file(name: str, ldl: Ldl, tmp_path: Path) -> None:
    """The name in the file is that of the file, quoted where it has to be."""
    file = tmp_path / f"{name}.yaml"
    assert ldl("init", file).code == 0
    done = ldl("check", file, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["name"] == name


def test_nothing_is_overwritten(ldl: Ldl, tmp_path: Path) -> None:
    """Not a file, not a folder."""
    file = tmp_path / "mine.yaml"
    file.write_text("precious")
    for path in (file, tmp_path):
        done = ldl("init", path)
        assert done.code == 2 and "exists already" in done.err
    assert file.read_text() == "precious"


# --- data -----------------------------------------------------------------------------------


def test_data_list(ldl: Ldl) -> None:
    """Every source, with samples and shapes where they are known."""
    found = {each["name"]: each for each in json.loads(ldl("data", "list", "--json").out)}
    assert set(found) == set(REGISTRIES["source"])
    assert found["digits"]["info"]["samples"] == 1797
    assert len(found["digits"]["info"]["target"]["names"]) == 10
    text = ldl("data", "list").out
    assert [name for name in found if name not in text] == []


@pytest.mark.parametrize("verb", ["fetch", "verify"])
def test_data_sets_without_files(verb: str, ldl: Ldl) -> None:
    """Names those that have some."""
    for name in ("nothing", "digits"):
        done = ldl("data", verb, name)
        assert done.code == 2 and "mnist" in done.err and "Traceback" not in done.err


# --- check and gradcheck --------------------------------------------------------------------


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_check_prints_the_network(path: Path, ldl: Ldl) -> None:
    """Layers, shapes, weights; totals; also in JSON."""
    done = ldl("check", path)
    assert done.code == 0 and path.stem in done.out and "multiply-adds" in done.out
    found = json.loads(ldl("check", path, "--json").out)
    assert found["total"]["weights"] == sum(layer["weights"] for layer in found["layers"])
    assert found["total"]["multiply_adds"] == sum(e["multiply_adds"] for e in found["layers"])
    for layer in found["layers"]:
        assert layer["name"] in done.out


def test_the_figures_of_check(ldl: Ldl, tmp_path: Path) -> None:
    """64-32-10 worked out by hand; shared weights count once."""
    file = tmp_path / "t.yaml"
    file.write_text(
        "data: {source: digits}\n"
        "network: [{linear: 32}, tanh, {linear: 32, as: w}, {same: w}, linear]\n"
        "train: {batch_size: 20}\n"
    )
    found = json.loads(ldl("check", file, "--json").out)
    by_name = {layer["name"]: layer for layer in found["layers"]}
    assert by_name["linear1"]["weights"] == 64 * 32 + 32
    assert by_name["linear1"]["multiply_adds"] == 64 * 32
    assert by_name["linear2"]["shared"] == "w" and by_name["linear2"]["weights"] == 0
    assert by_name["linear2"]["multiply_adds"] == 32 * 32
    assert found["total"]["weights"] == 64 * 32 + 32 + 32 * 32 + 32 + 32 * 10 + 10
    assert found["total"]["batch_size"] == 20
    assert "(as w)" in ldl("check", file).out


def test_memory_of_a_step_is_of_the_batch_that_there_is(ldl: Ldl, tmp_path: Path) -> None:
    """A batch size beyond the training part is the training part."""
    file = tmp_path / "t.yaml"
    file.write_text(CLASSES)
    whole = json.loads(ldl("check", file, "train.batch_size=full", "--json").out)["total"]
    more = json.loads(ldl("check", file, "train.batch_size=5000", "--json").out)["total"]
    assert whole["batch_size"] == 105 and whole["step_bytes"] == more["step_bytes"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_gradients_of_every_configuration(path: Path, ldl: Ldl) -> None:
    """Each weight, against central differences."""
    done = ldl("gradcheck", path, "--entries", "20", "--json")
    found = json.loads(done.out)
    assert done.code == 0 and found["passed"]
    assert found["gradients"] and all(g["checked"] for g in found["gradients"])


@pytest.mark.parametrize("text", [CLASSES, VALUES, INPUTS], ids=["classes", "values", "inputs"])
def test_a_wrong_gradient_fails(
    text: str, ldl: Ldl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1 where a layer's backward is off by a hundredth."""
    from ldl.engine.layer import Context
    from ldl.engine.layers.linear import Linear

    file = tmp_path / "t.yaml"
    file.write_text(text)
    assert ldl("gradcheck", file).code == 0
    right = Linear.backward

    def wrong(self: Linear, node: Context) -> None:
        right(self, node)
        node.dw["weight"] *= 1.01

    monkeypatch.setattr(Linear, "backward", wrong)
    done = ldl("gradcheck", file)
    assert done.code == 1 and "off by more than" in done.err
