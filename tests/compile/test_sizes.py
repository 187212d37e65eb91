"""The output's size where it is left out, by loss and kind of target, and sizes that clash."""

from __future__ import annotations

import pytest

from ldl.data import DatasetInfo

from .helpers import classes, compiled, info, problems_of, shapes, values

PICTURES = info(classes(10), (8, 8, 1))


@pytest.mark.parametrize(
    ("loss", "data_info", "size"),
    [
        ("cross_entropy", info(classes(4)), 4),
        ("cross_entropy", info(classes(2)), 2),
        ("mse", info(classes(4)), 4),
        ("mae", info(classes(2)), 2),
        ("rmse", info(classes(2)), 2),
        ("bce", info(classes(2)), 1),
        ("bce", info(classes(4)), 4),
        ("mse", info(values(1)), 1),
        ("mse", info(values(3)), 3),
        ("mae", info(values(2)), 2),
        ("rmse", info(values(2)), 2),
        ("bce", info(values(3)), 3),
        ("cross_entropy", info(values(3)), 3),
        ("{mse: , target: inputs}", info(classes(4)), 6),
        ("{bce: , target: inputs}", info(values(2)), 6),
        ("null", info(classes(2)), 2),
        ("null", info(values(5)), 5),
    ],
)
def test_the_output_takes_the_size_of_the_targets(
    loss: str, data_info: DatasetInfo, size: int
) -> None:
    """One score a class (of two, bce wants one probability), one output a value or input."""
    last = "linear, sigmoid" if "bce" in loss else "linear"
    experiment = compiled(f"network: [{{linear: 4}}, relu, {last}]\nloss: {loss}", data_info)
    assert shapes(experiment)["linear2"] == (size,)


@pytest.mark.parametrize("behind", ["sigmoid", "tanh, identity", "softmax"])
def test_also_before_activations(behind: str) -> None:
    """The last linear layer, not the last layer."""
    experiment = compiled(f"network: [{{linear: 4}}, relu, linear, {behind}]\nloss: mse")
    assert shapes(experiment)["linear2"] == (3,)
    assert shapes(experiment)["linear1"] == (4,)


def test_each_of_two_heads_takes_its_own_size() -> None:
    """Two losses, two ends."""
    text = (
        "network: [{linear: 8, as: h}, {linear: , as: names}, {linear: , from: h, as: back}]\n"
        "loss: [{cross_entropy: , from: names}, {mse: , from: back, target: inputs}]"
    )
    sizes = shapes(compiled(text))
    assert (sizes["names"], sizes["back"]) == ((3,), (6,))


def test_pictures_are_given_back_in_their_shape() -> None:
    """A linear layer on the last axis ends in the last axis' size."""
    text = "network: {encoder: [{linear: 4}], decoder: [linear]}"
    assert shapes(compiled(text, PICTURES))["decoder.linear1"] == (8, 8, 1)


def test_only_the_last_linear_layer_may_leave_its_units_out() -> None:
    """There is nothing that says the size of an inner one."""
    assert problems_of("network: [linear, tanh, linear]") == [
        (
            "network.0",
            "linear (linear1): units are missing: only the last linear layer can leave them out",
        )
    ]


@pytest.mark.parametrize(
    ("network", "loss", "data_info"),
    [
        ("[{linear: 2}]", "cross_entropy", info(classes(4))),
        ("[{linear: 7}]", "cross_entropy", info(classes(4))),
        ("[{linear: 3}]", "mse", info(classes(4))),
        ("[{linear: 1}]", "mse", info(classes(4))),
        ("[{linear: 1}, sigmoid]", "bce", info(classes(3))),
        ("[{linear: 3}]", "mse", info(values(4))),
        ("[{linear: 3}, sigmoid]", "{bce: , target: inputs}", info(classes(4))),
        ("[{linear: 1}]", "cross_entropy", info(classes(2))),
        ("[{linear: 4}, {reshape: [-1, 2]}]", "cross_entropy", info(classes(4))),
    ],
)
def test_outputs_that_do_not_fit_the_targets(
    network: str, loss: str, data_info: DatasetInfo
) -> None:
    """Found when building, at the layer that gives them, not after the training."""
    ((path, message),) = problems_of(f"network: {network}\nloss: {loss}", data_info)
    assert path == f"network.{network.count('}, ')}"
    assert any(digit in message for digit in "1234567")


def test_a_mirror_does_not_classify() -> None:
    """Outputs of the input's size are no scores of classes."""
    text = "network: {encoder: [{linear: 2}], decoder: mirror}\nloss: {mse: , target: labels}"
    assert problems_of(text, info(classes(4)))
