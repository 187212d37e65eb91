"""Every registry by the kind of thing that it names: what a configuration can choose from."""

from __future__ import annotations

from collections.abc import Mapping

from ldl.compile.composites import COMPOSITES, DECODERS
from ldl.data import AUGMENTATIONS, NOISES, SCALERS, SOURCES
from ldl.engine.init import INITIALISERS
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.optim import OPTIMIZERS
from ldl.engine.schedules import SCHEDULES

REGISTRIES: Mapping[str, Mapping[str, type]] = {
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
}
