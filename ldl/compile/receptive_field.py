"""Receptive fields: how much of the input one value of each layer sees."""

from __future__ import annotations

from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec

Field = tuple[tuple[int, int], ...]  # for each axis: values seen, and input steps between two


def receptive_fields(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Values of the input along each axis that one value of a layer depends on.

    r′ = r + (reach − 1)·j and j′ = j·stride, with j the input's steps between neighbours; where
    several values meet, the largest. Layers that mix all positions, and what comes after them,
    are left out. Source: Araujo et al., Computing receptive fields of convolutional neural
    networks, 2019.
    """
    fields: dict[str, Field] = {
        name: ((1, 1),) * (len(spec.shape) - 1)
        for name, spec in graph.inputs.items()
        if len(spec.shape) > 1
    }
    for place in graph.order:
        field = None if isinstance(place, LossNode) else _field(place, graph, fields)
        if field is not None:
            fields[place.name] = field
    return {
        name: tuple(seen for seen, _ in field)
        for name, field in fields.items()
        if name not in graph.inputs
    }


def _field(place: Node, graph: Graph, fields: dict[str, Field]) -> Field | None:
    """The field of a place's value, where it has one."""
    if any(name not in fields for name in place.inputs):
        return None
    before = [fields[name] for name in place.inputs]
    specs = [graph.specs[name] for name in place.inputs]
    windows = place.layer.windows(specs[0])
    if windows:
        return tuple(
            (seen + (window.reach - 1) * step, step * window.stride)
            for (seen, step), window in zip(before[0], windows, strict=True)
        )
    if not place.layer.pointwise or any(_positions(s) != _positions(specs[0]) for s in specs):
        return None
    return tuple(
        (max(seen for seen, _ in axis), max(step for _, step in axis))
        for axis in zip(*before, strict=True)
    )


def _positions(spec: TensorSpec) -> tuple[int, ...]:
    return spec.shape[:-1]
