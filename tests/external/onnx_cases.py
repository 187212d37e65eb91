"""ONNX's own test cases: its node cases, and those that were converted from PyTorch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.backend.test import loader

from ldl.arrays import Array

from .operators import OPERATORS, Op, Unsupported

CONVERTED = ("pytorch-converted", "pytorch-operator")


@dataclass(frozen=True, eq=False)
class Case:
    """A model, its inputs with the weights, and its expected outputs, by name."""

    name: str
    model: onnx.ModelProto
    inputs: dict[str, Array]
    expected: dict[str, Array]

    @property
    def operators(self) -> set[str]:
        """The operators of the model that compute values."""
        return {node.op_type for node in self.model.graph.node} - set(LAYOUT_OPERATORS)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class CaseResult:
    """The outputs of the engine for a case, and the registry entries that it used."""

    values: dict[str, Array]
    used: tuple[str, ...]


@cache
def cases() -> tuple[Case, ...]:
    """Every case with an adapter for each of its operators."""
    all_cases = [*node_cases(), *(case for kind in CONVERTED for case in converted_cases(kind))]
    return tuple(case for case in all_cases if case.operators and case.operators <= set(OPERATORS))


def node_cases() -> Iterator[Case]:
    """The node cases, which ONNX computes; some reference values overflow on purpose."""
    with warnings.catch_warnings():
        module_pattern = r"onnx\.backend\.test\.case\.node\."
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=module_pattern)
        loaded_cases = loader.load_model_tests(kind="node")
    for case in loaded_cases:
        model, data = case.model, case.data_sets
        assert model is not None and data is not None
        for input_arrays, outputs in data:
            inputs, expected = (
                by_name(model.graph.input, input_arrays),
                by_name(model.graph.output, outputs),
            )
            yield Case(f"node/{case.name}", model, inputs, expected)


def by_name(values: Any, arrays: Sequence[Any]) -> dict[str, Any]:
    """Arrays by their names in a model; lists stay lists."""
    converted = [a if isinstance(a, list) or a is None else np.asarray(a) for a in arrays]
    return dict(zip([value.name for value in values], converted, strict=True))


def converted_cases(kind: str) -> Iterator[Case]:
    """The cases in files of the ONNX package."""
    for case in sorted(loader.load_model_tests(kind=kind), key=lambda case: case.name):
        assert case.model_dir is not None
        folder = Path(case.model_dir)
        model = onnx.load(folder / "model.onnx")
        weights = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
        input_names = [i.name for i in model.graph.input if i.name not in weights]
        for data in sorted(folder.glob("test_data_set_*")):
            inputs = {
                name: read_tensor(data / f"input_{i}.pb") for i, name in enumerate(input_names)
            }
            outputs = enumerate(o.name for o in model.graph.output)
            expected = {name: read_tensor(data / f"output_{i}.pb") for i, name in outputs}
            yield Case(f"{kind}/{case.name}", model, {**weights, **inputs}, expected)


def read_tensor(path: Path) -> Array:
    """The array in a file."""
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


@cache
def run_case(case: Case) -> CaseResult:
    """Run a case node by node. Raises Unsupported where the engine has no such layer."""
    values, used = dict(case.inputs), []
    version = max(opset.version for opset in case.model.opset_import)
    for node in case.model.graph.node:
        settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        op = Op(tuple(values[n] if n else None for n in node.input), settings, version)
        try:
            outputs = run_operator(node.op_type, op)
        except Unsupported as reason:
            raise Unsupported(f"{node.op_type}: {reason}") from None
        used += op.used
        values |= {
            name: value
            for name, value in zip(node.output, outputs, strict=False)
            if name and value is not None
        }
    return CaseResult({name: values[name] for name in case.expected if name in values}, tuple(used))


def run_operator(kind: str, op: Op) -> tuple[Array | None, ...]:
    """The outputs of one operation."""
    if any(isinstance(x, list) for x in op.x):
        raise Unsupported("values that are no arrays")
    return (LAYOUT_OPERATORS.get(kind) or OPERATORS[kind])(op)


def unsupported_reason(case: Case) -> str | None:
    """Why the engine does not support a case; None if it does, or raises another error."""
    try:
        run_case(case)
    except Unsupported as reason:
        return str(reason)
    except Exception:
        return None
    return None


# --- operators that change the layout alone -----------------------------------------------------


def axes_of(op: Op) -> tuple[int, ...]:
    """The axes, which are a setting in old versions and an input in new ones."""
    axes = op.input(1)
    return tuple(op.get("axes", ()) if axes is None else axes.tolist())


def split(op: Op) -> tuple[Array, ...]:
    """Two halves, or parts of the sizes of the second input."""
    sizes, axis = op.input(1), op.get("axis", 0)
    ends: Any = 2 if sizes is None else np.cumsum(sizes)[:-1]
    return tuple(np.split(op.first, ends, axis))


LAYOUT_OPERATORS: dict[str, Callable[[Op], tuple[Array, ...]]] = {
    "Constant": lambda op: (numpy_helper.to_array(op.settings["value"]),),
    "Transpose": lambda op: (op.first.transpose(op.get("perm", None)),),
    "Squeeze": lambda op: (np.squeeze(op.first, axes_of(op)),),
    "Unsqueeze": lambda op: (np.expand_dims(op.first, axes_of(op)),),
    "Split": split,
}
