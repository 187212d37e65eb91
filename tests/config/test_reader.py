from __future__ import annotations

import time

import pytest

from ldl.config import Mark, Tree
from ldl.config.problems import ProblemCollector
from ldl.config.reader import MAX_DEPTH, parse

from .toys import GOOD, NAME, problem_lines


def tree(text: str) -> Tree:
    problems = ProblemCollector()
    actual = parse(text, Mark(NAME, 1, 1), problems)
    assert not len(problems)
    assert actual is not None
    return actual


def values(actual: Tree) -> object:
    if isinstance(actual.value, dict):
        return {key: values(item) for key, item in actual.value.items()}
    return [values(i) for i in actual.value] if isinstance(actual.value, list) else actual.value


def test_values_and_marks() -> None:
    actual = tree("a: 1\nb:\n  - x y # note\n  - {c: 'no'}\n")
    assert values(actual) == {"a": 1, "b": ["x y", {"c": "no"}]}
    assert isinstance(actual.value, dict)
    b = actual.value["b"]
    assert b.key == Mark(NAME, 2, 1)
    assert isinstance(b.value, list)
    assert b.value[0].mark == Mark(NAME, 3, 5, 3)
    assert b.value[1].mark == Mark(NAME, 4, 5, 9)


def test_quoted_scalars_and_blocks_are_text() -> None:
    text = 'a: \'1\'\nb: "null"\nc: |\n  1\nd: ""\n'
    assert values(tree(text)) == {"a": "1", "b": "null", "c": "1\n", "d": ""}


def test_keys_are_their_text() -> None:
    assert values(tree("1: a\nno: b\nnull: c\n1e3: d")) == {
        "1": "a", "no": "b", "null": "c", "1e3": "d",
    }  # fmt: skip


def test_byte_order_mark_and_line_ends() -> None:
    assert values(tree("\ufeffa: 1\r\nb: 2\r\n")) == {"a": 1, "b": 2}


