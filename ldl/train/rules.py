"""What shapes a step besides the optimizer: the schedule, penalties, clipping."""

from __future__ import annotations

from dataclasses import dataclass

from ldl.compile.spec import Config
from ldl.engine.penalty import Clipping, Penalty
from ldl.engine.schedules import Schedule


@dataclass(frozen=True)
class Rules:
    """Each None where a training goes without; `epochs` is what a schedule counts on."""

    epochs: int = 1
    schedule: Schedule | None = None
    penalty: Penalty | None = None
    clipping: Clipping | None = None


def rules(config: Config) -> Rules:
    """The rules that a configuration asks for."""
    train = config.train
    penalty = Penalty(train.l1, train.l2)
    clipping = Clipping(train.clip_norm, train.clip_value)
    return Rules(
        epochs=train.epochs,
        schedule=config.schedule,
        penalty=penalty if penalty != Penalty() else None,
        clipping=clipping if clipping != Clipping() else None,
    )
