"""encoder and decoder, and the mirror of an encoder."""

from __future__ import annotations

import pytest

from .helpers import compiled, info, problems_of, shapes, values, weights, wiring


def layers(text: str, **more: object) -> list[str]:
    """The names of all layers in order."""
    return list(wiring(compiled(text, **more)))  # type: ignore[arg-type]


def test_encoder_and_decoder_written_out() -> None:
    """The encoder's last value is the code; the decoder's end takes the input's size."""
    experiment = compiled("network: {encoder: [{linear: 2}, tanh], decoder: [{linear: 4}, linear]}")
    assert experiment.code == "encoder.tanh1"
    assert experiment.output == "decoder.linear2"
    assert shapes(experiment)["decoder.linear2"] == (6,)
    assert experiment.task == "reconstruction"
    assert experiment.graph.losses[0].inputs == ("decoder.linear2", "x")


def test_mirror_is_the_encoder_backwards() -> None:
    """Sizes 6-4-2 and back, an activation after each layer, a sigmoid last."""
    experiment = compiled(
        "network: {encoder: [{linear: 4}, tanh, {linear: 2}, tanh], decoder: mirror}"
    )
    assert list(shapes(experiment).items()) == [
        ("encoder.linear1", (4,)),
        ("encoder.tanh1", (4,)),
        ("encoder.linear2", (2,)),
        ("encoder.tanh2", (2,)),
        ("decoder.linear1", (4,)),
        ("decoder.tanh1", (4,)),
        ("decoder.linear2", (6,)),
        ("decoder.sigmoid1", (6,)),
    ]
    assert len(weights(experiment)) == 8


def test_mirror_without_a_last_activation() -> None:
    """A linear code is mirrored all the same."""
    names = layers("network: {encoder: [{linear: 4}, relu, {linear: 2}], decoder: mirror}")
    decoder = [name for name in names if name.startswith("decoder")]
    assert decoder == ["decoder.linear1", "decoder.relu1", "decoder.linear2", "decoder.sigmoid1"]


def test_mirror_of_an_mlp() -> None:
    """Composites are mirrored as the layers that they stand for."""
    experiment = compiled(
        "network: {encoder: [{mlp: {units: [5, 3, 2], activation: tanh}}], decoder: mirror}"
    )
    sizes = [shape for name, shape in shapes(experiment).items() if name.startswith("decoder")]
    assert sizes == [(3,), (3,), (5,), (5,), (6,), (6,)]


def test_mirror_of_repeats_and_blocks() -> None:
    """Chains all of them, whatever wrote them; the decoder has weights of its own."""
    text = (
        "blocks: {b: [{linear: 6}, tanh]}\nnetwork: {encoder: [{repeat: {times: 2, layers:"
        " [{linear: 6}, relu]}}, b, b, {linear: 2}], decoder: mirror}"
    )
    experiment = compiled(text)
    decoder = [name for name in weights(experiment) if name.startswith("decoder")]
    assert len(decoder) == 2 * 5
    assert shapes(experiment)[experiment.output] == (6,)


def test_mirror_of_flatten_and_reshape() -> None:
    """Back to the picture."""
    text = (
        "network: {encoder: [{reshape: [4, 3]}, flatten, {linear: 4}, {reshape: [2, 2]}],"
        " decoder: mirror}"
    )
    experiment = compiled(text, info(shape=(3, 4)))
    sizes = [shape for name, shape in shapes(experiment).items() if name.startswith("decoder")]
    assert sizes == [(4,), (12,), (4, 3), (3, 4), (3, 4)]


def test_mirror_of_layers_on_the_last_axis() -> None:
    """A linear layer works on each row of a picture; so does its mirror."""
    experiment = compiled("network: {encoder: [{linear: 2}], decoder: mirror}", info(shape=(3, 4)))
    assert shapes(experiment)[experiment.output] == (3, 4)


def test_mirror_keeps_a_layers_settings() -> None:
    """Without biases there, without biases here."""
    text = "network: {encoder: [{linear: {units: 2, bias: false}}], decoder: mirror}"
    assert list(weights(compiled(text))) == ["encoder.linear1.weight", "decoder.linear1.weight"]


def test_mirror_ends_as_told() -> None:
    """`output` is the last activation."""
    text = "network: {encoder: [{linear: 2}, tanh], decoder: {mirror: tanh}}"
    assert layers(text)[-1] == "decoder.tanh1"
    text = "network: {encoder: [{linear: 2}, tanh], decoder: {mirror: {output: identity}}}"
    assert layers(text)[-1] == "decoder.identity1"


def test_an_autoencoder_of_data_without_labels() -> None:
    """Inputs are their own targets."""
    text = "network: {encoder: [{linear: 2}], decoder: mirror}"
    assert compiled(text, info(values(0))).task == "reconstruction"


def test_the_code_can_be_judged_too() -> None:
    """`from: code` in a loss."""
    text = (
        "network: {encoder: [{linear: , as: h}], decoder: mirror}\n"
        "loss: [{mse: }, {cross_entropy: , from: code, target: labels, weight: 0.5}]"
    )
    ((path, message),) = problems_of(text)  # mirror needs to know the code's size
    assert path == "network.encoder.0" and "units are missing" in message
    experiment = compiled(text.replace("{linear: , as: h}", "{linear: 3, as: h}"))
    assert experiment.graph.losses[1].inputs == ("encoder.h", "target.labels")
    assert experiment.task == "reconstruction"


@pytest.mark.parametrize(
    ("encoder", "path"),
    [
        ("{residual: [{linear: 6}]}, {linear: 2}", "network.encoder.0"),
        ("{linear: 4, as: a}, {concat: , from: [a, x]}", "network.encoder.1"),
        ("{linear: 6, as: a}, {same: a}", "network.encoder.1"),
        ("{linear: 4, from: x}", "network.encoder.0"),
    ],
)
def test_what_cannot_be_mirrored(encoder: str, path: str) -> None:
    """Only a chain has a way back; reported at the layer that breaks it."""
    ((actual_path, message),) = problems_of(f"network: {{encoder: [{encoder}], decoder: mirror}}")
    assert actual_path == path and "mirror" in message


def test_mirror_needs_one_input() -> None:
    """There is one way back only."""
    text = "network: {encoder: [{concat: , from: [a, b]}, {linear: 2}], decoder: mirror}"
    problems = problems_of(text, info(a=(2,), b=(3,)))
    assert ("network.decoder", "mirror needs data with one input") in problems


def test_an_empty_encoder_is_refused() -> None:
    """There is no code."""
    assert problems_of("network: {encoder: [], decoder: mirror}")
