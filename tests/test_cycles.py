"""Depth-first order and cycles."""

from __future__ import annotations

from ldl.cycles import closed_cycle, depth_first, find_cycles


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
