"""ONNX's node cases and those converted from PyTorch, for every operator that the engine has."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.optim import OPTIMIZERS

from .onnx_cases import Case, cases, left_out, outcome

pytestmark = pytest.mark.external

COMPUTED = [case for case in cases() if left_out(case) is None]

# A sum of n float32 terms wanders by about √(n/3) roundings of half a unit, u = 2⁻²⁴ of the
# largest. The longest sums of products here have 144 terms and both sides round: √(2·144/3) ≈
# 10 u; the next power of two is allowed. The largest that was seen is 5.3 u.
ROUNDINGS = 16
UNITS = {np.dtype(np.float32): 2.0**-24, np.dtype(np.float64): 2.0**-53}
# Inputs and outputs rounded when they were written down: a mean is then off by one unit at most.
DECIMALS = {"node/test_averagepool_2d_ceil_last_window_starts_on_pad": 4}

# Cases that the engine computes, at the least: with fewer, ONNX has not been read as it should be.
LEAST = {
    "Adagrad": 2, "Adam": 2, "Add": 7, "Attention": 22, "AveragePool": 11, "BatchNormalization": 9,
    "Concat": 13, "Conv": 26, "ConvTranspose": 9, "Dropout": 8, "Elu": 4, "Flatten": 11, "GRU": 3,
    "Gather": 5, "Gelu": 4, "Gemm": 14, "GlobalAveragePool": 2, "GlobalMaxPool": 2, "Identity": 2,
    "LSTM": 5, "LayerNormalization": 19, "LeakyRelu": 5, "LogSoftmax": 10, "MatMul": 4,
    "MaxPool": 14, "Momentum": 3, "Mul": 6, "NegativeLogLikelihoodLoss": 18, "RNN": 6,
    "ReduceMean": 10, "Relu": 2, "Reshape": 10, "Resize": 4, "Sigmoid": 5, "Slice": 1,
    "Softmax": 10, "SoftmaxCrossEntropyLoss": 34, "Softplus": 4, "SpaceToDepth": 4, "Sum": 2,
    "Swish": 2, "Tanh": 4, "Upsample": 1,
}  # fmt: skip

# Entries of the registries for which ONNX has no operator; PyTorch's are in the other files.
WITHOUT_OPERATOR = {
    "class_token", "mse", "mae", "rmse", "huber", "bce", "bce_with_logits", "kl_divergence",
    "hinge", "gd", "rmsprop", "adamw", "nadam", "lion", "lbfgs",
}  # fmt: skip

# Outputs that the engine does not give: places of maxima, masks, cells, statistics, scores.
NOT_GIVEN = {
    "MaxPool": {"z"},
    "Dropout": {"z"},
    "LSTM": {"Y_c"},
    "LayerNormalization": {"Mean", "InvStdDev"},
    "Attention": {"qk_matmul_output"},
}

# Why the other cases are left out: settings that no layer of the engine has.
REASONS = {
    "Add": {"numbers other than float32 and float64"},
    "Attention": {
        "numbers other than float32 and float64",
        "a mask for each query",
        "keys kept from earlier calls",
        "scores that are bounded",
    },
    "AveragePool": {
        "a mean that leaves the padding out",
        "dilation of a pooling",
        "padding of more than half a window",
        "windows over three axes",
    },
    "Conv": {"windows over three axes"},
    "ConvTranspose": {
        "dilation of a transposed convolution",
        "groups of a transposed convolution",
        "more padding on one side",
        "windows over three axes",
    },
    "Dropout": {"draws of its own"},
    "GRU": {"a reset before the product"},
    "Gather": {"indices from the end"},
    "Identity": {"numbers other than float32 and float64", "values that are no arrays"},
    "LSTM": {"peepholes"},
    "MatMul": {"a product of two values"},
    "MaxPool": {
        "dilation of a pooling",
        "more padding on one side",
        "numbers other than float32 and float64",
        "padding of more than half a window",
        "windows over three axes",
    },
    "Mul": {"a factor that is broadcast", "numbers other than float32 and float64"},
    "Reshape": {"no values at all"},
    "Resize": {
        "an axis that shrinks",
        "another rule for which value is the nearest",
        "values in between other than the nearest",
    },
    "Slice": {"several positions"},
    "Sum": {"a sum of one value"},
    "Swish": {"a swish with a factor", "numbers other than float32 and float64"},
}


@pytest.mark.parametrize("case", COMPUTED, ids=str)
def test_the_engine_gives_what_onnx_gives(case: Case) -> None:
    """Each output within rounding of its largest value; what is missing is known to be."""
    found = outcome(case).values
    missing = case.wanted.keys() - found.keys()
    assert missing <= set().union(*(NOT_GIVEN.get(name, set()) for name in case.operators))
    assert found
    for name, ours in found.items():
        wanted = case.wanted[name]
        assert (ours.shape, ours.dtype) == (wanted.shape, wanted.dtype), name
        allowed = ROUNDINGS * UNITS[wanted.dtype] * float(np.abs(wanted).max(initial=0.0))
        if case.name in DECIMALS:
            allowed += 10.0 ** -DECIMALS[case.name]
        assert float(np.abs(ours - wanted).max(initial=0.0)) <= allowed, name


def test_every_operator_has_its_cases() -> None:
    """By operator, and in all."""
    counts = Counter(name for case in COMPUTED for name in case.operators)
    assert {name: counts[name] for name in LEAST if counts[name] < LEAST[name]} == {}
    assert counts.keys() == LEAST.keys()
    assert len(COMPUTED) >= 300


def test_every_entry_is_asked() -> None:
    """Of layers, losses and optimizers, but for those that ONNX does not know."""
    asked = {entry for case in COMPUTED for entry in outcome(case).used}
    assert asked | WITHOUT_OPERATOR == {*LAYERS, *LOSSES, *OPTIMIZERS}
    assert not asked & WITHOUT_OPERATOR


def test_every_case_left_out_has_a_known_reason() -> None:
    """How many there are of each is printed; `-rP` shows it."""
    found = Counter(reason for case in cases() if (reason := left_out(case)) is not None)
    for reason, count in sorted(found.items()):
        print(f"{count:4}  {reason}")
    known = {f"{name}: {reason}" for name, reasons in REASONS.items() for reason in reasons}
    assert found.keys() == known
