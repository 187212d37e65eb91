from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from ldl.config import loads, to_builtins, to_yaml
from ldl.config.emit import WIDTH, emit, real, text

from .strategies import ANYTHING, CONFIGS, REAL, TEXT
from .toys import GOOD, REGISTRIES, Root, Train, read

slow = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@slow
@given(CONFIGS)
def test_the_resolved_text_reads_back_the_same(data: Any) -> None:
    value = read(emit(data))
    resolved = to_yaml(value, REGISTRIES)
    again = loads(resolved, "/elsewhere/config.yaml", Root, REGISTRIES).value
    assert again == value
    assert to_yaml(again, REGISTRIES) == resolved


@slow
@given(ANYTHING)
def test_any_data_reads_back_and_pyyaml_agrees(data: Any) -> None:
    written = emit({"extra": data})
    assert read(GOOD + written).extra == data
    assert yaml.safe_load(written) == {"extra": data}


@slow
@given(TEXT)
def test_text_is_text_in_every_yaml(value: str) -> None:
    assert yaml.safe_load(text(value)) == value
    assert read(f"{GOOD}extra: {text(value)}").extra == value


@slow
@given(REAL)
def test_floats_keep_every_bit(value: float) -> None:
    actual = read(f"{GOOD}extra: {real(value)}").extra
    assert (type(actual), actual.hex()) == (float, value.hex())
    assert isinstance(yaml.safe_load(real(value)), float)


def test_special_floats() -> None:
    assert [real(float(x)) for x in ("inf", "-inf", "nan")] == [".inf", "-.inf", ".nan"]
    assert real(1e-5) == "1.0e-05"


def test_every_default_is_filled_in() -> None:
    assert (
        to_yaml(read(GOOD), REGISTRIES, "resolved\nby a test")
        == """\
# resolved
# by a test
network: [relu]
data: {source: digits, noise: null, split: {train: 0.8, test: 0.2, stratify: true}, labels: {}}
name: run
seed: 0
loss: {mse: {reduction: mean}, from: null, weight: 1.0}
optimizer: {sgd: {learning_rate: 0.01, momentum: 0.0, nesterov: false}}
train: {epochs: 10, batch_size: 32, patience: null, device: null}
evaluate: []
blocks: {}
extra: null
"""
    )


def test_long_things_are_broken_into_lines() -> None:
    layers = ", ".join(["{linear: 64}"] * 8)
    written = to_yaml(read(f"data: {{source: digits}}\nnetwork: [{layers}]"), REGISTRIES)
    assert "network:\n  - {linear: {units: 64, bias: true}}\n" in written
    assert max(map(len, written.splitlines())) <= WIDTH


def test_plain_of_a_section() -> None:
    assert to_builtins(Train(3), REGISTRIES) == {
        "epochs": 3, "batch_size": 32, "patience": None, "device": None,
    }  # fmt: skip


def test_what_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="cannot write"):
        to_builtins(Root((), object()), REGISTRIES)  # type: ignore[arg-type]
