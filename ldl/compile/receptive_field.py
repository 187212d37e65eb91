"""Receptive fields: how much of the input one value of each layer depends on."""

from __future__ import annotations

from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec

AxisFields = tuple[tuple[int, int], ...]  # for each axis: field size, and input steps between two


def receptive_fields(graph: Graph) -> dict[str, tuple[int, ...]]:
    """The sizes, along each axis, of the part of the input on which one value of a layer depends.

    r′ = r + (k − 1)·j and j′ = j·stride, with k the effective kernel size and j the input steps
    between neighbours; a layer with several inputs has the largest field. Layers that mix all
    positions, and what comes after them, are left out. Source: Araujo et al., Computing receptive
    fields of convolutional neural networks, 2019.
    """
    fields: dict[str, AxisFields] = {
        name: ((1, 1),) * (len(spec.shape) - 1)
        for name, spec in graph.inputs.items()
        if len(spec.shape) > 1
    }
    for node in graph.order:
        field = None if isinstance(node, LossNode) else _field(node, graph, fields)
        if field is not None:
            fields[node.name] = field
    return {
        name: tuple(size for size, _ in field)
        for name, field in fields.items()
        if name not in graph.inputs
    }


def _field(node: Node, graph: Graph, fields: dict[str, AxisFields]) -> AxisFields | None:
    """The field of a node's value; None where the layer mixes all positions."""
    if any(name not in fields for name in node.inputs):
        return None
    input_fields = [fields[name] for name in node.inputs]
    specs = [graph.specs[name] for name in node.inputs]
    windows = node.layer.windows(specs[0])
    if windows:
        return tuple(
            (size + (window.effective_kernel_size - 1) * step, step * window.stride)
            for (size, step), window in zip(input_fields[0], windows, strict=True)
        )
    if not node.layer.pointwise or any(_positions(s) != _positions(specs[0]) for s in specs):
        return None
    return tuple(
        (max(size for size, _ in axis), max(step for _, step in axis))
        for axis in zip(*input_fields, strict=True)
    )


def _positions(spec: TensorSpec) -> tuple[int, ...]:
    """The shape without the channels."""
    return spec.shape[:-1]
