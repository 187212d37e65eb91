"""Errors of shapes and settings of layers and losses, and mirrors of layers."""

from __future__ import annotations

import re

import pytest

from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.errors import SettingError, ShapeError

from .table import TABLE

INDEX = TensorSpec((), integer=True)
SHAPE_ERRORS: list[tuple[Layer, tuple[TensorSpec, ...], str]] = [
    (LAYERS["linear"](3), (TensorSpec(()),), "at least one axis"),
    (LAYERS["linear"](), (TensorSpec((4,)),), "units are missing"),
    (LAYERS["softmax"](), (TensorSpec(()),), "needs an axis"),
    (LAYERS["add"](), (TensorSpec((4,)), TensorSpec((4, 1))), "cannot add (4) and (4, 1)"),
    (
        LAYERS["add"](),
        (TensorSpec((4,)), TensorSpec((4,)), TensorSpec((5,))),
        "(4) and (4) and (5)",
    ),
    (LAYERS["concat"](), (TensorSpec((2, 3)), TensorSpec((3, 3))), "cannot join (2, 3) and (3, 3)"),
    (LAYERS["concat"](), (TensorSpec((2, 3)), TensorSpec((3,))), "cannot join (2, 3) and (3)"),
    (
        LAYERS["concat"](2),
        (TensorSpec((2, 3)), TensorSpec((2, 3))),
        "axis 2 does not exist in (2, 3)",
    ),
    (LAYERS["concat"](-3), (TensorSpec((2, 3)), TensorSpec((2, 3))), "axis -3 does not exist"),
    (LAYERS["concat"](), (TensorSpec(()), TensorSpec(())), "does not exist in ()"),
    (LAYERS["reshape"]((4,)), (TensorSpec((2, 3)),), "cannot turn (2, 3), 6 values, into (4)"),
    (LAYERS["reshape"]((4, -1)), (TensorSpec((2, 3)),), "into (4, -1)"),
    (LAYERS["reshape"]((7, -1)), (TensorSpec((2, 3)),), "into (7, -1)"),
    (LAYERS["batch_norm"](), (TensorSpec(()),), "an axis of channels"),
    (LAYERS["layer_norm"](), (TensorSpec(()),), "an axis of channels"),
    (
        LAYERS["multiply"](),
        (TensorSpec((4,)), TensorSpec((4, 1))),
        "cannot multiply (4) and (4, 1)",
    ),
    (
        LAYERS["multi_head_attention"](3),
        (TensorSpec((5, 4)),),
        "4 channels do not divide into 3 heads",
    ),
    (LAYERS["multi_head_attention"](1), (TensorSpec((4,)),), "a sequence (L, C), got (4)"),
    (
        LAYERS["multi_head_attention"](2),
        (TensorSpec((5, 4)), TensorSpec((4,))),
        "the padding of (5, 4) is (5), got (4)",
    ),
    (LAYERS["patches"](2), (TensorSpec((4, 6)),), "an image (H, W, C), got (4, 6)"),
    (LAYERS["patches"](2), (TensorSpec((4, 5, 1)),), "(4, 5, 1) does not divide into squares of 2"),
    (LAYERS["class_token"](), (TensorSpec((4,)),), "a sequence (L, C), got (4)"),
    (
        LAYERS["positional_embedding"](),
        (TensorSpec((4, 2, 1)),),
        "a sequence (L, C), got (4, 2, 1)",
    ),
    (LAYERS["select"](3), (TensorSpec((3, 2)),), "axis 0 of (3, 2) has no position 3"),
    (LAYERS["select"](-4), (TensorSpec((3, 2)),), "has no position -4"),
    (LAYERS["select"](0, 2), (TensorSpec((3, 2)),), "axis 2 does not exist in (3, 2)"),
    (LAYERS["mean"](-2), (TensorSpec((3,)),), "axis -2 does not exist in (3)"),
    (
        LAYERS["mean"]((0, 2)),
        (TensorSpec((3, 2, 1)),),
        "axes (0, 2) are not different ones next to",
    ),
    (LAYERS["mean"]((0, -2)), (TensorSpec((3, 2)),), "axes (0, -2) are not different ones"),
    (LOSSES["cross_entropy"](), (TensorSpec((1,)), INDEX), "two classes or more, got (1)"),
    (LOSSES["cross_entropy"](), (TensorSpec((2, 3)), TensorSpec((2, 3))), "takes logits (C)"),
    (LAYERS["log_softmax"](), (TensorSpec(()),), "needs an axis"),
    (LOSSES["nll"](), (TensorSpec((1,)), INDEX), "two classes or more, got (1)"),
    (LOSSES["nll"](), (TensorSpec((2, 3)), TensorSpec((2, 3))), "takes log-probabilities (C)"),
    (LOSSES["nll"]((1.0, 2.0)), (TensorSpec((3,)), INDEX), "2 numbers for 3 classes"),
    (LOSSES["cross_entropy"](0.0, (1.0,)), (TensorSpec((3,)), INDEX), "1 numbers for 3 classes"),
    (LOSSES["hinge"](), (TensorSpec((3,)), TensorSpec((3,))), "takes class indices"),
]


