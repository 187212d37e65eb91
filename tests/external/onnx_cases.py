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

from .operators import OPERATORS, LeftOut, Op

CONVERTED = ("pytorch-converted", "pytorch-operator")


@dataclass(frozen=True, eq=False)
class Case:
    """A model, what it is given (weights among it) and what it has to give."""

    name: str
    model: onnx.ModelProto
    given: dict[str, Array]
    wanted: dict[str, Array]

    @property
    def operators(self) -> set[str]:
        """Those of its operators that compute."""
        return {node.op_type for node in self.model.graph.node} - set(NAMING)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Outcome:
    """What the engine gives for a case, and the names of the entries that it was asked for."""

    values: dict[str, Array]
    used: tuple[str, ...]


@cache
def cases() -> tuple[Case, ...]:
    """Every case whose operators all have an adapter."""
    found = [*node_cases(), *(case for kind in CONVERTED for case in converted_cases(kind))]
    return tuple(case for case in found if case.operators and case.operators <= set(OPERATORS))


def node_cases() -> Iterator[Case]:
    """ONNX makes these when asked; some of its reference values overflow on purpose."""
    with warnings.catch_warnings():
        made_by = r"onnx\.backend\.test\.case\.node\."
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=made_by)
        made = loader.load_model_tests(kind="node")
    for case in made:
        model, data = case.model, case.data_sets
        assert model is not None and data is not None
        for inputs, outputs in data:
            given, wanted = named(model.graph.input, inputs), named(model.graph.output, outputs)
            yield Case(f"node/{case.name}", model, given, wanted)


def named(values: Any, arrays: Sequence[Any]) -> dict[str, Any]:
    """Arrays by the names that a model has for them; lists stay lists."""
    plain = [a if isinstance(a, list) or a is None else np.asarray(a) for a in arrays]
    return dict(zip([value.name for value in values], plain, strict=True))


def converted_cases(kind: str) -> Iterator[Case]:
    """From the files that ONNX ships."""
    for case in sorted(loader.load_model_tests(kind=kind), key=lambda case: case.name):
        assert case.model_dir is not None
        folder = Path(case.model_dir)
        model = onnx.load(folder / "model.onnx")
        weights = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
        inputs = [i.name for i in model.graph.input if i.name not in weights]
        for data in sorted(folder.glob("test_data_set_*")):
            given = {name: tensor(data / f"input_{i}.pb") for i, name in enumerate(inputs)}
            outputs = enumerate(o.name for o in model.graph.output)
            wanted = {name: tensor(data / f"output_{i}.pb") for i, name in outputs}
            yield Case(f"{kind}/{case.name}", model, {**weights, **given}, wanted)


def tensor(path: Path) -> Array:
    """An array from its file."""
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


@cache
def outcome(case: Case) -> Outcome:
    """The case computed node by node. Raises LeftOut where the engine has no such layer."""
    values, used = dict(case.given), []
    version = max(opset.version for opset in case.model.opset_import)
    for node in case.model.graph.node:
        settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        op = Op(tuple(values[n] if n else None for n in node.input), settings, version)
        try:
            outputs = computed(node.op_type, op)
        except LeftOut as reason:
            raise LeftOut(f"{node.op_type}: {reason}") from None
        used += op.used
        values |= {
            name: value
            for name, value in zip(node.output, outputs, strict=False)
            if name and value is not None
        }
    return Outcome({name: values[name] for name in case.wanted if name in values}, tuple(used))


def computed(kind: str, op: Op) -> tuple[Array | None, ...]:
    """The outputs of one operation."""
    if any(isinstance(x, list) for x in op.x):
        raise LeftOut("values that are no arrays")
    return (NAMING.get(kind) or OPERATORS[kind])(op)


def left_out(case: Case) -> str | None:
    """Why the engine does not compute a case; None where it does, or fails (in its test)."""
    try:
        outcome(case)
    except LeftOut as reason:
        return str(reason)
    except Exception:
        return None
    return None


# --- operators that only name values anew -------------------------------------------------------


def axes_of(op: Op) -> tuple[int, ...]:
    """Axes, which are a setting in old versions and an input in new ones."""
    given = op.input(1)
    return tuple(op.get("axes", ()) if given is None else given.tolist())


def split(op: Op) -> tuple[Array, ...]:
    """Equal halves, or parts of the given sizes."""
    sizes, axis = op.input(1), op.get("axis", 0)
    ends: Any = 2 if sizes is None else np.cumsum(sizes)[:-1]
    return tuple(np.split(op.first, ends, axis))


NAMING: dict[str, Callable[[Op], tuple[Array, ...]]] = {
    "Constant": lambda op: (numpy_helper.to_array(op.settings["value"]),),
    "Transpose": lambda op: (op.first.transpose(op.get("perm", None)),),
    "Squeeze": lambda op: (np.squeeze(op.first, axes_of(op)),),
    "Unsqueeze": lambda op: (np.expand_dims(op.first, axes_of(op)),),
    "Split": split,
}
