"""What is known of a network before it is trained: its values by name, and its first layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ldl.arrays import Shape
from ldl.config import suggest

Kind = Literal["linear", "conv1d", "conv2d", "other"]
Task = Literal["classification", "regression", "reconstruction"]
SettingProblem = tuple[str, str]  # a setting of the evaluation, and what is wrong with it


@dataclass(frozen=True)
class First:
    """The first layer with a matrix of weights: what it is, what it reads.

    `activated` shows the work of the first layer with weights of any kind: the activation that
    follows it, or that layer itself.
    """

    name: str
    kind: Kind
    input: str | None  # the data's input that it reads, through nothing but new axes
    weight: Shape
    activated: str


@dataclass(frozen=True)
class NetworkInfo:
    """The shapes of a sample's values, by name: inputs, layers, and `code` in an autoencoder."""

    shapes: Mapping[str, Shape] = field(default_factory=dict)
    first: First | None = None
    task: Task = "classification"
    chain: bool = False  # one layer after another and one loss, nothing drawn, no samples mixed


def unknown_place(name: str, network: NetworkInfo, setting: str = "place") -> list[SettingProblem]:
    """What is wrong with a place that the network does not have."""
    if name in network.shapes:
        return []
    advice = suggest.spelling_hint(name, list(network.shapes), "there are")
    if name == "code":
        advice += "; a value is called `code` by `as: code`, or in encoder and decoder"
    return [(setting, f"no value is named {name}: {advice}")]
