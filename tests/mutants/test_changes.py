"""What may be changed in a source file, and what the changed file says."""

from __future__ import annotations

import ast

import pytest

from .changes import Change, find_places


def variants(text: str) -> list[str]:
    """Every text with one change."""
    return [Change(p, after).apply(text) for p in find_places("a.py", text) for after in p.after]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b", ["a <= b", "a >= b"]),
        ("a <= b < c", ["a < b < c", "a > b < c", "a <= b <= c", "a <= b >= c"]),
        ("(a) == (b)", ["(a) != (b)"]),
        ("a is not None", ["a is None"]),
        ("a not in b", ["a in b"]),
        ("(x + 1.5) * y", ["(x - 1.5) * y", "(x + 2.5) * y", "(x + 1.5) / y"]),
        ("x[-1]", ["x[1]", "x[-2]", "x[-0]"]),
        ("x.reshape(2, -1)", ["x.reshape(3, -1)", "x.reshape(1, -1)", "x.reshape(2, 1)"]),
        ("a and b or c", ["a or b or c", "a and b and c"]),
        ("a and\\\n b", ["a or\\\n b"]),
        ("b = not a", ["b =  a"]),
        ("σ = α if True else 0", ["σ = α if False else 0", "σ = α if True else 1"]),
        ("x.sum(axis=0)", ["x.sum(axis=1)"]),
        ("n += 2", ["n -= 2", "n += 3", "n += 1"]),
        ("np.minimum(a, max(b, c))", ["np.maximum(a, max(b, c))", "np.minimum(a, min(b, c))"]),
        ("while a: break", ["while a: continue"]),
        ("def f(x: Annotated[int, Range(0)] = 1): ...",
         ["def f(x: Annotated[int, Range(1)] = 1): ...",
          "def f(x: Annotated[int, Range(0)] = 2): ...",
          "def f(x: Annotated[int, Range(0)] = 0): ..."]),
    ],
)  # fmt: skip
def test_the_changes_of_a_text(text: str, expected: list[str]) -> None:
    assert sorted(variants(text)) == sorted(expected)
    for variant in variants(text):
        ast.parse(variant)


@pytest.mark.parametrize(
    "text",
    [
        "'a < 1'",
        "f'{n - 1} of {n + 1}'",
        "x: int | None",
        "A = int | None | B",
        "def f(x: Literal[0, 1]) -> list[int] | None: ...",
        "@dataclass(frozen=True, eq=False)\nclass A: ...",
        "a @ b",
        "zip(a, b, strict=True)",
    ],
)
def test_text_and_types_are_not_changed(text: str) -> None:
    assert variants(text) == []


def test_a_change_is_named_by_its_place() -> None:
    place = find_places("ldl/a.py", "a = 1\nb = α and c\n")[-1]
    assert str(Change(place, "or")) == "ldl/a.py:2:7  and → or"
