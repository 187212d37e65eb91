"""The far ends of the smooth activations and later losses, and what they refuse."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

from ldl.arrays import Array
from ldl.engine.erfc import upper_tail
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.errors import SettingError, ShapeError

from .test_numerics import HUGE, apply_activation, evaluate_loss, logits

INDEX = TensorSpec((), integer=True)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(autouse=True)
def _silent():
    with np.errstate(all="ignore"):
        yield


@DTYPES
def test_the_normal_tail_is_right_to_the_last_digits_of_far_ones(dtype: type) -> None:
    """Relative to the tail itself, as far as it is a normal number; SciPy's own is off by 2e-13."""
    u = np.linspace(0.0, 12.0 if dtype is np.float32 else 36.0, 20001).astype(dtype)
    exact = u.astype(np.float64)
    density = np.exp(-0.5 * exact * exact).astype(dtype)
    out, work = np.empty_like(u), np.empty_like(u)
    for call in upper_tail(u, density, out, work):
        call()
    expected = 0.5 * special.erfcx(exact / np.sqrt(2)) * density.astype(np.float64)
    assert out.dtype == dtype
    np.testing.assert_allclose(out, expected, rtol=6e-7 if dtype is np.float32 else 2e-14)


SMOOTH: dict[str, Callable[[Array], Array]] = {
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * special.ndtr(x),
    "silu": lambda x: x * special.expit(x),
    "softplus": lambda x: np.logaddexp(0, x),
}


@DTYPES
@pytest.mark.parametrize("entry", SMOOTH)
def test_smooth_activations_at_the_far_ends(entry: str, dtype: type) -> None:
    x = np.array([*HUGE, -20.0, 20.0])[:, None]
    y = apply_activation(entry, x, dtype)
    np.testing.assert_allclose(y, SMOOTH[entry](x), rtol=1e-5, atol=1e-7)


@DTYPES
def test_softplus_of_a_very_negative_number_is_its_exponential(dtype: type) -> None:
    x = np.array([[-80.0, -30.0, -15.0, -5.0]])
    np.testing.assert_allclose(
        apply_activation("softplus", x, dtype), np.log1p(np.exp(x)), rtol=1e-6
    )


@DTYPES
def test_log_softmax_at_the_far_ends(dtype: type) -> None:
    z = logits(dtype)
    y = apply_activation("log_softmax", z, dtype)
    assert np.isfinite(y).all()
    tight = 1e-6 if dtype is np.float32 else 1e-14
    np.testing.assert_allclose(y, special.log_softmax(z, axis=1), rtol=tight, atol=tight * 2e4)


@DTYPES
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_bce_with_logits_at_the_far_ends(dtype: type, t: float) -> None:
    """Exact on both sides, with no cap, and its gradient that of bce after a sigmoid."""
    z = np.array(HUGE)[:, None]
    loss, gradient = evaluate_loss("bce_with_logits", z, np.full_like(z, t), dtype)
    expected = t * np.logaddexp(0, -z) + (1 - t) * np.logaddexp(0, z)
    np.testing.assert_allclose(loss, expected[:, 0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(gradient, (special.expit(z) - t) / len(z), rtol=1e-5, atol=1e-8)


@DTYPES
def test_perfect_and_hopeless_fits(dtype: type) -> None:
    sure = np.array([[0.0, -np.inf, -np.inf]])
    p = np.array([[0.5, -2.0, 8.0]])
    for entry, settings in (("huber", p), ("kl_divergence", None)):
        if settings is None:
            finite = np.array([[np.log(0.25), np.log(0.75)]])
            loss, gradient = evaluate_loss(entry, finite, np.exp(finite), dtype)
            assert abs(loss[0]) < 1e-7
        else:
            loss, gradient = evaluate_loss(entry, p, p, dtype)
            assert loss[0] == 0.0
            np.testing.assert_array_equal(gradient, 0.0)
    loss, _ = evaluate_loss("nll", sure, np.array([1]), dtype)
    assert not np.isfinite(loss[0])
    loss, gradient = evaluate_loss("hinge", p, np.array([2]), dtype)
    assert loss[0] == 0.0
    np.testing.assert_array_equal(gradient, 0.0)


def test_of_equal_rivals_the_first_is_pushed() -> None:
    z = np.array([[1.0, 3.0, 3.0, 0.0]])
    loss, gradient = evaluate_loss("hinge", z, np.array([0]), np.float32)
    assert loss[0] == 3.0
    np.testing.assert_array_equal(gradient, [[-1.0, 1.0, 0.0, 0.0]])


@pytest.mark.parametrize("entry", ["huber", "bce_with_logits", "nll", "kl_divergence", "hinge"])
def test_what_is_not_finite_is_not_hidden(entry: str) -> None:
    p = np.array([[0.5, np.nan], [0.5, 0.5]])
    loss, _ = evaluate_loss(entry, p, np.array([1, 1]), np.float32)
    assert np.isnan(loss[0])
    assert np.isfinite(loss[1])


@DTYPES
def test_smoothing_of_huge_logits_stays_finite(dtype: type) -> None:
    z, rule = logits(dtype), LOSSES["cross_entropy"](0.1)
    plan = rule.plan((TensorSpec((5,)), INDEX))
    assert plan.buffers["target"].shape == (5,)
    loss, gradient = evaluate_loss("cross_entropy", z, np.full(z.shape, 0.2), dtype)
    assert np.isfinite(loss).all() and np.isfinite(gradient).all()


# --- what is refused ------------------------------------------------------------------------

REFUSED: list[tuple[Layer, tuple[TensorSpec, ...], str]] = [
    (LAYERS["log_softmax"](), (TensorSpec(()),), "needs an axis"),
    (LOSSES["nll"](), (TensorSpec((1,)), INDEX), "two classes or more, got (1)"),
    (LOSSES["nll"](), (TensorSpec((2, 3)), TensorSpec((2, 3))), "takes log-probabilities (C)"),
    (LOSSES["nll"]((1.0, 2.0)), (TensorSpec((3,)), INDEX), "2 numbers for 3 classes"),
    (LOSSES["cross_entropy"](0.0, (1.0,)), (TensorSpec((3,)), INDEX), "1 numbers for 3 classes"),
    (LOSSES["hinge"](), (TensorSpec((3,)), TensorSpec((3,))), "takes class indices"),
]


@pytest.mark.parametrize(("layer", "inputs", "words"), REFUSED)
def test_shapes_that_do_not_fit_are_refused(
    layer: Layer, inputs: tuple[TensorSpec, ...], words: str
) -> None:
    with pytest.raises(ShapeError, match=re.escape(words)):
        layer.plan(inputs)


@pytest.mark.parametrize(
    ("entry", "settings", "words"),
    [
        ("bce", ("mean", (1.0,)), "two numbers"),
        ("bce_with_logits", ("mean", (0.0, 0.0)), "at least one weight above 0"),
        ("cross_entropy", (0.0, (0.0, 0.0)), "at least one weight above 0"),
        ("nll", ((),), "at least one weight above 0"),
    ],
)
def test_weights_that_mean_nothing_are_refused(
    entry: str, settings: tuple[object, ...], words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        LOSSES[entry](*settings)


def test_settings_survive_a_mirror() -> None:
    assert vars(LAYERS["elu"](0.3).mirror(TensorSpec((4,)))) == {"alpha": 0.3}
    assert vars(LAYERS["gelu"]("tanh").mirror(TensorSpec((4,)))) == {"approximate": "tanh"}
