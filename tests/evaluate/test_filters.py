"""Weights and activations as images, value by value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.errors import DataError
from ldl.evaluate.activations import Activations
from ldl.evaluate.context import FirstLayer, NetworkInfo
from ldl.evaluate.filters import Filters

from .conftest import make_info, make_split

rng = np.random.default_rng(0)
IMAGE = make_info((6,), ("a", "b"), image=(2, 3, 1))
ONE = make_split(rng.random((4, 6)), [0, 1, 0, 1])


def network(kind: Any, weight: tuple[int, ...]) -> NetworkInfo:
    first = FirstLayer("first", kind, "x", weight, "tanh1")
    return NetworkInfo({"x": (6,), "first": weight[-1:], "tanh1": weight[-1:]}, first)


@pytest.mark.parametrize(
    ("kind", "shape", "image"),
    [
        ("linear", (6, 5), (2, 3, 1)),
        ("conv2d", (3, 2, 1, 5), (3, 2, 1)),
        ("conv1d", (3, 2, 5), (1, 3, 2)),
    ],
)
def test_each_unit_is_an_image(
    kind: Any, shape: tuple[int, ...], image: tuple[int, ...], make_context: Any, tmp_path: Path
) -> None:
    weight = rng.normal(size=shape)
    weight[..., 2] = 0  # a dead unit
    context = make_context(
        "classification", IMAGE, ONE, network=network(kind, shape), weights={"first.weight": weight}
    )
    results = Filters(count=4).run(context)
    assert (results["count"], results["shape"], results["dead"]) == (5, list(image), 1)
    lengths = [np.linalg.norm(weight[..., i]) for i in range(5)]
    assert results["norm"] == pytest.approx(np.mean(lengths))
    with np.load(tmp_path / "plots" / "filters.npz") as stored:
        assert stored["filters"].shape == (4, *image)
        for i in range(4):
            np.testing.assert_array_equal(stored["filters"][i].ravel(), weight[..., i].ravel())


@pytest.mark.parametrize(
    ("data", "network_info", "words"),
    [
        (make_info((6,), ("a", "b")), network("linear", (6, 5)), "is first"),  # no image
        (IMAGE, network("linear", (9, 5)), "is first"),  # reads something else
        (IMAGE, network("other", (6, 5)), "is first"),
        (IMAGE, NetworkInfo({"x": (6,)}), "is none"),
    ],
)
def test_other_first_layers_are_refused(
    data: Any, network_info: NetworkInfo, words: str, make_context: Any
) -> None:
    ((setting, reason),) = Filters().network_problems(data, network_info)
    assert setting == "" and "linear on images or a convolution" in reason and words in reason
    with pytest.raises(DataError, match="convolution"):
        Filters().run(make_context("classification", data, ONE, network=network_info))


@pytest.mark.parametrize(
    ("shape", "stored"),
    [((5,), (4, 5)), ((7, 3), (4, 3, 7)), ((4, 2, 20), (4, 16, 4, 2)), ((), (4, 1))],
)
def test_activations_of_any_shape(
    shape: tuple[int, ...], stored: tuple[int, ...], make_context: Any, tmp_path: Path
) -> None:
    z = np.maximum(rng.normal(size=(4, *shape)), 0).astype(np.float32)
    nodes: list[str] = []

    def values(name: str, inputs: Any) -> Any:
        nodes.append(name)
        assert inputs is ONE.inputs
        return z

    context = make_context(
        "classification", IMAGE, ONE, network=network("linear", (6, 5)), node_values=values
    )
    results = Activations().run(context)
    assert nodes == ["tanh1"] == [results["place"]] and results["shape"] == list(shape)
    assert results["zeros"] == pytest.approx((z == 0).mean())
    assert results["mean"] == pytest.approx(float(z.mean()), rel=1e-5)
    assert results["sd"] == pytest.approx(float(z.std()), rel=1e-5)
    with np.load(tmp_path / "plots" / "activations.npz") as stored_arrays:
        assert stored_arrays["values"].shape == stored and stored_arrays["images"].shape == (
            4,
            2,
            3,
            1,
        )
        assert stored_arrays["labels"].tolist() == ["a", "a", "b", "b"]
        if len(shape) == 3:
            np.testing.assert_array_equal(stored_arrays["values"][1, 5], z[2, ..., 5])
        if len(shape) == 2:
            np.testing.assert_array_equal(stored_arrays["values"][1], z[2].T)


def test_constant_units_are_counted(make_context: Any) -> None:
    z = np.array([[0, 1, 2], [0, 1, 3], [0, 1, 2], [0, 0, 2]], np.float32)
    context = make_context("classification", IMAGE, ONE, node_values=lambda name, inputs: z)
    results = Activations(node="x", samples=2).run(context)
    assert results["constant_units"] == 1 and results["zeros"] == pytest.approx(5 / 12)


def test_a_network_without_weights_needs_a_place() -> None:
    ((setting, reason),) = Activations().network_problems(IMAGE, NetworkInfo({"x": (6,)}))
    assert setting == "" and "name a `node`" in reason
