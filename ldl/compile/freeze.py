"""`train.freeze`: which weights a training keeps as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ldl.compile.compile_checks import PathProblem
from ldl.config.suggest import spelling_hint
from ldl.engine.graph import Graph


def frozen_weights(names: Sequence[str], graph: Graph) -> frozenset[str]:
    """The names of the weights of the named layers, and of all layers within a named scope.

    A name may also be that of a weight (`linear1.bias`). A shared weight is frozen for all layers
    that use it.
    """
    return frozenset(
        weight for name in names for alias, weight in _weight_names(graph) if _covers(name, alias)
    )


def freeze_problems(names: Sequence[str], graph: Graph) -> list[PathProblem]:
    """Names that stand for no weights, and names that together freeze all weights."""
    aliases = [alias for alias, _ in _weight_names(graph)]
    problems: list[PathProblem] = []
    for i, name in enumerate(names):
        if not any(_covers(name, alias) for alias in aliases):
            hint = spelling_hint(name, _scopes(aliases), "layers with weights")
            message = f"no layer with weights is named `{name}`; {hint}"
            problems.append((("train", "freeze", i), message))
    if names and not problems and frozen_weights(names, graph) == set(graph.weights):
        problems.append((("train", "freeze"), "all weights are frozen: there is nothing to train"))
    return problems


def _weight_names(graph: Graph) -> Iterator[tuple[str, str]]:
    """Each weight by the names of all nodes that use it, with the name under which it is stored."""
    for node in graph.order:
        for key in graph.plans[node.name].w:
            yield f"{node.name}.{key}", f"{graph.owners[node.name]}.{key}"


def _covers(name: str, weight: str) -> bool:
    """Whether `name` is that of the weight, of its layer or of a scope around it."""
    return weight == name or weight.startswith(f"{name}.")


def _scopes(weights: Collection[str]) -> list[str]:
    """The names of the layers with weights, and of the scopes that contain them."""
    scopes: dict[str, None] = {}
    for weight in weights:
        parts = weight.split(".")[:-1]
        scopes |= {".".join(parts[:n]): None for n in range(1, len(parts) + 1)}
    return list(scopes)
