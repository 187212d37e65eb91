"""Which weights a training leaves as they are: `train.freeze` names layers, or what holds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ldl.compile.compile_checks import PathProblem
from ldl.config import suggest
from ldl.engine.graph import Graph


def frozen_weights(names: Sequence[str], graph: Graph) -> frozenset[str]:
    """The weights of the layers that are named, or whose names begin with a name and a dot.

    A weight may be named itself (`linear1.bias`); a shared one stands still for all its layers.
    """
    return frozenset(
        weight for name in names for called, weight in _called(graph) if _below(name, called)
    )


def freeze_faults(names: Sequence[str], graph: Graph) -> list[PathProblem]:
    """Names that stand for no weights, or for all there are."""
    called = dict(_called(graph))
    faults: list[PathProblem] = []
    for i, name in enumerate(names):
        if not any(_below(name, full) for full in called):
            known = suggest.spelling_hint(name, _known(called), "with weights there are")
            faults.append(
                (("train", "freeze", i), f"no layer with weights is named `{name}`: {known}")
            )
    if names and not faults and frozen_weights(names, graph) == set(graph.weights):
        faults.append((("train", "freeze"), "all weights are frozen: there is nothing to train"))
    return faults


def _called(graph: Graph) -> Iterator[tuple[str, str]]:
    """Each weight under the names of all places that use it, and its own name."""
    for place in graph.order:
        for key in graph.plans[place.name].w:
            yield f"{place.name}.{key}", f"{graph.owners[place.name]}.{key}"


def _below(name: str, full: str) -> bool:
    return full == name or full.startswith(f"{name}.")


def _known(called: dict[str, str]) -> list[str]:
    """The layers, and what holds several of them."""
    names: dict[str, None] = {}
    for full in called:
        parts = full.split(".")[:-1]
        names |= {".".join(parts[:n]): None for n in range(1, len(parts) + 1)}
    return list(names)
