"""The `data:` section of a configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from ldl.errors import SettingError
from ldl.fields import AddedLater, Choice, Count, Doc, Share


@dataclass(frozen=True)
class SplitSpec:
    """How the samples are split: a whole number is a count, a fraction a share of all samples.

    Where a source has an official test set (mnist, usps), `train` and `validation` are drawn from
    the other samples and `test` from the official test set, unless both are `pooled`.

    `seed` draws everything that a network is evaluated on: which samples are in which split, the
    noise of the validation and test splits, the samples of generated sources, cross-validation's
    folds. The configuration's own `seed` draws the rest, so runs with different seeds are
    evaluated on the same samples.

    Samples with equal inputs in the training and another split make figures too good. They are
    counted, and `duplicates: together` keeps them in one split, whose sizes may then be missed by
    a few samples; an official test set stays as it is.
    """

    train: Annotated[Count | Share | None, Doc("null: all samples not in another split")] = None
    validation: Annotated[Count | Share | None, Doc("0 or null: no validation split")] = 0.1
    test: Annotated[Count | Share | None, Doc("null: 0.2, or the whole official test set")] = None
    stratify: Annotated[bool, Doc("every split has the same proportions of classes")] = True
    pooled: Annotated[
        bool, Doc("join the official test set with the other samples and split them all")
    ] = False
    seed: Annotated[Count, Doc("draws the splits and what is evaluated"), AddedLater()] = 0
    duplicates: Annotated[
        Literal["warn", "together"], Doc("samples with equal inputs"), AddedLater()
    ] = "warn"

    def __post_init__(self) -> None:
        if self.train is not None and self.train == 0:
            raise SettingError("train", "the training split cannot be empty")
        shares = [share for share in (self.train, self.validation) if isinstance(share, float)]
        if sum(shares) > 1 + 1e-9:
            raise SettingError("train", f"train and validation add up to {sum(shares):g}, over 1")


@dataclass(frozen=True)
class DataSpec:
    """Where the samples come from and what is done to them before the network gets them."""

    source: Annotated[Any, Choice("source")]
    scale: Annotated[Any, Choice("scaler")] = None
    split: SplitSpec = SplitSpec()
    scale_targets: Annotated[
        Annotated[Any, Choice("scaler")],
        Doc("scales the values that the network learns; metrics are in the source's units"),
    ] = None
    noise: Annotated[Annotated[Any, Choice("noise")], Doc("on the inputs of every split")] = None
    fresh_noise: Annotated[bool, Doc("draw new noise for the training split each epoch")] = False
    augment: Annotated[
        tuple[Annotated[Any, Choice("augmentation")], ...], Doc("applied to the training split")
    ] = ()
    shape: Literal["flat", "image"] = "flat"
    target: Annotated[
        Literal["labels", "inputs"] | None,
        Doc("null: inputs for an encoder with a decoder, else labels"),
    ] = None

    def __post_init__(self) -> None:
        if self.fresh_noise and self.noise is None:
            raise SettingError("fresh_noise", "there is no noise to draw")

    def with_split_seed(self, seed: int) -> DataSpec:
        """The same section with this `split.seed`."""
        return replace(self, split=replace(self.split, seed=seed))