SHARE = "write the value out; what several files share goes into one that they extend"
EMPTY = "1:1 the file is empty — `ldl init` writes one to start with"
INDENT = "lines of one mapping or list begin in the same column"
COLON = "check the indentation here and the line above; a text that holds `: ` needs quotes"
QUOTES = "put a text that begins with such a character in quotes"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", [EMPTY]),
        ("# only a note\n", [EMPTY]),
        ("---\n", [EMPTY]),
        ("- a\n- b\n", ["1:1 expected `key: value` lines, found a list"]),
        ("just text", ["1:1 expected `key: value` lines, found the text 'just text'"]),
        ("a:\n\tb: 1\n", ["2:1 a tab cannot indent — use spaces"]),
        ("a: [1,\n\t2]\n\tb", ["2:1 a tab cannot indent — use spaces"]),
        ("a:\tb\n", ["1:3 a tab cannot stand here — use spaces"]),
        ("a: [1, 2\nb: 3\n", ["2:2 expected `,` or `]`"]),
        ("a: [1, 2\n", ["1:4 this `[` is never closed"]),
        ("a: {b: 1\n", ["1:4 this `{` is never closed"]),
        ("a: {b: 1]\n", ["1:9 expected `,` or `}`"]),
        ("a: 'x\nb: 1\n", ["1:4 this quote is never closed"]),
        ("a: b: c\n", [f"1:5 a `:` cannot stand here — {COLON}"]),
        ("a: 1\n  b: 2\n", [f"2:4 a `:` cannot stand here — {COLON}"]),
        ("a:\n  - b\n c: 1\n", [f"3:2 this line does not fit the indentation above it — {INDENT}"]),
        ("a: 1\nb\nc: 1", ["2:1 a `:` is missing after this key — write `key: value`"]),
        ("a: @x\n", [f"1:4 a value cannot begin with @ — {QUOTES}"]),
        ("a: `x`\n", [f"1:4 a value cannot begin with ` — {QUOTES}"]),
        ("a: - b\n", [f"1:4 a list cannot begin here with `- ` — {INDENT}"]),
        ("a: 1\n}\n", ["2:1 this `}` does not belong here"]),
        (": a", ["1:1 a key is missing before this `:`"]),
        (
            'a: "\\q"',
            [
                "1:6 unknown escape in a text in double quotes"
                " — write `\\\\` for a backslash, or use single quotes"
            ],
        ),
        ('a: "\\UFFFFFFFF"', ["1:5 this escape is beyond Unicode"]),
        ("a: 1\n\x00", ["2:1 a control character (U+0000) — delete it"]),
        ("a: x\x07y", ["1:5 a control character (U+0007) — delete it"]),
        ("a: *b", ["1:4 an alias (`*b`) cannot be used — " + SHARE]),
    ],
)
def test_what_ends_or_fills_a_file(text: str, problems: list[str]) -> None:
    actual = problem_lines(text)
    unknown = ("unknown key", "the configuration needs")
    assert [line for line in actual if not any(word in line for word in unknown)] == problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("seed: 1\nseed: 2\n", ["4:1 key `seed` stands twice: on line 4 and before on line 3"]),
        (
            "extra: {a: 1, a: 2}",
            ["3:15 key `a` stands twice: on line 3 and before on the same line"],
        ),
        ("extra: &x 1", ["3:8 an anchor (`&x`) cannot be used"]),
        ("extra: {<<: {a: 1}}", ["3:9 a merge key (`<<`) cannot be used"]),
        ("extra: !!float 1", ["3:8 a tag (`!!float`) cannot be used"]),
        ("extra: !x [1]", ["3:8 a tag (`!x`) cannot be used"]),
        ("---\nseed: 1", ["3:1 a second document begins here"]),
        ("...\n---\nseed: 1", ["4:1 a second document begins here"]),
        ("extra: {[a]: 1}", ["3:9 a key must be a word"]),
        ("extra: {: 1}", ["3:9 a key is missing before this `:`"]),
        ('extra: "\\ud800"', ["3:8 a text cannot hold this escape"]),
        ('extra: "\\0"', ["3:8 a text cannot hold this escape"]),
        ("extra: 0x" + "f" * 500, ["3:8 a number of too many digits"]),
        (
            f"extra: {{{'k' * 101}: 1}}",
            ["3:9 a key is text of at most 100 characters, without NUL"],
        ),
    ],
)
def test_what_the_language_leaves_out(text: str, problems: list[str]) -> None:
    assert [line.partition(" — ")[0] for line in problem_lines(GOOD + text)] == problems


def test_all_of_them_at_once() -> None:
    text = "seed: 1\nseed: 2\nextra: &a [*b, !c 3]\ntrain: {<<: *a, epochs: 1, epochs: 2}\n"
    places = [line.split()[0] for line in problem_lines(GOOD + text)]
    assert places == ["4:1", "5:8", "5:12", "5:16", "6:9", "6:28"]


def test_depth() -> None:
    inside = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert values(tree(f"a: {inside}"))
    assert problem_lines(f"{GOOD}extra: [{inside}]") == [
        f"3:57 nested more than {MAX_DEPTH} deep — take some brackets away"
    ]


BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 60)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        MERGES,
        "a: " + "[" * 100_000,
        "a: " + "{" * 100_000,
        "- " * 100_000,
        "? " * 50_000,
        "a: " + "[" * 100_000 + "]" * 100_000,
        "".join(" " * i + "a:\n" for i in range(1000)),
        "a: " + "x" * 500_000,
        "a: [" + "," * 100_000,
        "a:" + ":" * 100_000,
        "'" * 100_001,
        "&a " * 50_000,
        "a: " + "9" * 100_000,
    ],
    ids=lambda text: text[:12],
)
def test_hostile_texts_end_fast(text: str) -> None:
    start = time.perf_counter()
    assert problem_lines(text)
    assert time.perf_counter() - start < 3
