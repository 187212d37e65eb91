"""What is known of a data set before it is read (`Info`), and what reading gives (`Dataset`)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from ldl.arrays import Array, ImageSize, Shape
from ldl.data.scalers import AffineScaler, InputScalers

ProgressCallback = Callable[[str, int, int], None]  # what, done, total (0 where it is not known)


@dataclass(frozen=True)
class Target:
    """What is to be predicted: one of some classes, some values, or nothing."""

    kind: Literal["classes", "values", "none"]
    names: tuple[str, ...] = ()  # of the classes, or of the value columns
    label: str = "class"  # the column or key of a file that holds the class

    @property
    def size(self) -> int:
        """How many classes or values there are."""
        return len(self.names)


@dataclass(frozen=True)
class DatasetInfo:
    """The shapes and names of a data set; an official test part stands last among the samples."""

    inputs: dict[str, Shape]  # the shape of one sample; the name is "x" when there is one input
    target: Target
    image: ImageSize | None = None  # if "x" is a picture
    samples: int | None = None
    official_test: int = 0
    features: tuple[str, ...] = ()  # the columns that "x" was read from, where they have names
    extra_targets: dict[str, Target] = field(default_factory=dict)  # for auxiliary losses
    crops: dict[str, tuple[ImageSize, ImageSize]] = field(default_factory=dict)  # read, seen
    flat_images: dict[str, ImageSize] = field(default_factory=dict)  # of other inputs that are flat

    def image_size(self, name: str) -> ImageSize | None:
        """The input's size as a picture, None if it is none."""
        shape = self.inputs[name]
        if name == "x" and self.image is not None:
            return self.image
        if name in self.flat_images:
            return self.flat_images[name]
        if len(shape) == 2:
            return shape[0], shape[1], 1
        return (shape[0], shape[1], shape[2]) if len(shape) == 3 else None

    def target_named(self, name: str) -> Target:
        """The target called "labels", or the extra target of this name."""
        return self.target if name == "labels" else self.extra_targets[name]

    def state(self) -> dict[str, Any]:
        """The same in what JSON can hold."""
        state = asdict(self)
        state["pictures"] = state.pop("flat_images")  # the key that data.json has
        return state

    @staticmethod
    def from_state(state: dict[str, Any]) -> DatasetInfo:
        """`state` undone, also after a round through JSON, which makes lists of tuples."""
        return DatasetInfo(
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


def _target(state: dict[str, Any]) -> Target:
    return Target(**{**state, "names": tuple(state["names"])})


@dataclass(frozen=True)
class RawDataset:
    """All samples as their source has them: before splitting, scaling and noise."""

    info: DatasetInfo
    inputs: dict[str, Array]  # (n, *shape), real numbers of any type
    targets: Array | None  # int64 (n,) class indices, or float64 (n, k) values
    extra_targets: dict[str, Array] = field(
        default_factory=dict
    )  # the extra targets, like `targets`

    def sha256(self) -> str:
        """SHA-256 over name, type, shape and bytes of every array, targets last."""
        digest = hashlib.sha256()
        arrays = dict(self.inputs)
        if self.targets is not None:
            arrays["targets"] = self.targets
        arrays |= {f"targets {name}": array for name, array in self.extra_targets.items()}
        for name, array in arrays.items():
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass
class Split:
    """Training, validation or test part: inputs float32 (n, *shape), C-contiguous."""

    inputs: dict[str, Array]  # as the network sees them: noisy if there is noise
    clean: dict[str, Array]  # before noise; the very same arrays where there is none
    targets: Array | None  # int64 (n,) class indices, or float32 (n, k) values
    extra_targets: dict[str, Array] = field(
        default_factory=dict
    )  # the extra targets, like `targets`
    sample_indices: Array | None = None  # int64 (n,): which samples of the source these are, from 0

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))


@dataclass
class Dataset:
    """A data set ready to train on; a part whose share is 0 is None."""

    info: DatasetInfo
    train: Split
    validation: Split | None
    test: Split | None
    sha256: str  # of the raw arrays
    scaler: InputScalers | None
    input_ranges: dict[str, tuple[Array, Array]] = field(
        default_factory=dict
    )  # of the training inputs
    image_sizes: dict[str, ImageSize] = field(
        default_factory=dict
    )  # inputs that are, before any crop
    uncropped: Split | None = None  # the training part before its crop; None where nothing is cut
    target_scaler: AffineScaler | None = (
        None  # of the values that a network learns; parts have them raw
    )

    def to_source_units(self, name: str, x: Array) -> Array:
        """Inputs as the source has them, scaling undone; whitened ones stay as they are."""
        fit = self.scaler.inputs[name] if self.scaler else None
        return fit.inverse(x) if fit is not None and fit.elementwise else x

    def to_target_units(self, outputs: Array) -> Array:
        """What a network gives for values, scaling undone."""
        return self.target_scaler.inverse(outputs) if self.target_scaler else outputs


class DataSource(Protocol):
    """An entry of SOURCES."""

    def describe(self) -> DatasetInfo:
        """Shapes and names; only csv and npz look at a file. Raises DataError."""
        ...

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """All samples; generators draw them from the seed. Raises DataError."""
        ...
