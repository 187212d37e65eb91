"""Losses and activations against PyTorch: values, and gradients of the mean over samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ldl.arrays import Array
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.parameters import Parameters

pytestmark = pytest.mark.external

SAMPLES, CLASSES = 9, 4
DTYPES = {np.float32: 3e-6, np.float64: 1e-11}
CLASS_WEIGHTS = (0.5, 3.0, 0.0, 1.5)
TorchLoss = Callable[[Tensor, Tensor], Tensor]


def scores_and_targets(kind: str) -> tuple[Array, Array]:
    """Predictions and targets of a kind: probabilities, values, shares or labels."""
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 3, (SAMPLES, CLASSES))
    probabilities = rng.dirichlet(np.ones(CLASSES), SAMPLES)
    labels = rng.integers(CLASSES, size=SAMPLES)
    if kind == "probabilities":
        return rng.uniform(0.02, 0.98, (SAMPLES, CLASSES)), rng.uniform(size=(SAMPLES, CLASSES))
    if kind == "values":
        return scores, rng.normal(size=(SAMPLES, CLASSES))
    if kind == "shares":
        return scores, probabilities
    return scores, labels


def row_mean(values: Tensor) -> Tensor:
    """The mean over the values of a sample."""
    return values.mean(1)


def weighted_bce(values: Tensor, t: Tensor, weight_0: float, weight_1: float) -> Tensor:
    """The weighted binary cross entropy of each sample, which PyTorch has for logits alone."""
    return row_mean(-weight_1 * t * values.log() - weight_0 * (1 - t) * (1 - values).log())


torch_weights = torch.tensor(CLASS_WEIGHTS, dtype=torch.float64)
CASES: list[tuple[str, tuple[Any, ...], str, TorchLoss]] = [
    ("mse", (), "values", lambda p, t: row_mean((p - t) ** 2)),
    ("mae", (), "values",
     lambda p, t: row_mean(functional.l1_loss(p, t, reduction="none"))),
    ("huber", (), "values",
     lambda p, t: row_mean(functional.huber_loss(p, t, reduction="none"))),
    ("huber", ("sum", 0.4), "values",
     lambda p, t: functional.huber_loss(p, t, reduction="none", delta=0.4).sum(1)),
    ("bce", (), "probabilities",
     lambda p, t: row_mean(functional.binary_cross_entropy(p, t, reduction="none"))),
    ("bce", ("mean", (0.5, 2.0)), "probabilities", lambda p, t: weighted_bce(p, t, 0.5, 2.0)),
    ("bce_with_logits", (), "shares",
     lambda p, t: row_mean(
         functional.binary_cross_entropy_with_logits(p, t, reduction="none"))),
    ("bce_with_logits", ("sum", (1.0, 2.5)), "shares",
     lambda p, t: functional.binary_cross_entropy_with_logits(
         p, t, reduction="none", pos_weight=torch.full((CLASSES,), 2.5, dtype=p.dtype)).sum(1)),
    ("cross_entropy", (), "labels",
     lambda p, t: functional.cross_entropy(p, t, reduction="none")),
    ("cross_entropy", (), "shares",
     lambda p, t: functional.cross_entropy(p, t, reduction="none")),
    ("cross_entropy", (0.2,), "labels",
     lambda p, t: functional.cross_entropy(p, t, reduction="none", label_smoothing=0.2)),
    ("cross_entropy", (0.2, CLASS_WEIGHTS), "labels",
     lambda p, t: functional.cross_entropy(
         p, t, torch_weights.to(p.dtype), reduction="none", label_smoothing=0.2)),
    ("cross_entropy", (0.1, CLASS_WEIGHTS), "shares",
     lambda p, t: functional.cross_entropy(
         p, t, torch_weights.to(p.dtype), reduction="none", label_smoothing=0.1)),
    ("nll", (), "labels", lambda p, t: functional.nll_loss(p, t, reduction="none")),
    ("nll", (CLASS_WEIGHTS,), "labels",
     lambda p, t: functional.nll_loss(p, t, torch_weights.to(p.dtype), reduction="none")),
    ("kl_divergence", (), "shares",
     lambda p, t: functional.kl_div(p, t, reduction="none").sum(1)),
    ("kl_divergence", ("mean",), "shares",
     lambda p, t: functional.kl_div(p, t, reduction="none").mean(1)),
]  # fmt: skip


def assert_close(value: Array, torch_function: Tensor, tolerance: float) -> None:
    """Raise AssertionError unless equal within rounding of the largest value."""
    expected = torch_function.detach().numpy()
    assert value.shape == expected.shape
    assert np.abs(value - expected).max() <= tolerance * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize(
    ("entry", "settings", "kind", "torch_function"),
    CASES,
    ids=[f"{c[0]}{c[1]}-{c[2]}" for c in CASES],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_losses_equal_pytorch(
    entry: str, settings: tuple[Any, ...], kind: str, torch_function: TorchLoss, dtype: type
) -> None:
    """The loss of each sample, and the gradient of their mean."""
    p, t = scores_and_targets(kind)
    p = p.astype(dtype)
    t = t if t.dtype.kind == "i" else t.astype(dtype)
    specs = {"p": TensorSpec(p.shape[1:]), "t": TensorSpec(t.shape[1:], t.dtype.kind == "i")}
    graph = Graph(specs, [], [LossNode("loss", LOSSES[entry](*settings), ("p", "t"))])
    parameters = Parameters(graph, 0, dtype)
    executor = Executor(graph, parameters, SAMPLES, (), gradients=True, input_gradients=True)
    executor.inputs["p"][...], executor.inputs["t"][...] = p, t
    executor.forward()
    executor.backward()
    torch_x = torch.from_numpy(p.copy()).requires_grad_()
    values = torch_function(torch_x, torch.from_numpy(t))
    values.mean().backward()
    assert_close(executor.values["loss"], values, DTYPES[dtype])
    assert torch_x.grad is not None
    assert_close(executor.input_gradients["p"], torch_x.grad, DTYPES[dtype])


def test_hinge_of_two_classes_equals_pytorch() -> None:
    """For two classes PyTorch's loss, which divides by C, is half of Crammer and Singer's."""
    rng = np.random.default_rng(4)
    z, labels = rng.normal(size=(SAMPLES, 2)), rng.integers(2, size=SAMPLES)
    graph = Graph(
        {"p": TensorSpec((2,)), "t": TensorSpec((), True)},
        [],
        [LossNode("loss", LOSSES["hinge"](), ("p", "t"))],
    )
    executor = Executor(
        graph, Parameters(graph, 0, np.float64), SAMPLES, (), gradients=True, input_gradients=True
    )
    executor.inputs["p"][...], executor.inputs["t"][...] = z, labels
    executor.forward()
    executor.backward()
    torch_x = torch.from_numpy(z).requires_grad_()
    values = 2 * functional.multi_margin_loss(torch_x, torch.from_numpy(labels), reduction="none")
    values.mean().backward()
    assert_close(executor.values["loss"], values, 1e-12)
    assert torch_x.grad is not None
    assert_close(executor.input_gradients["p"], torch_x.grad, 1e-12)


ACTIVATIONS: list[tuple[str, tuple[Any, ...], Callable[[Tensor], Tensor]]] = [
    ("tanh", (), torch.tanh),
    ("sigmoid", (), torch.sigmoid),
    ("relu", (), torch.relu),
    ("leaky_relu", (), functional.leaky_relu),
    ("elu", (), functional.elu),
    ("elu", (0.3,), lambda x: functional.elu(x, 0.3)),
    ("gelu", (), functional.gelu),
    ("gelu", ("tanh",), lambda x: functional.gelu(x, approximate="tanh")),
    ("silu", (), functional.silu),
    ("softplus", (), lambda x: functional.softplus(x, threshold=1e9)),
    ("softplus", (2.5,), lambda x: functional.softplus(x, 2.5, threshold=1e9)),
    ("softmax", (), lambda x: torch.softmax(x, -1)),
    ("log_softmax", (), lambda x: torch.log_softmax(x, -1)),
]


@pytest.mark.parametrize(
    ("entry", "settings", "torch_function"), ACTIVATIONS, ids=[f"{a[0]}{a[1]}" for a in ACTIVATIONS]
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_activations_equal_pytorch(
    entry: str, settings: tuple[Any, ...], torch_function: Callable[[Tensor], Tensor], dtype: type
) -> None:
    """From −12 to 12: values, and the gradient of half the squared distance from a target."""
    rng = np.random.default_rng(5)
    x, target = rng.uniform(-12, 12, (SAMPLES, 40)).astype(dtype), rng.normal(size=(SAMPLES, 40))
    loss = LossNode("loss", LOSSES["mse"]("sum"), ("y", "t"), 0.5)
    graph = Graph(
        {"x": TensorSpec((40,)), "t": TensorSpec((40,))},
        [Node("y", LAYERS[entry](*settings), ("x",))],
        [loss],
    )
    executor = Executor(
        graph, Parameters(graph, 0, dtype), SAMPLES, ["y"], gradients=True, input_gradients=True
    )
    executor.inputs["x"][...], executor.inputs["t"][...] = x, target.astype(dtype)
    executor.forward()
    value = executor.values["y"].copy()
    executor.backward()
    torch_x = torch.from_numpy(x.copy()).requires_grad_()
    y = torch_function(torch_x)
    (0.5 * ((y - torch.from_numpy(target.astype(dtype))) ** 2).sum(1).mean()).backward()
    assert_close(value, y, DTYPES[dtype])
    assert torch_x.grad is not None
    assert_close(executor.input_gradients["x"], torch_x.grad, DTYPES[dtype])
