"""Former names of settings and registry entries: accepted, noted once, resolved to the new name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import pytest

from ldl.config import json_schema, load, loads, render, to_yaml
from ldl.errors import ConfigError
from ldl.fields import Alias, Choice, Doc, Positive


@dataclass(frozen=True)
class Ablation:
    """Several losses times several optimizers."""

    FORMER_NAMES = ("matrix", "grid")

    repeats: Annotated[int, Alias("runs")] = 1
    split: Annotated[str, Doc("of the data"), Alias("part")] = "test"


@dataclass(frozen=True)
class Other:
    """Something else."""


@dataclass(frozen=True)
class Train:
    """The training."""

    epochs: int = 1
    tolerance: Annotated[Positive | None, Doc("when to stop"), Alias("limit")] = None


@dataclass(frozen=True)
class Root:
    """An experiment."""

    train: Train = Train()
    evaluate: list[Annotated[Any, Choice("evaluation")]] = field(default_factory=list)
    best: Annotated[Any, Choice("evaluation")] = Other()


REGISTRIES = {"evaluation": {"ablation": Ablation, "other": Other}}


def read(text: str, *overrides: str) -> tuple[Root, list[str]]:
    """The value and the messages of its warnings."""
    loaded = loads(text, "t.yaml", Root, REGISTRIES, overrides)
    return loaded.value, [f"{w.line}:{w.column} {w.message}" for w in loaded.warnings]


def problem_lines(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loads(text, "t.yaml", Root, REGISTRIES, overrides)
    return render(caught.value)


NOTE = "`limit` is now called `tolerance`; the former name still works"


def test_a_former_name_is_read_and_noted() -> None:
    assert read("train: {limit: 2}") == (Root(Train(1, 2.0)), [f"1:9 {NOTE}"])
    assert read("train: {tolerance: 2}") == (Root(Train(1, 2.0)), [])


def test_notes_stand_in_the_order_of_the_file() -> None:
    _, notes = read("evaluate: [ablation: {part: train}]\ntrain: {limit: 2}")
    assert [note.split()[0] for note in notes] == ["1:23", "2:9"]


def test_overrides_may_use_either_name() -> None:
    value, notes = read("{}", "train.limit=3")
    assert value.train.tolerance == 3.0 and notes == [f"1:7 {NOTE}"]
    assert read("train: {limit: 2}", "train.tolerance=3") == (Root(Train(1, 3.0)), [])
    assert read("train: {tolerance: 2}", "train.limit=3")[0].train.tolerance == 3.0
    assert read("train: {tolerance: 2}", "train={limit: 3}")[0].train.tolerance == 3.0
    assert read("{}", "train.limit=3", "train.limit=4")[0].train.tolerance == 4.0


def test_both_names_at_once_are_an_error() -> None:
    text = problem_lines("train: {limit: 2, tolerance: 3}")
    assert "t.yaml:1:9: `limit` is the former name of `tolerance`, which is given too" in text
    assert "keep `tolerance`" in text
    assert "keep `tolerance`" in problem_lines("{}", "train.limit=3", "train.tolerance=4")
    assert "keep `tolerance`" in problem_lines("{}", "train.tolerance=3", "train.limit=4")


def test_limits_hold_under_a_former_name() -> None:
    assert "t.yaml:1:16: must be above 0" in problem_lines("train: {limit: -2}")


def test_a_file_may_extend_one_with_the_former_name(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("train: {limit: 2, epochs: 7}\nbest: {matrix: {runs: 3}}\n")
    over = tmp_path / "over.yaml"
    over.write_text("extends: base.yaml\ntrain: {tolerance: 5}\nbest: {ablation: {split: train}}\n")
    loaded = load(over, Root, REGISTRIES)
    assert loaded.value == Root(Train(7, 5.0), [], Ablation(3, "train"))
    (tmp_path / "base.yaml").write_text("train: {tolerance: 2, epochs: 7}\n")
    over.write_text("extends: base.yaml\ntrain: {limit: 5}\n")
    loaded = load(over, Root, REGISTRIES)
    assert loaded.value.train == Train(7, 5.0) and [w.message for w in loaded.warnings] == [NOTE]


@pytest.mark.parametrize("name", ["matrix", "grid"])
def test_entries_have_former_names_too(name: str) -> None:
    note = f"`{name}` is now called `ablation`; the former name still works"
    assert read(f"evaluate: {name}") == (Root(evaluate=[Ablation()]), [f"1:11 {note}"])
    value, notes = read(f"evaluate: [{{{name}: {{runs: 3}}}}, other, {name}]")
    assert value.evaluate == [Ablation(3), Other(), Ablation()]
    assert [n.split(" ", 1)[1] for n in notes] == [
        note,
        "`runs` is now called `repeats`; the former name still works",
    ]
    assert read(f"best: {name}", f"best.{name}.runs=4")[0].best == Ablation(4)
    assert read(f"best: {name}", "best.ablation.repeats=4")[0].best == Ablation(4)
    assert read("best: ablation", f"best={{{name}: {{part: x}}}}")[0].best == Ablation(1, "x")


def test_two_names_of_one_entry_do_not_stand_together() -> None:
    assert "two evaluations where one belongs" in problem_lines("best: {ablation: {}, matrix: {}}")


def test_the_resolved_file_has_the_documented_names() -> None:
    value, _ = read("train: {limit: 2}\nbest: {matrix: {runs: 3}}")
    text = to_yaml(value, REGISTRIES)
    assert "tolerance: 2.0" in text and "limit" not in text and "matrix" not in text
    assert read(text) == (value, [])


def test_content_keys_keep_the_first_names() -> None:
    value, _ = read("train: {limit: 2}\nbest: {grid: {runs: 3}}")
    text = to_yaml(value, REGISTRIES, for_key=True)
    assert text == (
        "train: {epochs: 1, limit: 2.0}\nevaluate: []\nbest: {matrix: {runs: 3, part: test}}\n"
    )
    assert read(text)[0] == value


def test_the_schema_accepts_both_and_marks_the_former_one() -> None:
    schema = json_schema(Root, REGISTRIES)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate({"train": {"limit": 2}, "best": {"matrix": {"runs": 3}}, "evaluate": "grid"})
    assert not validator.is_valid({"train": {"limit": -2}})
    section = schema["$defs"]["section.Train"]["anyOf"][0]["properties"]
    assert section["limit"]["deprecated"] and "deprecated" not in section["tolerance"]
    options = schema["$defs"]["evaluation"]["anyOf"]
    assert [o["const"] for o in options if o.get("deprecated") and "const" in o] == [
        "matrix",
        "grid",
    ]
