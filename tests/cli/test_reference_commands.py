"""`ldl explain`, `schema`, `init`, `data`, `check` and `gradcheck`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from jsonschema import Draft202012Validator

from ldl.cli.run_table import read_plain
from ldl.execute import REGISTRIES

from .conftest import CLASSES, INPUTS, VALUES, Ldl

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
ENTRIES = [(kind, name) for kind, names in REGISTRIES.items() for name in names]


# --- explain --------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_every_name_is_explained(kind: str, name: str, ldl: Ldl) -> None:
    """Its kind, its docstring's first line and all of its settings, in text and in JSON."""
    result = ldl("explain", name)
    assert (result.code, result.err) == (0, "")
    assert f"{name} ({kind})" in result.out
    first = (REGISTRIES[kind][name].__doc__ or "").splitlines()[0]
    assert first in result.out
    entries = [e for e in json.loads(ldl("explain", name, "--json").out) if e["kind"] == kind]
    assert [entry["name"] for entry in entries] == [name]
    for setting in entries[0]["settings"]:
        assert re.search(rf"^  {setting['name']} +\S", result.out, re.M), setting
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
    """Every section of a configuration has an entry."""
    assert ldl("explain", section).code == 0


def test_a_misspelt_name(ldl: Ldl) -> None:
    """A suggestion, exit 2."""
    result = ldl("explain", "crossentropy")
    assert (result.code, result.out) == (2, "") and "did you mean cross_entropy" in result.err
    assert ldl("explain", "Cross-Entropy").code == 0


def test_the_confusion_matrix_is_the_contingency_matrix(ldl: Ldl) -> None:
    """Both names lead to one entry."""
    result = ldl("explain", "confusion_matrix")
    assert result.code == 0 and result.out.startswith("contingency_matrix (concept)")
    assert ldl("explain", "contingency-matrix").out == result.out
    (entry,) = json.loads(ldl("explain", "confusion_matrix", "--json").out)
    assert entry["name"] == "contingency_matrix" and entry["settings"] == []


def test_a_setting_is_explained_where_it_stands(ldl: Ldl) -> None:
    """Once for all owners in which it means the same; a misspelt one has a hint."""
    assert "duplicates (setting of split)" in ldl("explain", "duplicates").out
    entries = json.loads(ldl("explain", "seed", "--json").out)
    assert [entry["kind"] for entry in entries] == ["setting of configuration", "setting of split"]
    assert "did you mean accumulation_steps?" in ldl("explain", "accumulation_step").err


def test_weight_decay_says_what_it_leaves_out(ldl: Ldl) -> None:
    result = ldl("explain", "weight-decay")
    assert result.code == 0 and "decay: all" in result.out and "batch_norm" in result.out


# --- schema ---------------------------------------------------------------------------------


def test_the_schema_is_valid_and_accepts_the_shipped_configurations(ldl: Ldl) -> None:
    """The schema is a JSON Schema, and every configuration is valid against it."""
    schema = json.loads(ldl("schema").out)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    whole = [p for p in (ROOT / "configs").rglob("*.yaml") if "extends:" not in p.read_text()]
    assert len(whole) > 10
    for path in whole:
        assert list(validator.iter_errors(read_plain(path))) == [], path


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
def test_the_schema_rejects_what_the_language_rejects(change: dict[str, Any], ldl: Ldl) -> None:
    """An editor can mark the error."""
    schema = json.loads(ldl("schema").out)
    good = {"data": {"source": "digits"}, "network": ["linear"]}
    validator = Draft202012Validator(schema)
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, **change})


def test_resolved_configurations_are_valid(ldl: Ldl, runs: Path) -> None:
    """The schema accepts config.yaml, with every default filled in."""
    validator = Draft202012Validator(json.loads(ldl("schema").out))
    for path in runs.glob("*/config.yaml"):
        assert list(validator.iter_errors(read_plain(path))) == []


# --- init -----------------------------------------------------------------------------------


def test_a_starting_file_is_valid_and_trains(ldl: Ldl, tmp_path: Path) -> None:
    """Commented, checked, trained; the next commands are printed on stderr."""
    file = tmp_path / "new" / "example.yaml"
    result = ldl("init", file)
    assert result.code == 0 and result.out == f"{file}\n" and f"ldl check {file}" in result.err
    text = file.read_text()
    assert text.count("#") >= 5 and yaml.safe_load(text)["name"] == "example"
    assert ldl("check", file).code == 0
    result = ldl("train", file, "train.epochs=1", "-q", "--runs", tmp_path / "runs")
    assert result.code == 0 and "-example-" in result.out


