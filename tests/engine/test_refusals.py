"""What layers and losses refuse, and what they say: the shapes at hand and the rule broken."""

from __future__ import annotations

import re

import pytest

from ldl.engine.layer import Layer, Spec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.errors import SettingError, ShapeError

INDEX = Spec((), integer=True)
REFUSED: list[tuple[Layer, tuple[Spec, ...], str]] = [
    (LAYERS["linear"](3), (Spec(()),), "at least one axis"),
    (LAYERS["linear"](), (Spec((4,)),), "units are missing"),
    (LAYERS["softmax"](), (Spec(()),), "needs an axis"),
    (LAYERS["add"](), (Spec((4,)), Spec((4, 1))), "cannot add (4) and (4, 1)"),
    (LAYERS["add"](), (Spec((4,)), Spec((4,)), Spec((5,))), "(4) and (4) and (5)"),
    (LAYERS["concat"](), (Spec((2, 3)), Spec((3, 3))), "cannot join (2, 3) and (3, 3)"),
    (LAYERS["concat"](), (Spec((2, 3)), Spec((3,))), "cannot join (2, 3) and (3)"),
    (LAYERS["concat"](2), (Spec((2, 3)), Spec((2, 3))), "axis 2 does not exist in (2, 3)"),
    (LAYERS["concat"](-3), (Spec((2, 3)), Spec((2, 3))), "axis -3 does not exist"),
    (LAYERS["concat"](), (Spec(()), Spec(())), "does not exist in ()"),
    (LAYERS["reshape"]((4,)), (Spec((2, 3)),), "cannot turn (2, 3), 6 values, into (4)"),
    (LAYERS["reshape"]((4, -1)), (Spec((2, 3)),), "into (4, -1)"),
    (LAYERS["reshape"]((7, -1)), (Spec((2, 3)),), "into (7, -1)"),
    (LOSSES["cross_entropy"](), (Spec((1,)), INDEX), "two classes or more, got (1)"),
    (LOSSES["cross_entropy"](), (Spec((2, 3)), Spec((2, 3))), "takes logits (C)"),
]


@pytest.mark.parametrize(("layer", "inputs", "words"), REFUSED)
def test_shapes_that_do_not_fit_are_refused(
    layer: Layer, inputs: tuple[Spec, ...], words: str
) -> None:
    with pytest.raises(ShapeError, match=re.escape(words)):
        layer.plan(inputs)


def made(entry: str) -> Layer:
    settings = {"linear": (3,), "reshape": ((-1,),)}
    return LAYERS[entry](*settings.get(entry, ()))


@pytest.mark.parametrize("entry", LAYERS)
def test_a_layer_refuses_the_wrong_number_of_inputs_and_class_indices(entry: str) -> None:
    layer, joins = made(entry), entry in ("add", "concat")
    x = Spec((4,))
    layer.plan((x, x) if joins else (x,))
    with pytest.raises(ShapeError, match="got 1" if joins else "got 2"):
        layer.plan((x,) if joins else (x, x))
    with pytest.raises(ShapeError, match="got class indices"):
        layer.plan((x, INDEX) if joins else (INDEX,))


@pytest.mark.parametrize("entry", LOSSES)
def test_a_loss_refuses_a_target_that_does_not_fit(entry: str) -> None:
    loss, p = LOSSES[entry](), Spec((4,))
    for inputs, words in (
        ((p,), "got 1 inputs"),
        ((p, p, p), "got 3 inputs"),
        ((INDEX, INDEX), "not class indices"),
        ((Spec((2, 3)), INDEX), "one axis, got (2, 3)"),
        ((p, Spec((3,), integer=True)), "class indices"),
        ((p, Spec((4, 1))), "prediction is (4) and the target (4, 1)"),
    ):
        with pytest.raises(ShapeError, match=re.escape(words)):
            loss.plan(inputs)


@pytest.mark.parametrize("shape", [(), (0,), (-2,), (2, -1, -1), (3, 0)])
def test_reshape_refuses_sizes_that_mean_nothing(shape: tuple[int, ...]) -> None:
    with pytest.raises(SettingError, match="shape"):
        LAYERS["reshape"](shape)


# --- mirrors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", sorted({*LAYERS} - {"add", "concat"}))
@pytest.mark.parametrize("shape", [(4,), (2, 3)])
def test_a_mirror_leads_back_to_the_shape_it_came_from(entry: str, shape: tuple[int, ...]) -> None:
    layer = made(entry)
    y = layer.plan((Spec(shape),)).y
    mirror = layer.mirror(Spec(shape))
    assert mirror is not layer
    assert mirror.plan((Spec(y),)).y == shape


def test_a_mirror_keeps_the_settings() -> None:
    assert vars(LAYERS["leaky_relu"](0.3).mirror(Spec((4,)))) == {"negative_slope": 0.3}
    mirror = LAYERS["linear"](3, bias=False).mirror(Spec((7,)))
    assert vars(mirror) == {**vars(LAYERS["linear"](7, bias=False))}


@pytest.mark.parametrize("entry", ["add", "concat"])
def test_what_joins_values_has_no_mirror(entry: str) -> None:
    with pytest.raises(ShapeError, match="no mirror image"):
        LAYERS[entry]().mirror(Spec((4,)))
