"""The types of a data set: its description before it is read, its raw samples, its splits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from ldl.arrays import Array, ImageSize, Shape
from ldl.data.scalers import AffineScaler, InputScalers, ValueRange

MAX_SIZE = 2**40
TARGET_KINDS = ("classes", "values", "none")
MAX_FLOAT32 = float(np.finfo(np.float32).max)
ProgressCallback = Callable[[str, int, int], None]  # activity, amount done, total (0: not known)


@dataclass(frozen=True)
class Target:
    """What the network predicts: one of some classes, some values, or nothing."""

    kind: Literal["classes", "values", "none"]
    names: tuple[str, ...] = ()  # of the classes, or of the value columns
    label: str = "class"  # the column or key that holds the class in the user's file

    @property
    def size(self) -> int:
        """The number of classes or values."""
        return len(self.names)


@dataclass(frozen=True)
class DatasetInfo:
    """The shapes and names of a data set; an official test set comes last among the samples."""

    inputs: dict[str, Shape]  # the shape of one sample; the name is "x" when there is one input
    target: Target
    image: ImageSize | None = None  # if "x" is an image
    samples: int | None = None
    official_test: int = 0
    features: tuple[str, ...] = ()  # the names of the columns that "x" was read from
    extra_targets: dict[str, Target] = field(default_factory=dict)  # for auxiliary losses
    crops: dict[str, tuple[ImageSize, ImageSize]] = field(default_factory=dict)  # before, after
    flat_images: dict[str, ImageSize] = field(default_factory=dict)  # of inputs other than "x"

    def image_size(self, name: str) -> ImageSize | None:
        """The size of the input `name` as an image, None if it is not an image."""
        shape = self.inputs[name]
        if name == "x" and self.image is not None:
            return self.image
        if name in self.flat_images:
            return self.flat_images[name]
        return image_size_of_shape(shape)

    def target_named(self, name: str) -> Target:
        """The target called "labels", or the extra target of this name."""
        return self.target if name == "labels" else self.extra_targets[name]

    def state(self) -> dict[str, Any]:
        """The fields as JSON values, as `data.json` holds them."""
        state = asdict(self)
        state["pictures"] = state.pop("flat_images")  # the key that existing files have
        return state

    @staticmethod
    def from_state(state: dict[str, Any]) -> DatasetInfo:
        """The inverse of `state`, also after JSON has made lists of the tuples.

        Raises LookupError, TypeError, ValueError or AttributeError for another mapping.
        """
        info = DatasetInfo(
            inputs={name: tuple(shape) for name, shape in state["inputs"].items()},
            target=_target(state["target"]),
            image=tuple(state["image"]) if state["image"] else None,
            samples=state["samples"],
            official_test=state["official_test"],
            features=tuple(state["features"]),
            extra_targets={k: _target(v) for k, v in state.get("extra_targets", {}).items()},
            crops={k: (tuple(a), tuple(b)) for k, (a, b) in state.get("crops", {}).items()},
            flat_images={k: tuple(size) for k, size in state.get("pictures", {}).items()},
        )
        sizes = [info.image or (), *info.inputs.values(), *info.flat_images.values()]
        sizes += [size for crop in info.crops.values() for size in crop]
        numbers = [*(n for size in sizes for n in size), info.samples or 1, info.official_test + 1]
        if not info.inputs or not all(type(n) is int and 0 < n < MAX_SIZE for n in numbers):
            raise ValueError("a size is no whole number above 0")
        if not all(isinstance(name, str) for name in info.features):
            raise ValueError("a name is no text")
        return info


def image_size_of_shape(shape: Shape) -> ImageSize | None:
    """The size of a sample of shape (H, W) or (H, W, C) as an image; None for other shapes."""
    if len(shape) == 2:
        return shape[0], shape[1], 1
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else None


def _target(state: dict[str, Any]) -> Target:
    target = Target(**{**state, "names": tuple(state["names"])})
    texts = (target.label, *target.names)
    if target.kind not in TARGET_KINDS or not all(isinstance(text, str) for text in texts):
        raise ValueError("no description of a target")
    return target


@dataclass(frozen=True)
class RawDataset:
    """All samples in the units of their source: before splitting, scaling and noise."""

    info: DatasetInfo
    inputs: dict[str, Array]  # (n, *shape), real numbers of any type
    targets: Array | None  # int64 (n,) class indices, or float64 (n, k) values
    extra_targets: dict[str, Array] = field(default_factory=dict)  # arrays like `targets`

    def sha256(self) -> str:
        """SHA-256 over name, type, shape and bytes of every array, targets last."""
        return self.digests()[1]

    def digests(self) -> tuple[str, str]:
        """SHA-256 of the inputs alone, and `sha256`."""
        targets = {} if self.targets is None else {"targets": self.targets}
        targets |= {f"targets {name}": array for name, array in self.extra_targets.items()}
        digest, digests = hashlib.sha256(), []
        for arrays in (self.inputs, targets):
            for name, array in arrays.items():
                digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
                digest.update(np.ascontiguousarray(array).data)
            digests.append(digest.hexdigest())
        return digests[0], digests[1]


@dataclass
class Split:
    """The training, validation or test samples: inputs float32 (n, *shape), C-contiguous."""

    inputs: dict[str, Array]  # what the network gets: noisy if there is noise
    clean: dict[str, Array]  # before noise; the same arrays as `inputs` where there is none
    targets: Array | None  # int64 (n,) class indices, or float32 (n, k) values
    extra_targets: dict[str, Array] = field(default_factory=dict)  # arrays like `targets`
    sample_indices: Array | None = None  # int64 (n,): indices into the source's samples

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))


@dataclass
class Dataset:
    """A data set ready for training; an empty validation or test split is None."""

    info: DatasetInfo
    train: Split
    validation: Split | None
    test: Split | None
    sha256: str  # of the raw arrays
    scaler: InputScalers | None
    input_ranges: dict[str, ValueRange] = field(default_factory=dict)  # of `train`
    image_sizes: dict[str, ImageSize] = field(default_factory=dict)  # before any crop
    uncropped: Split | None = None  # the training split before its crop; None without a crop
    target_scaler: AffineScaler | None = None  # the splits hold their values unscaled
    shared: dict[str, int] = field(default_factory=dict)  # samples equal to a training sample
    groups: Array | None = None  # int64 (samples of the source,): equal samples to keep together
    inputs_sha256: str = ""  # of the raw inputs alone

    def to_source_units(self, name: str, x: Array) -> Array:
        """The input `name` with its scaling undone; whitened inputs are returned as they are."""
        scaler = self.scaler.inputs[name] if self.scaler else None
        return scaler.inverse(x) if scaler is not None and scaler.elementwise else x

    def to_target_units(self, outputs: Array) -> Array:
        """The network's predicted values with the targets' scaling undone."""
        return self.target_scaler.inverse(outputs) if self.target_scaler else outputs


class DataSource(Protocol):
    """An entry of SOURCES."""

    def describe(self) -> DatasetInfo:
        """Shapes and names; only csv, npz and images read files for it. Raises DataError."""
        ...

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """All samples; generators draw them from `seed`, that of the split. Raises DataError."""
        ...
