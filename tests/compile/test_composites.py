"""mlp, residual, repeat, blocks and their nesting."""

from __future__ import annotations

import pytest

from ldl.engine.layers.activation import Relu, Tanh
from ldl.errors import ConfigError

from .helpers import compiled, config, problems_of, shapes, weights, wiring


def test_mlp_is_linear_layers_each_with_an_activation() -> None:
    """relu by default."""
    experiment = compiled("network: [{mlp: [5, 4]}, linear]")
    assert wiring(experiment) == {
        "mlp1.linear1": ("x",),
        "mlp1.relu1": ("mlp1.linear1",),
        "mlp1.linear2": ("mlp1.relu1",),
        "mlp1.relu2": ("mlp1.linear2",),
        "linear1": ("mlp1.relu2",),
    }
    layers = {node.name: node.layer for node in experiment.graph.nodes}
    assert isinstance(layers["mlp1.relu2"], Relu)


def test_mlp_takes_an_activation_with_settings() -> None:
    """Any layer of one value."""
    text = "network: [{mlp: {units: [5], activation: {leaky_relu: 0.3}}}, linear]"
    (layer,) = (p.layer for p in compiled(text).graph.nodes if p.name == "mlp1.leaky_relu1")
    assert layer.negative_slope == 0.3  # type: ignore[attr-defined]


def test_residual_adds_its_input() -> None:
    """y = x + f(x)."""
    experiment = compiled("network: [{residual: [{linear: 6}, tanh], as: r}, linear]")
    assert wiring(experiment) == {
        "r.linear1": ("x",),
        "r.tanh1": ("r.linear1",),
        "r": ("x", "r.tanh1"),
        "linear1": ("r",),
    }


def test_residual_keeps_the_shape() -> None:
    """What does not fit is reported at the residual, with both shapes."""
    ((path, message),) = problems_of("network: [{residual: [{linear: 5}]}, linear]")
    assert path == "network.0" and "(6) and (5)" in message


def test_repeat_has_weights_of_its_own_each_time() -> None:
    """Three times the layers, three times the weights."""
    experiment = compiled("network: [{repeat: {times: 3, layers: [{linear: 6}, tanh]}}, linear]")
    owners = {experiment.graph.owners[name] for name in shapes(experiment) if "linear" in name}
    assert len(owners) == 4
    assert len([name for name in weights(experiment) if name.startswith("repeat1.")]) == 6


def test_a_block_used_twice_shares_its_weights() -> None:
    """One set of weights for two nodes each."""
    experiment = compiled("blocks: {b: [{linear: 6}, tanh]}\nnetwork: [b, b, linear]")
    assert list(weights(experiment)) == [
        "b1.linear1.weight",
        "b1.linear1.bias",
        "linear1.weight",
        "linear1.bias",
    ]
    assert experiment.graph.owners["b2.linear1"] == "b1.linear1"
    assert wiring(experiment)["b2.linear1"] == ("b1.tanh1",)


def test_a_block_in_a_repeat_shares_too() -> None:
    """A block is the same layers wherever its name stands."""
    text = "blocks: {b: {linear: 6}}\nnetwork: [{repeat: {times: 3, layers: [b]}}, linear]"
    assert len([name for name in weights(compiled(text)) if name.endswith("weight")]) == 2


@pytest.mark.parametrize("first", ["b0", "b60"])
def test_blocks_within_blocks_are_counted(first: str) -> None:
    """To a hundred, whether a block is first used outside of another one or within it."""
    for deep in (100, 101):
        chain = "".join(f"  b{i}: [b{i + 1}]\n" for i in range(deep - 1))
        text = f"blocks:\n{chain}  b{deep - 1}: {{linear: 6}}\nnetwork: [{first}, b0, linear]"
        if deep == 100:
            assert len(weights(compiled(text))) == 4
        else:
            assert "blocks within blocks, over 100 deep" in str(problems_of(text))


def test_a_block_at_another_size_says_both_shapes() -> None:
    """Shared weights have one shape, also in a block."""
    text = "blocks: {b: [{linear: 4}]}\nnetwork: [b, b, linear]"
    ((path, message),) = problems_of(text)
    assert path.startswith("blocks.b.0")
    assert "(6, 4)" in message and "(4, 4)" in message


def test_names_within_composites_have_a_scope() -> None:
    """The same name in each round; from outside with the round's number."""
    text = (
        "network: [{repeat: {times: 2, layers: [{linear: 6, as: h}, tanh, {add: , from: [h, x]}]},"
        " as: r}, {add: , from: [r.1.h, r]}, linear]"
    )
    reads = wiring(compiled(text))
    assert reads["r.1.add1"] == ("r.1.h", "x")
    assert reads["r.2.add1"] == ("r.2.h", "x")
    assert reads["add1"] == ("r.1.h", "r.2.add1")


def test_a_composite_is_a_value_by_its_name() -> None:
    """Of a block, a repeat and an mlp the last one."""
    text = "network: [{mlp: [6], as: m}, {linear: 6}, {add: , from: [m, x]}, linear]"
    assert wiring(compiled(text))["add1"] == ("m.relu1", "x")


def test_composites_nest() -> None:
    """A repeat of residuals of an mlp, in a block."""
    text = (
        "blocks: {deep: {repeat: {times: 2, layers: [{residual: [{mlp: [3, 6]}]}]}}}\n"
        "network: [deep, linear]"
    )
    experiment = compiled(text)
    assert shapes(experiment)["deep1.repeat1.2.residual1"] == (6,)
    assert len(weights(experiment)) == 2 * 4 + 2


def test_a_misfit_deep_in_a_repeat_is_at_its_line() -> None:
    """The second repetition does not fit: its path and both shapes, the repetition in its name."""
    text = (
        "network:\n- {linear: 8}\n- repeat:\n    times: 2\n    layers:\n"
        "    - residual:\n      - {linear: 8}\n      - reshape: [2, 4]\n      - {linear: 3}\n"
        "      - flatten\n- linear"
    )
    ((path, message),) = problems_of(text)
    assert path == "network.1.repeat.layers.0"
    assert "repeat1.1.residual1" in message and "(8) and (6)" in message


@pytest.mark.parametrize(
    ("network", "word"),
    [
        ("[{mlp: {units: [4], activation: {mlp: [3]}}}, linear]", "{mlp: [3]"),
        ("[{mlp: {units: [4], activation: {residual: [tanh]}}}, linear]", "{residual:"),
        ("{encoder: [{linear: 4}], decoder: {mirror: {output: {mlp: [3]}}}}", "{mlp: [3]"),
    ],
)
def test_an_activation_is_one_layer(network: str, word: str) -> None:
    """A composite there is rejected, with its path."""
    with pytest.raises(ConfigError, match="takes a single layer") as caught:
        config(f"network: {network}")
    (problem,) = caught.value.problems
    assert problem.line == 2 and problem.source[problem.column - 1 :].startswith(word)


def test_activations_are_layers_of_their_own() -> None:
    """Elementwise layers of an mlp are not one shared node."""
    experiment = compiled("network: [{mlp: {units: [5, 4], activation: tanh}}, linear]")
    layers = [p.layer for p in experiment.graph.nodes if isinstance(p.layer, Tanh)]
    assert len(layers) == 2 and layers[0] is not layers[1]
