from __future__ import annotations

import pytest

from ldl.config import loads, render, render_problem
from ldl.errors import ConfigError, Problem

from .toys import REGISTRIES, Root


def rendered(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loads(text, "configs/t.yaml", Root, REGISTRIES, overrides)
    return render(caught.value)


def test_a_report() -> None:
    text = """\
data: {source: digits}
network:
  encoder: [{lineer: 64}, sigmoid]
  decoder: mirror
optimizer: {sgd: {momentum: 1.5}}
"""
    assert (
        rendered(text, "train.epoch=3")
        == """\
configs/t.yaml:3:14: unknown layer `lineer`
    encoder: [{lineer: 64}, sigmoid]
               ^~~~~~
  did you mean `linear`? known: `dropout`, `linear`, `mlp`, `relu`, `repeat`, `residual`, `sigmoid`
configs/t.yaml:5:29: must be at least 0 and below 1, found the number 1.5
  optimizer: {sgd: {momentum: 1.5}}
                              ^~~
command line:1:7: unknown key `epoch` in `train`
  train.epoch=3
        ^~~~~
  did you mean `epochs`? valid here: `batch_size`, `device`, `epochs`, `patience`"""
    )


def caret(source: str, column: int, width: int = 1) -> tuple[str, str]:
    text = render_problem(Problem("m", "f", 1, column, source, width))
    _, line, under = text.split("\n")
    return line, under


def test_tabs_are_four_cells() -> None:
    assert caret("\tab: c", 2, 2) == ("      ab: c", "      ^~")


def test_wide_and_combining_characters() -> None:
    assert caret("名前: x", 5) == ("  名前: x", "        ^")
    assert caret("名前: x", 1, 2) == ("  名前: x", "  ^~~~")
    assert caret("e\u0301: x", 5) == ("  e\u0301: x", "     ^")


def test_long_lines_are_trimmed_around_the_caret() -> None:
    line, under = caret("a" * 500 + "HERE" + "b" * 500, 501, 4)
    assert line[under.index("^") : under.index("^") + 4] == "HERE"
    assert line.startswith("  …a")
    assert line.endswith("b…")
    assert len(line) <= 98


def test_a_long_mark_is_cut() -> None:
    line, under = caret("k: " + "x" * 2000, 4, 2000)
    assert len(line) <= 98
    assert len(under) <= 98
    assert line.endswith("…")


def test_a_place_past_the_end_of_the_line() -> None:
    assert caret("a: [", 5) == ("  a: [", "      ^")


def test_control_characters_move_nothing() -> None:
    assert caret("a: \x1b[31mx", 9) == ("  a: ?[31mx", "          ^")


def test_problems_without_a_line() -> None:
    assert render_problem(Problem("no such file", "f.yaml")) == "f.yaml: no such file"
    assert render_problem(Problem("wrong")) == "wrong"


def test_a_long_report_is_cut() -> None:
    error = ConfigError([Problem(f"m{i}", "f", i + 1, 1) for i in range(50)])
    lines = render(error, limit=20).split("\n")
    assert len(lines) == 21
    assert lines[-1] == "… and 30 more problems; `--json` lists all"


def test_quoted_text_is_cut_and_harmless() -> None:
    text = 'data: {source: "\\e[31m\\n\\u202e"}\nnetwork: ' + "x" * 5000 + "\nloss: relu"
    report = rendered(text, "network." + "9" * 5000 + "=1")
    assert "unknown source ` [31m  `" in report
    assert all(line.isprintable() for line in report.split("\n"))
    assert max(map(len, report.split("\n"))) < 450


def test_a_problem_is_said_once() -> None:
    text = "data: {source: digits}\nnetwork: [foo]\nloss: 3"
    report = rendered(text)
    assert report.count("unknown layer") == 1
