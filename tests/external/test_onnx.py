"""The engine against ONNX's test cases, for every operator that the engine has."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.optim import OPTIMIZERS

from .onnx_cases import Case, cases, run_case, unsupported_reason

pytestmark = pytest.mark.external

COMPUTED = [case for case in cases() if unsupported_reason(case) is None]

# The rounding error of a sum of n float32 terms is about √(n/3) u, with u = 2⁻²⁴ of the largest
# value. The longest sums of products here have 144 terms and both sides round: √(2·144/3) ≈ 10 u.
# The next power of two is allowed; the largest measured error is 5.3 u.
ROUNDINGS = 16
UNITS = {np.dtype(np.float32): 2.0**-24, np.dtype(np.float64): 2.0**-53}
# Cases with inputs and outputs rounded to so many decimals: a mean is off by one unit at most.
DECIMALS = {"node/test_averagepool_2d_ceil_last_window_starts_on_pad": 4}

# The least number of cases that the engine computes: with fewer, ONNX was not read correctly.
MIN_CASES = {
    "Adagrad": 2, "Adam": 2, "Add": 7, "Attention": 22, "AveragePool": 11, "BatchNormalization": 9,
    "Concat": 13, "Conv": 26, "ConvTranspose": 9, "Dropout": 8, "Elu": 4, "Flatten": 11, "GRU": 3,
    "Gather": 5, "Gelu": 4, "Gemm": 14, "GlobalAveragePool": 2, "GlobalMaxPool": 2, "Identity": 2,
    "LSTM": 5, "LayerNormalization": 19, "LeakyRelu": 5, "LogSoftmax": 10, "MatMul": 4,
    "MaxPool": 14, "Momentum": 3, "Mul": 6, "NegativeLogLikelihoodLoss": 18, "RNN": 6,
    "ReduceMean": 10, "Relu": 2, "Reshape": 10, "Resize": 4, "Sigmoid": 5, "Slice": 1,
    "Softmax": 10, "SoftmaxCrossEntropyLoss": 34, "Softplus": 4, "SpaceToDepth": 4, "Sum": 2,
    "Swish": 2, "Tanh": 4, "Upsample": 1,
}  # fmt: skip

# Entries of the registries for which ONNX has no operator; other files test some with PyTorch.
WITHOUT_OPERATOR = {
    "class_token", "mse", "mae", "rmse", "huber", "bce", "bce_with_logits", "kl_divergence",
    "hinge", "film", "gd", "rmsprop", "adadelta", "adamw", "adamax", "nadam", "lion", "lbfgs",
    "sam",
}  # fmt: skip

# Outputs that the engine does not have: indices of maxima, masks, cells, statistics, scores.
MISSING_OUTPUTS = {
    "MaxPool": {"z"},
    "Dropout": {"z"},
    "LSTM": {"Y_c"},
    "LayerNormalization": {"Mean", "InvStdDev"},
    "Attention": {"qk_matmul_output"},
}

# Reasons why other cases are unsupported: settings that no layer of the engine has.
UNSUPPORTED = {
    "Add": {"types other than float32 and float64"},
    "Attention": {
        "types other than float32 and float64",
        "a mask for each query",
        "keys cached by earlier calls",
        "bounded scores",
    },
    "AveragePool": {
        "a mean without the padding",
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
    "Dropout": {"random draws"},
    "GRU": {"a reset before the product"},
    "Gather": {"indices from the end"},
    "Identity": {"types other than float32 and float64", "values that are no arrays"},
    "LSTM": {"peepholes"},
    "MatMul": {"a product of two values"},
    "MaxPool": {
        "dilation of a pooling",
        "more padding on one side",
        "types other than float32 and float64",
        "padding of more than half a window",
        "windows over three axes",
    },
    "Mul": {"a factor that is broadcast", "types other than float32 and float64"},
    "Reshape": {"empty arrays"},
    "Resize": {
        "an axis that shrinks",
        "another rounding rule for nearest",
        "interpolation other than nearest",
    },
    "Slice": {"several positions of a slice"},
    "Sum": {"a sum of one value"},
    "Swish": {"a swish with a factor", "types other than float32 and float64"},
}


@pytest.mark.parametrize("case", COMPUTED, ids=str)
def test_outputs_equal_onnx(case: Case) -> None:
    """Each output within rounding of its largest value; missing outputs are expected."""
    outputs = run_case(case).values
    missing = case.expected.keys() - outputs.keys()
    assert missing <= set().union(*(MISSING_OUTPUTS.get(name, set()) for name in case.operators))
    assert outputs
    for name, value in outputs.items():
        expected = case.expected[name]
        assert (value.shape, value.dtype) == (expected.shape, expected.dtype), name
        tolerance = ROUNDINGS * UNITS[expected.dtype] * float(np.abs(expected).max(initial=0.0))
        if case.name in DECIMALS:
            tolerance += 10.0 ** -DECIMALS[case.name]
        assert float(np.abs(value - expected).max(initial=0.0)) <= tolerance, name


def test_every_operator_has_enough_cases() -> None:
    """For each operator, and in total."""
    counts = Counter(name for case in COMPUTED for name in case.operators)
    assert {name: counts[name] for name in MIN_CASES if counts[name] < MIN_CASES[name]} == {}
    assert counts.keys() == MIN_CASES.keys()
    assert len(COMPUTED) >= 300


def test_every_entry_has_a_case() -> None:
    """Of layers, losses and optimizers, except those without ONNX operator."""
    used = {entry for case in COMPUTED for entry in run_case(case).used}
    assert used | WITHOUT_OPERATOR == {*LAYERS, *LOSSES, *OPTIMIZERS}
    assert not used & WITHOUT_OPERATOR


def test_every_unsupported_case_has_an_expected_reason() -> None:
    """Prints the number of cases for each reason, which `-rP` shows."""
    outputs = Counter(
        reason for case in cases() if (reason := unsupported_reason(case)) is not None
    )
    for reason, count in sorted(outputs.items()):
        print(f"{count:4}  {reason}")
    expected_reasons = {
        f"{name}: {reason}" for name, reasons in UNSUPPORTED.items() for reason in reasons
    }
    assert outputs.keys() == expected_reasons
