"""The `data:` section of a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ldl.errors import SettingError
from ldl.fields import Choice, Count, Doc, Share


@dataclass(frozen=True)
class SplitSpec:
    """How the samples are divided: a whole number is a count, a fraction a share.

    Shares are of all samples. Where a source has an official test part (mnist, usps), `train` and
    `validation` are taken from the rest, and `test` from the official part alone, but where they
    are `pooled`.
    """

    train: Annotated[Count | Share | None, Doc("null: all that the other parts leave")] = None
    validation: Annotated[Count | Share | None, Doc("0 or null: no such part")] = 0.1
    test: Annotated[Count | Share | None, Doc("null: 0.2, or the whole official test part")] = None
    stratify: Annotated[bool, Doc("classes keep their proportions in every part")] = True
    pooled: Annotated[
        bool, Doc("an official test part is thrown together with the rest, and all divided")
    ] = False

    def __post_init__(self) -> None:
        if self.train is not None and self.train == 0:
            raise SettingError("train", "the training part cannot be empty")
        shares = [share for share in (self.train, self.validation) if isinstance(share, float)]
        if sum(shares) > 1 + 1e-9:
            raise SettingError("train", f"train and validation add up to {sum(shares):g}, over 1")


@dataclass(frozen=True)
class DataSpec:
    """Where the samples come from and what is done to them before the network sees them."""

    source: Annotated[Any, Choice("source")]
    scale: Annotated[Any, Choice("scaler")] = None
    split: SplitSpec = SplitSpec()
    scale_targets: Annotated[
        Annotated[Any, Choice("scaler")], Doc("values alone; undone in all figures")
    ] = None
    noise: Annotated[Annotated[Any, Choice("noise")], Doc("on the inputs of every part")] = None
    fresh_noise: Annotated[bool, Doc("draw the training part's noise anew each epoch")] = False
    augment: Annotated[
        tuple[Annotated[Any, Choice("augmentation")], ...], Doc("of the training part")
    ] = ()
    shape: Literal["flat", "image"] = "flat"
    target: Annotated[Literal["labels", "inputs"] | None, Doc("null: the network decides")] = None

    def __post_init__(self) -> None:
        if self.fresh_noise and self.noise is None:
            raise SettingError("fresh_noise", "there is no noise to draw anew")
