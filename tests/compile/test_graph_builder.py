"""Names and references: `as`, `from`, `same`, several inputs, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ldl.engine.model import Model
from ldl.execute import prepare

from .helpers import classes, compiled, info, problems_of, shapes, weights, wiring

TWO = info(classes(3), a=(4,), b=(2,))


def test_a_list_is_a_chain_named_by_kind_and_number() -> None:
    """Each layer reads the one before it, and the first the only input."""
    experiment = compiled("network: [{linear: 8}, tanh, {linear: 5}, tanh, linear]")
    assert wiring(experiment) == {
        "linear1": ("x",),
        "tanh1": ("linear1",),
        "linear2": ("tanh1",),
        "tanh2": ("linear2",),
        "linear3": ("tanh2",),
    }
    assert experiment.output == "linear3" and experiment.code is None


def test_as_names_a_value_and_from_reads_it() -> None:
    """A skip connection, written out."""
    experiment = compiled(
        "network: [{linear: 6, as: h}, tanh, {add: , from: [h, x], as: sum}, {linear: , from: sum}]"
    )
    assert wiring(experiment) == {
        "h": ("x",),
        "tanh1": ("h",),
        "sum": ("h", "x"),
        "linear1": ("sum",),
    }


def test_own_names_push_numbers_aside() -> None:
    """A name that the configuration gives is not used again."""
    experiment = compiled("network: [{linear: 4, as: linear1}, {linear: 5}, linear]")
    assert list(wiring(experiment)) == ["linear1", "linear2", "linear3"]


def test_from_may_name_what_comes_later() -> None:
    """The graph finds the order."""
    text = (
        "network: [{linear: 3, as: out, from: h}, {linear: 8, as: h, from: x},"
        " {identity: , from: out}]"
    )
    experiment = compiled(text)
    assert list(wiring(experiment)) == ["h", "out", "identity1"]
    assert shapes(experiment)["out"] == (3,)


def test_same_applies_a_layer_and_its_weights_again() -> None:
    """One set of weights; the second use is a node of its own."""
    experiment = compiled(
        "network: [{linear: 6, as: w}, tanh, {same: w}, {same: w, from: x}, linear]"
    )
    assert wiring(experiment)["linear1"] == ("tanh1",)
    assert weights(experiment) == {
        "w.weight": (6, 6),
        "w.bias": (6,),
        "linear3.weight": (6, 3),
        "linear3.bias": (3,),
    }
    owners = experiment.graph.owners
    assert owners["linear1"] == owners["linear2"] == "w"


def test_same_keeps_a_name_of_its_own() -> None:
    """`as` beside `same` names the new value."""
    experiment = compiled("network: [{linear: 6, as: w}, {same: w, as: again}, linear]")
    assert wiring(experiment)["again"] == ("w",)


def test_several_inputs_are_read_by_name() -> None:
    """Two inputs of different sizes, joined."""
    text = (
        "network: [{linear: 4, from: a, as: l}, {linear: 4, from: b, as: r},"
        " {concat: , from: [l, r]}, linear]"
    )
    experiment = compiled(text, TWO)
    assert shapes(experiment) == {"l": (4,), "r": (4,), "concat1": (8,), "linear1": (3,)}


def test_with_several_inputs_the_first_layer_says_which() -> None:
    """There is no layer before the first one."""
    assert problems_of("network: [{linear: 4}, linear]", TWO) == [
        ("network.0", "the data has the inputs a, b: say which with `from`")
    ]


def test_an_npz_file_with_two_inputs_trains(tmp_path: Path) -> None:
    """From the file to the graph: names of arrays are names of inputs."""
    rng = np.random.default_rng(0)
    arrays = {"left": rng.random((30, 2, 2)), "right": rng.random((30, 3))}
    np.savez(tmp_path / "two.npz", **arrays, y=np.arange(30) % 3)
    file = tmp_path / "two.yaml"
    file.write_text(
        "data: {source: {npz: {path: two.npz, inputs: [left, right], target: y}}}\n"
        "network: [{linear: 4, from: left, as: l}, {concat: , from: [l, right]}, linear]\n"
    )
    experiment = prepare(file).experiment
    assert experiment.info.inputs == {"left": (4,), "right": (3,)}
    assert shapes(experiment) == {"l": (4,), "concat1": (7,), "linear1": (3,)}
    outputs = Model(experiment.graph).predict(
        {"left": arrays["left"].reshape(30, 4), "right": arrays["right"]}, "linear1"
    )
    assert outputs.shape == (30, 3)


# --- what is wrong --------------------------------------------------------------------------


def test_an_unknown_name_lists_what_there_is() -> None:
    """Later layers still count as known; only the wrong one is reported."""
    (problem,) = problems_of("network: [{linear: 4, as: h}, {linear: 3, from: hh}, tanh]")
    assert problem[0].startswith("network.1")
    assert "hh" in problem[1] and "h" in problem[1] and "x" in problem[1]


def test_every_unknown_name_is_reported() -> None:
    """Three at once."""
    problems = problems_of(
        "network: [{linear: 4, from: p}, {linear: 4, from: q}, {linear: 3, from: r}]"
    )
    assert [path.split(".")[1] for path, _ in problems] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("text", "circle"),
    [
        ("network: [{linear: 6, as: a, from: b}, {linear: 6, as: b, from: a}, linear]", {"a", "b"}),
        ("network: [{add: , as: a, from: [a, x]}, linear]", {"a"}),
        (
            "network: [{linear: 6, as: a, from: c}, {linear: 6, as: b}, {linear: 6, as: c}, tanh]",
            {"a", "b", "c"},
        ),
    ],
)
def test_a_cycle_names_its_members(text: str, circle: set[str]) -> None:
    """Where values read each other in a ring."""
    (problem,) = problems_of(text)
    assert "cycle" in problem[1]
    names = problem[1].rpartition("cycle: ")[2].split(" → ")
    assert set(names) == circle and names[0] == names[-1]


@pytest.mark.parametrize(
    "text",
    [
        "network: [{same: x}, linear]",
        "network: [{same: later}, {linear: 6, as: later}, linear]",
    ],
)
def test_same_needs_a_layer(text: str) -> None:
    """An input, or what is not there yet, is none."""
    ((path, message),) = problems_of(text)
    assert path.startswith("network.0") and "is not a single layer" in message


def test_same_of_a_composite_is_refused_in_its_own_words() -> None:
    """A residual is several layers: its closing addition alone is not what is meant."""
    ((_, message),) = problems_of("network: [{residual: [{linear: 6}], as: r}, {same: r}, linear]")
    assert "r is not a single layer" in message


def test_same_with_another_size_says_both() -> None:
    """Shared weights have one shape."""
    ((path, message),) = problems_of("network: [{linear: 4, as: w}, {same: w}, linear]")
    assert path == "network.1"
    assert "(6, 4)" in message and "(4, 4)" in message and "w" in message


@pytest.mark.parametrize("name", ["x", "taken"])
def test_a_name_is_given_once(name: str) -> None:
    """Neither an input's nor another layer's."""
    text = f"network: [{{linear: 4, as: taken}}, {{linear: 4, as: {name}}}, linear]"
    assert problems_of(text) == [("network.1.as", f"the name {name} is taken already")]


@pytest.mark.parametrize(
    ("items", "path", "words"),
    [
        ("add, linear", "network.0", "two or more inputs"),
        ("{linear: 4, from: [x, x]}, linear", "network.0", "one input, got 2"),
        ("{linear: 4}, {reshape: [3]}, linear", "network.1", "(4)"),
        ("{concat: 3, from: [x, x]}, linear", "network.0", "axis 3"),
        ("{linear: 4, as: h}, {add: , from: [h, x]}, linear", "network.1", "(4) and (6)"),
    ],
)
def test_shapes_that_do_not_fit(items: str, path: str, words: str) -> None:
    """At the layer's path, with the shapes."""
    ((actual_path, message),) = problems_of(f"network: [{items}]")
    assert actual_path == path and words in message


def test_a_fault_is_said_once_and_what_follows_is_not_blamed() -> None:
    """Layers after one that does not fit are not reported."""
    problems = problems_of("network: [{reshape: [7]}, {linear: 4}, {reshape: [9]}, linear]")
    assert [path for path, _ in problems] == ["network.0"]


def test_an_empty_network_is_refused() -> None:
    """There is nothing to train."""
    assert problems_of("network: []")


def test_a_network_without_weights_is_refused() -> None:
    """There is nothing to train either."""
    assert problems_of("network: [tanh]\nloss: {mse: , target: inputs}")