@pytest.mark.parametrize(("layer", "inputs", "message"), SHAPE_ERRORS)
def test_incompatible_shapes_are_errors(
    layer: Layer, inputs: tuple[TensorSpec, ...], message: str
) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        layer.plan(inputs)


FIRST_CASE = {case.entry: case for case in reversed(TABLE)}  # the first row of each entry


@pytest.mark.parametrize("entry", LAYERS)
def test_a_wrong_number_of_inputs_or_class_indices_is_an_error(entry: str) -> None:
    case = FIRST_CASE[entry]
    layer, x = case.layer, tuple(case_input.spec for case_input in case.inputs)
    layer.plan(x)
    wrong_inputs = x * 3 if len(x) == 1 else x[:1]
    with pytest.raises(ShapeError, match=f"got {len(wrong_inputs)}"):
        layer.plan(wrong_inputs)
    if entry != "embedding":
        with pytest.raises(ShapeError, match="got class indices"):
            layer.plan((*x[:-1], TensorSpec(x[-1].shape, integer=True)))


@pytest.mark.parametrize("entry", LOSSES)
def test_an_incompatible_target_is_an_error(entry: str) -> None:
    loss, p = LOSSES[entry](), TensorSpec((4,))
    for inputs, message in (
        ((p,), "got 1 inputs"),
        ((p, p, p), "got 3 inputs"),
        ((INDEX, INDEX), "not class indices"),
        ((TensorSpec((2, 3)), INDEX), "one axis, got (2, 3)"),
        ((p, TensorSpec((3,), integer=True)), "class indices"),
        ((p, TensorSpec((4, 1))), "prediction is (4) and the target (4, 1)"),
    ):
        with pytest.raises(ShapeError, match=re.escape(message)):
            loss.plan(inputs)


@pytest.mark.parametrize("shape", [(), (0,), (-2,), (2, -1, -1), (3, 0)])
def test_invalid_sizes_of_reshape_are_errors(shape: tuple[int, ...]) -> None:
    with pytest.raises(SettingError, match="shape"):
        LAYERS["reshape"](shape)


def test_mean_without_axes_is_an_error() -> None:
    with pytest.raises(SettingError, match="at least one axis"):
        LAYERS["mean"](())


@pytest.mark.parametrize(
    ("entry", "settings", "message"),
    [
        ("bce", ("mean", (1.0,)), "two numbers"),
        ("bce_with_logits", ("mean", (0.0, 0.0)), "at least one weight above 0"),
        ("cross_entropy", (0.0, (0.0, 0.0)), "at least one weight above 0"),
        ("nll", ((),), "at least one weight above 0"),
    ],
)
def test_invalid_class_weights_are_errors(
    entry: str, settings: tuple[object, ...], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        LOSSES[entry](*settings)


# --- mirrors ------------------------------------------------------------------------------------


MERGE_LAYERS = {"add", "multiply", "concat", "film"}
WITHOUT_MIRROR = {
    *("embedding", "multi_head_attention", "patches", "class_token", "positional_embedding"),
    *("select", "mean", "rnn", "gru", "lstm", "upsample", "conv_transpose1d", "conv_transpose2d"),
}


@pytest.mark.parametrize("entry", sorted({*LAYERS} - MERGE_LAYERS - WITHOUT_MIRROR))
def test_a_mirror_gives_the_shape_of_the_input(entry: str) -> None:
    mirror_count = 0
    for case in (case for case in TABLE if case.entry == entry and case.inputs[0].shape):
        x = case.inputs[0].spec
        try:
            mirror = case.layer.mirror(x)
        except ShapeError:  # some settings have no mirror, such as a dilation
            continue
        mirror_count += 1
        assert mirror is not case.layer
        assert mirror.plan((TensorSpec(case.layer.plan((x,)).y),)).y == x.shape
    assert mirror_count


def test_a_mirror_keeps_the_settings() -> None:
    assert vars(LAYERS["leaky_relu"](0.3).mirror(TensorSpec((4,)))) == {"negative_slope": 0.3}
    mirror = LAYERS["linear"](3, bias=False).mirror(TensorSpec((7,)))
    assert vars(mirror) == {**vars(LAYERS["linear"](7, bias=False))}
    assert vars(LAYERS["elu"](0.3).mirror(TensorSpec((4,)))) == {"alpha": 0.3}
    assert vars(LAYERS["gelu"]("tanh").mirror(TensorSpec((4,)))) == {"approximate": "tanh"}


@pytest.mark.parametrize("entry", sorted(MERGE_LAYERS | WITHOUT_MIRROR))
def test_layers_without_mirror_raise_shape_error(entry: str) -> None:
    with pytest.raises(ShapeError, match="no mirror image"):
        FIRST_CASE[entry].layer.mirror(FIRST_CASE[entry].inputs[0].spec)
