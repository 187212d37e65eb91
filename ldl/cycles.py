"""Depth-first order and cycles of a directed graph of names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def closed_cycle(trail: Sequence[str], name: str) -> list[str]:
    """The cycle [name, …, name] that a step to `name` closes on a path; empty if it closes none."""
    return [*trail[trail.index(name) :], name] if name in trail else []


def depth_first(successors: Mapping[str, Iterable[str]]) -> tuple[list[str], list[list[str]]]:
    """All names in depth-first postorder, and the cycles that the walk closes, as [a, b, …, a].

    `successors` maps a name to the names that it leads to; a name that is no key leads nowhere and
    is left out. Without cycles every name comes after all that it leads to. The walk keeps a stack
    of its own, so that long chains do not exhaust Python's.
    Source: Tarjan, Edge-disjoint spanning trees and depth-first search, 1976.
    """
    order: dict[str, None] = {}
    cycles: list[list[str]] = []
    for start in successors:
        trail = {start: iter(successors[start])} if start not in order else {}
        while trail:
            name = next(reversed(trail))
            following = next(trail[name], None)
            if following is None:
                del trail[name]
                order[name] = None
            elif following in trail:
                cycles.append(closed_cycle(list(trail), following))
            elif following in successors and following not in order:
                trail[following] = iter(successors[following])
    return list(order), cycles


def find_cycles(successors: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The cycles that a depth-first walk closes, each as [a, b, …, a]."""
    return depth_first(successors)[1]