@pytest.mark.parametrize(
    "name", ["my: file", "123", "null", "true", "1e3", "#1", "{x}", "'q", "- a", "a b", "größe"]
)
def test_any_file_name_gives_a_valid_file(name: str, ldl: Ldl, tmp_path: Path) -> None:
    """The file holds its own name, quoted where YAML needs it."""
    file = tmp_path / f"{name}.yaml"
    assert ldl("init", file).code == 0
    result = ldl("check", file, "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["name"] == name


def test_nothing_is_overwritten(ldl: Ldl, tmp_path: Path) -> None:
    """Neither a file nor a folder."""
    file = tmp_path / "example.yaml"
    file.write_text("precious")
    for path in (file, tmp_path):
        result = ldl("init", path)
        assert result.code == 2 and "exists already" in result.err
    assert file.read_text() == "precious"


# --- data -----------------------------------------------------------------------------------


def test_data_list(ldl: Ldl) -> None:
    """Every source, with samples and shapes if they are known before reading."""
    document = {source["name"]: source for source in json.loads(ldl("data", "list", "--json").out)}
    assert set(document) == set(REGISTRIES["source"])
    assert document["digits"]["info"]["samples"] == 1797
    assert len(document["digits"]["info"]["target"]["names"]) == 10
    text = ldl("data", "list").out
    assert [name for name in document if name not in text] == []


@pytest.mark.parametrize("verb", ["fetch", "verify"])
def test_data_sets_without_files(verb: str, ldl: Ldl) -> None:
    """The error names the data sets that have files."""
    for name in ("nothing", "digits"):
        result = ldl("data", verb, name)
        assert result.code == 2 and "mnist" in result.err and "Traceback" not in result.err


# --- check and gradcheck --------------------------------------------------------------------


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_check_prints_the_network(path: Path, ldl: Ldl) -> None:
    """Layers, shapes, weights; totals; also in JSON."""
    result = ldl("check", path)
    assert result.code == 0 and path.stem in result.out and "multiply-adds" in result.out
    document = json.loads(ldl("check", path, "--json").out)
    assert document["total"]["weights"] == sum(layer["weights"] for layer in document["layers"])
    assert document["total"]["multiply_adds"] == sum(e["multiply_adds"] for e in document["layers"])
    for layer in document["layers"]:
        assert layer["name"] in result.out


def test_the_numbers_of_check(ldl: Ldl, tmp_path: Path) -> None:
    """Weights and multiply-adds of 64-32-10; shared weights count once."""
    file = tmp_path / "t.yaml"
    file.write_text(
        "data: {source: digits}\n"
        "network: [{linear: 32}, tanh, {linear: 32, as: w}, {same: w}, linear]\n"
        "train: {batch_size: 20}\n"
    )
    document = json.loads(ldl("check", file, "--json").out)
    by_name = {layer["name"]: layer for layer in document["layers"]}
    assert by_name["linear1"]["weights"] == 64 * 32 + 32
    assert by_name["linear1"]["multiply_adds"] == 64 * 32
    assert by_name["linear2"]["shared"] == "w" and by_name["linear2"]["weights"] == 0
    assert by_name["linear2"]["multiply_adds"] == 32 * 32
    assert document["total"]["weights"] == 64 * 32 + 32 + 32 * 32 + 32 + 32 * 10 + 10
    assert document["total"]["batch_size"] == 20
    assert "(as w)" in ldl("check", file).out


def test_memory_of_a_step_is_that_of_the_largest_batch(ldl: Ldl, tmp_path: Path) -> None:
    """A batch is at most as large as the training split."""
    file = tmp_path / "t.yaml"
    file.write_text(CLASSES)
    whole = json.loads(ldl("check", file, "train.batch_size=full", "--json").out)["total"]
    more = json.loads(ldl("check", file, "train.batch_size=5000", "--json").out)["total"]
    assert whole["batch_size"] == 105 and whole["step_bytes"] == more["step_bytes"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_gradients_of_every_configuration(path: Path, ldl: Ldl) -> None:
    """Every weight, against central differences."""
    result = ldl("gradcheck", path, "--entries", "5", "--json")
    document = json.loads(result.out)
    assert result.code == 0 and document["passed"]
    assert document["gradients"] and all(g["checked"] for g in document["gradients"])


@pytest.mark.parametrize("text", [CLASSES, VALUES, INPUTS], ids=["classes", "values", "inputs"])
def test_a_wrong_gradient_fails(
    text: str, ldl: Ldl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1 where a layer's backward is off by a hundredth."""
    from ldl.engine.layer import Call, Context
    from ldl.engine.layers.linear import Linear

    file = tmp_path / "t.yaml"
    file.write_text(text)
    assert ldl("gradcheck", file).code == 0
    right = Linear.backward

    def wrong(self: Linear, ctx: Context, scratch: None) -> Iterator[Call]:
        yield from right(self, ctx, scratch)
        gradient = ctx.dw["weight"]
        yield partial(np.multiply, gradient, 1.01, gradient)

    monkeypatch.setattr(Linear, "backward", wrong)
    result = ldl("gradcheck", file)
    assert result.code == 1 and "off by more than" in result.err
