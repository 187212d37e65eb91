from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest

from ldl.config import loads
from ldl.errors import ConfigError
from ldl.fields import Choice, FilePath, Positive, Range, Share, Size

from .toys import GOOD, NAME, REGISTRIES, Root, Train, one_line, problem_lines, read


@dataclass(frozen=True)
class Inner:
    x: int
    y: int = 2


@dataclass(frozen=True)
class Every:
    """A field of every type."""

    flag: bool = True
    whole: int = 0
    real: float = 0.0
    text: str = ""
    maybe: Size | None = 1
    word: Literal["a", "b", 3] = "a"
    many: list[int] = ()  # type: ignore[assignment]
    pair: tuple[float, str] = (0.0, "")
    some: tuple[Size, ...] = ()
    table: dict[str, float] = None  # type: ignore[assignment]
    either: int | list[int] = 0
    share_or_count: Size | Share = 1
    anything: Any = None
    inner: Inner = Inner(1)
    file: Annotated[str, FilePath()] = ""
    rate: Positive | Annotated[Any, Choice("schedule")] = 0.1
    bounded: Annotated[float | None, Range(0, 1, below=True)] = None
    lambda_: float = 0.0


def one(line: str) -> Any:
    key = line.partition(":")[0]
    value = loads(line, NAME, Every, REGISTRIES).value
    return getattr(value, key if hasattr(value, key) else key + "_")


