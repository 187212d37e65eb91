"""A candidate is the file with its values as overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldl.config.emit import flow
from ldl.execute import prepare
from ldl.grid.sections import FIELDS

from .plans import BASE, checked_grid, grid_plan, write_config

AUTO = """\
name: auto
data: {source: digits, scale: minmax, noise: {gaussian: 0.1}}
blocks: {b: [{linear: 6}, tanh]}
network: {encoder: [{mlp: {units: [8, 4], activation: tanh}}], decoder: mirror}
loss: [{mse: sum}, {mse: {}, weight: 0.5}]
evaluate: [reconstruction]
"""
BLOCKS = {
    "numbers": (BASE, "vary: {train.batch_size: [8, 16], optimizer.adam.learning_rate: [0.1, 1]}"),
    "choices": (
        BASE,
        "vary:\n  optimizer: [adam, {sgd: {momentum: 0.9}}, gd]\n  schedule: [null, {step: 2}]\n"
        "  train.batch_size: [full]",
    ),
    "layers": (
        BASE,
        "vary:\n  network.0: [{linear: 3}, {linear: {units: 5, bias: false}}]\n"
        "  network.1: [relu, {dropout: 0.2}]\n  network.0.linear.init: [he, {normal: 0.1}]",
    ),
    "networks": (BASE, "vary: {network: [[linear], [{linear: 9}, relu, linear]]}"),
    "an autoencoder": (
        AUTO,
        "vary:\n  network.encoder.mlp.units: [[8, 4], [5]]\n  network.encoder.0.mlp.activation: "
        "[tanh, sigmoid]\n  data.noise: [null, {gaussian: 0.3}]\n  loss.1.weight: [0.1, 1.0]\n"
        "  network.decoder.mirror.output: [sigmoid, tanh]",
    ),
    "sections that are left out": (
        BASE,
        "vary:\n  train.early_stopping.patience: [2, 3]\n  data.split.test: [0.1, 20]\n"
        "  evaluate: [{classification: {mistakes: 3}}, null]",
    ),
    "all of blocks": (
        BASE.replace("[{linear: 4}, tanh, linear]", "[b, linear]") + "blocks: {b: [{linear: 4}]}\n",
        "vary: {blocks: [{b: [{linear: 3}]}, {b: [tanh]}]}",
    ),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_candidate_is_the_file_with_overrides(name: str, tmp_path: Path) -> None:
    """The resolved configurations are equal byte for byte; a trial has one thread."""
    base, block = BLOCKS[name]
    grid = checked_grid(tmp_path, block, base=base)
    assert len(grid.candidates) == grid.space.size > 1
    for candidate in grid.candidates:
        inner = sorted(candidate.values.items(), key=lambda pair: pair[0].count("."))
        overrides = [f"{key}={flow(value)}" for key, value in inner]
        prepared = prepare(
            write_config(tmp_path, block, base), [*overrides, "train.threads=1", "seed=3"]
        )
        assert candidate.yaml(3) == prepared.yaml, overrides
        assert candidate.key_text(3) == prepared.key_text, overrides


def test_the_yaml_is_that_of_a_run(tmp_path: Path) -> None:
    """A run of it has the same resolved configuration."""
    for trial in grid_plan(tmp_path, "vary: {network.1: [tanh, relu]}\nseeds: 2").search.ask([]):
        path = tmp_path / "trial.yaml"
        path.write_text(trial.yaml)
        prepared = prepare(path)
        assert prepared.yaml == trial.yaml
        assert prepared.experiment.config.seed == trial.seed


def test_outer_keys_are_applied_first(tmp_path: Path) -> None:
    """In any order of the block."""
    block = "vary:\n  optimizer.sgd.momentum: [0.0, 0.9]\n  optimizer: [{sgd: 0.5}]"
    texts = [candidate.yaml(0) for candidate in checked_grid(tmp_path, block).candidates]
    assert all("learning_rate: 0.5" in text for text in texts)
    assert ["momentum: 0.9" in text for text in texts] == [False, True]


def test_a_choice_of_the_same_name_keeps_its_other_settings(tmp_path: Path) -> None:
    """As with an override."""
    (first, second) = checked_grid(
        tmp_path, "vary: {optimizer: [adam, {adam: {beta1: 0.5}}]}"
    ).candidates
    assert "learning_rate: 0.01" in first.yaml(0) and "learning_rate: 0.01" in second.yaml(0)
    assert "beta1: 0.5" in second.yaml(0)


def test_trials_have_no_claim(tmp_path: Path) -> None:
    """A claim is about the experiment of the file."""
    assert "claim: null" in checked_grid(tmp_path, "seeds: 2").candidates[0].yaml(0)
    assert list(FIELDS)[:2] == ["name", "seed"]


def test_a_varied_file_lies_beside_the_configuration(tmp_path: Path) -> None:
    """Paths are relative to the file in which the value is written."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("x,y\n" + "1,p\n2,q\n" * 20)
    block = (
        "vary:\n  data.source: [{csv: {path: a.csv, target: y}}, {csv: {path: b.csv, target: y}}]"
    )
    trials = grid_plan(tmp_path, block).search.ask([])
    assert [
        str(tmp_path / name) in t.yaml for t, name in zip(trials, ("a.csv", "b.csv"), strict=True)
    ]
