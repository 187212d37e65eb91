"""Checks of input shapes that several layers share."""

from __future__ import annotations

from ldl.arrays import Shape
from ldl.engine.layer import TensorSpec
from ldl.errors import ShapeError


def format_shape(shape: Shape) -> str:
    """A shape as messages show it: (64) or (8, 8, 1)."""
    return "(" + ", ".join(map(str, shape)) + ")"


def normalize_axis(axis: int, shape: Shape) -> int:
    """The axis counted from the front. Raises ShapeError where the shape has no such axis."""
    rank = len(shape)
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} does not exist in {format_shape(shape)}")
    return axis % rank


def one_input(x: tuple[TensorSpec, ...]) -> Shape:
    """The shape of a layer's single, numeric input. Raises ShapeError."""
    if len(x) != 1:
        raise ShapeError(f"takes one input, got {len(x)}")
    if x[0].integer:
        raise ShapeError("takes numbers, got class indices")
    return x[0].shape


def several_inputs(x: tuple[TensorSpec, ...]) -> list[Shape]:
    """The shapes of two or more numeric inputs. Raises ShapeError."""
    if len(x) < 2:
        raise ShapeError(f"takes two or more inputs, got {len(x)}: name them with `from`")
    if any(spec.integer for spec in x):
        raise ShapeError("takes numbers, got class indices")
    return [spec.shape for spec in x]
