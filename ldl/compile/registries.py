"""Every registry by the kind of its entries: all that a configuration can choose from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ldl.compile.composites import COMPOSITES, DECODERS
from ldl.data import AUGMENTATIONS, NOISES, SCALERS, SOURCES
from ldl.engine.averaging import AVERAGES
from ldl.engine.init import INITIALISERS
from ldl.engine.layer import Layer
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.optim import OPTIMIZERS
from ldl.engine.optim.base import Optimizer
from ldl.engine.schedules import SCHEDULES

REGISTRIES: Final[Mapping[str, Mapping[str, type]]] = {
    "source": SOURCES,
    "scaler": SCALERS,
    "noise": NOISES,
    "augmentation": AUGMENTATIONS,
    "layer": {**LAYERS, **COMPOSITES},
    "decoder": DECODERS,
    "initialiser": INITIALISERS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "average": AVERAGES,
}

LAYER_NAMES: Final[dict[type[Layer], str]] = {layer: name for name, layer in LAYERS.items()}
LOSS_NAMES: Final[dict[type[Layer], str]] = {loss: name for name, loss in LOSSES.items()}
OPERATION_NAMES: Final[dict[type[Layer], str]] = {**LAYER_NAMES, **LOSS_NAMES}
OPTIMIZER_NAMES: Final[dict[type[Optimizer], str]] = {
    optimizer: name for name, optimizer in OPTIMIZERS.items()
}
