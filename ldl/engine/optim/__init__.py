"""Optimizers: rules that update the flat vector θ (`theta`) from its gradient g, in place.

An optimizer holds no arrays; its `OptimizerState` holds them. Weight decay applies to slices of θ.
"""

from __future__ import annotations

from ldl.engine.optim.adam import Adam, Adamax, AdamW, Nadam
from ldl.engine.optim.adaptive import Adadelta, Adagrad, RmsProp
from ldl.engine.optim.base import Optimizer, OptimizerState
from ldl.engine.optim.descent import Gd, Sgd
from ldl.engine.optim.lbfgs import Lbfgs
from ldl.engine.optim.lion import Lion
from ldl.engine.optim.sam import Sam

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "gd": Gd,
    "sgd": Sgd,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "rmsprop": RmsProp,
    "adam": Adam,
    "adamw": AdamW,
    "adamax": Adamax,
    "nadam": Nadam,
    "lion": Lion,
    "lbfgs": Lbfgs,
    "sam": Sam,
}

__all__ = [
    "OPTIMIZERS",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Gd",
    "Lbfgs",
    "Lion",
    "Nadam",
    "Optimizer",
    "OptimizerState",
    "RmsProp",
    "Sam",
    "Sgd",
]