def problem_messages(line: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loads(line, NAME, Every, REGISTRIES)
    return [one_line(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("flag: false", False),
        ("whole: -3", -3),
        ("whole: 1e3", 1000),
        ("whole: 017", 17),
        ("real: 3", 3.0),
        ("real: 1e-3", 0.001),
        ("real: .inf", float("inf")),
        ("text: no", "no"),
        ("text: '3'", "3"),
        ("maybe: null", None),
        ("maybe:", None),
        ("maybe: 4", 4),
        ("word: b", "b"),
        ("word: 3", 3),
        ("many: [1, 2.0]", [1, 2]),
        ("pair: [1, x]", (1.0, "x")),
        ("some: [1, 2]", (1, 2)),
        ("table: {a: 1, 2: .5}", {"a": 1.0, "2": 0.5}),
        ("table: null", None),
        ("either: 3", 3),
        ("either: [3]", [3]),
        ("share_or_count: 1", 1),
        ("share_or_count: 0.5", 0.5),
        ("share_or_count: 1.0", 1.0),
        ("share_or_count: 0", 0.0),
        ("anything: {a: [1, no, null, 1.5]}", {"a": [1, "no", None, 1.5]}),
        ("inner: {x: 5}", Inner(5)),
        ("rate: 1", 1.0),
        ("bounded: 0", 0.0),
        ("lambda: 2", 2.0),
    ],
)
def test_values(line: str, value: object) -> None:
    actual = one(line)
    assert (actual, type(actual)) == (value, type(value))


NUMBER = "expected a whole number, found"


@pytest.mark.parametrize(
    ("line", "problems"),
    [
        ("flag: yes", ["1:7 expected `true` or `false`, found the text 'yes'"
                       " — did you mean `true`?"]),
        ("flag: 1", ["1:7 expected `true` or `false`, found the number 1"]),
        ("whole: 0.5", [f"1:8 {NUMBER} the number 0.5"]),
        ("whole: true", [f"1:8 {NUMBER} `true`"]),
        ("whole: abc", [f"1:8 {NUMBER} the text 'abc'"]),
        ("whole: '3'", [f"1:8 {NUMBER} the text '3' — write `3`, without quotes"]),
        ("whole: 1_000", [f"1:8 {NUMBER} the text '1_000' — write `1000`, without quotes"]),
        ("whole: .inf", [f"1:8 {NUMBER} the number inf"]),
        ("whole:", [f"1:7 {NUMBER} nothing"]),
        ("whole: [1]", [f"1:8 {NUMBER} a list"]),
        ("whole: {a: 1}", [f"1:8 {NUMBER} a mapping"]),
        ("real: .nan", ["1:7 expected a finite number, found the number nan"]),
        ("real: x", ["1:7 expected a number, found the text 'x'"]),
        ("text: 3", ["1:7 expected text, found the number 3 — put it in quotes to make it text"]),
        ("text: [a]", ["1:7 expected text, found a list"]),
        ("maybe: 0", ["1:8 must be at least 1, found the number 0"]),
        ("maybe: '4'", ["1:8 expected a whole number or `null`, found the text '4'"
                        " — write `4`, without quotes"]),
        ("real: 0,5", ["1:7 expected a number, found the text '0,5'"
                       " — write `0.5`, without quotes"]),
        ("maybe: x", ["1:8 expected a whole number or `null`, found the text 'x'"]),
        ("word: c", ["1:7 expected `a`, `b` or `3`, found the text 'c'"]),
        ("word: true", ["1:7 expected `a`, `b` or `3`, found `true`"]),
        ("many: 3", ["1:7 expected a list of whole numbers, found the number 3"
                     " — put it in brackets: `[…]`"]),
        ("many: [1, x, 2, y]", [f"1:11 {NUMBER} the text 'x'", f"1:17 {NUMBER} the text 'y'"]),
        ("pair: [1]", ["1:7 expected 2 items, found 1"]),
        ("pair: [x, 1]", ["1:8 expected a number, found the text 'x'",
                          "1:11 expected text, found the number 1"
                          " — put it in quotes to make it text"]),
        ("table: [1]", ["1:8 expected a mapping or `null`, found a list"]),
        ("table: {a: x}", ["1:12 expected a number, found the text 'x'"]),
        ("either: abc", ["1:9 expected a whole number or a list of whole numbers,"
                         " found the text 'abc'"]),
        ("either: [abc]", [f"1:10 {NUMBER} the text 'abc'"]),
        ("share_or_count: 1.5", ["1:17 must be at least 0 and at most 1, found the number 1.5"]),
        ("share_or_count: -1", ["1:17 must be at least 1, found the number -1"]),
        ("inner: 3", ["1:8 expected a mapping of settings, found the number 3 — write `{x: …}`"]),
        ("inner: {y: 3}", ["1:1 `inner` needs `x`"]),
        ("inner:", ["1:1 `inner` needs `x`"]),
        ("inner: {xx: 3}", ["1:9 unknown key `xx` in `inner`"
                            " — did you mean `x`? valid here: `x`, `y`"]),
        ("rate: 0", ["1:7 must be above 0, found the number 0"]),
        ("rate: stepp", ["1:7 unknown schedule `stepp` — did you mean `step`?"]),
        ("rate: qqq", ["1:7 expected a number or a schedule, found the text 'qqq'"
                       " — valid here: `step`"]),
        ("rate: [1]", ["1:7 expected a number or a schedule, found a list"]),
        ("bounded: 1", ["1:10 must be at least 0 and below 1, found the number 1"]),
        ("bounded: .inf", ["1:10 expected a finite number, found the number inf"]),
        ("real: 1" + "0" * 350, ["1:7 expected a finite number, found the number"
                                 " 10000000000000000000000…"]),
        ("real: 1e400", ["1:7 a number too large for a float"]),
        ("lambda_: 2", ["1:1 unknown key `lambda_` in the configuration — did you mean `lambda`?"]),
    ],
)  # fmt: skip
def test_refusals(line: str, problems: list[str]) -> None:
    assert [f.partition(" valid here: `anything`")[0] for f in problem_messages(line)] == problems


def test_paths_are_resolved_from_where_they_are_written(tmp_path: Any) -> None:
    name = str(tmp_path / "deep" / "t.yaml")
    value = loads("file: ../a.csv", name, Every, REGISTRIES).value
    assert value.file == str(tmp_path / "a.csv")
    value = loads("file: x", name, Every, REGISTRIES, ["file=sub/b.csv"]).value
    assert value.file == os.path.abspath("sub/b.csv")
    assert loads("file: /x/../y", name, Every, REGISTRIES).value.file == "/y"
    assert loads("file: ~/y", name, Every, REGISTRIES).value.file == os.path.expanduser("~/y")


def test_an_empty_section_is_its_defaults() -> None:
    assert read(GOOD + "train:\n").train == Train()


def test_a_misspelt_required_key_is_not_missed_too() -> None:
    actual = problem_lines("dat: {source: digits}\nnetwork: [relu]")
    assert len(actual) == 1
    assert actual[0].startswith("1:1 unknown key `dat` in the configuration — did you mean `data`?")


def test_missing_keys_are_one_problem() -> None:
    assert problem_lines("seed: 1") == ["1:1 the configuration needs `network` and `data`"]


def test_setting_errors_stand_at_their_setting() -> None:
    text = GOOD + "optimizer:\n  sgd:\n    nesterov: true\n"
    assert problem_lines(text) == ["5:15 nesterov: needs a momentum above 0"]
    text = GOOD + "optimizer: {sgd: {nesterov: true}}\n"
    assert problem_lines(text, "optimizer.sgd.nesterov=1")[0].startswith(
        "command line:1:24 expected"
    )


def test_unsupported_types_are_errors_of_the_program() -> None:
    @dataclass
    class Odd:
        x: int = 0

    Odd.__annotations__["x"] = set[int]
    with pytest.raises(TypeError, match="cannot express"):
        loads("x: 1", NAME, Odd, REGISTRIES)


def test_five_mistakes_of_five_kinds_show_five() -> None:
    text = """\
name: five
data: {source: digits, noise: {gausian: 0.3}}
network:
  - linear: 64
  - repeat:
      times: 2
      layers:
        - repeat: {times: 2, layers: [{linear: {units: -3}}]}
optimizer: {sgd: {learning_rate: fast}}
seed: 1
seed: 2
trian: {epochs: 3}
"""
    actual = problem_lines(text)
    assert [line.partition(" — ")[0] for line in actual] == [
        "2:32 unknown noise `gausian`",
        "8:56 must be at least 1, found the number -3",
        "9:34 expected a number, found the text 'fast'",
        "11:1 key `seed` stands twice: on line 11 and before on line 10",
        "12:1 unknown key `trian` in the configuration",
    ]


def test_marks_and_later_problems() -> None:
    text = GOOD + "optimizer:\n  sgd: {learning_rate: 0.5}\n"
    loaded = loads(text, NAME, Root, REGISTRIES, ["train.epochs=3"])
    path = ("optimizer", "sgd", "learning_rate")
    assert (loaded.marks[path].line, loaded.marks[path].column) == (4, 24)
    problem = loaded.problem((*path, "what", 3), "too fast", "slow down")
    assert (problem.line, problem.column, problem.width) == (4, 24, 3)
    assert problem.source == "  sgd: {learning_rate: 0.5}"
    assert loaded.problem(("optimizer", "sgd", "momentum"), "x").column == 3
    assert loaded.problem(("seed",), "x").line == 1
    there = loaded.problem(("train", "epochs"), "x")
    assert (there.file, there.column, there.source) == ("command line", 14, "train.epochs=3")
    item = loaded.value.network[0]
    assert loaded.problem_at(item.mark, "x").column == 11
