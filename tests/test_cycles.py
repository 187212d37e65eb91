"""Depth-first order and cycles."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ldl.cycles import closed_cycle, depth_first, find_cycles

ROOT = Path(__file__).parents[1]


def imports_of(file: Path) -> list[str]:
    """The modules of `ldl` that a file imports, in functions and for types too."""
    modules: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ldl"):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            modules += [*names, node.module]
    return modules


def test_every_name_comes_after_what_it_leads_to() -> None:
    order, cycles = depth_first({"a": ["b", "c"], "b": ["d", "x"], "c": ["d"], "d": []})
    assert order == ["d", "b", "c", "a"] and cycles == []


def test_each_cycle_is_found_once() -> None:
    assert find_cycles({"a": ["b"], "b": ["c"], "c": ["b", "c"]}) == [["b", "c", "b"], ["c", "c"]]
    assert find_cycles({"a": ["b"], "b": ["a"]}) == [["a", "b", "a"]]


def test_long_chains_need_no_recursion() -> None:
    chain = {str(i): [str(i + 1)] for i in range(100_000)}
    assert find_cycles(chain) == []


def test_a_step_closes_a_cycle() -> None:
    assert closed_cycle(("a", "b", "c"), "b") == ["b", "c", "b"]
    assert closed_cycle(("a", "b"), "c") == []


@pytest.mark.parametrize("package", ["config", "compile"])
def test_the_modules_of_a_package_import_one_another_without_cycles(package: str) -> None:
    """In any form: in functions and for types too."""
    files = (ROOT / "ldl" / package).glob("[!_]*.py")
    assert find_cycles({f"ldl.{package}.{f.stem}": imports_of(f) for f in sorted(files)}) == []
