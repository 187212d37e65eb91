"""From a source to a data set: read → split → scale → shape → noise."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ldl.data.info import Array, Dataset, Info, Part, Progress, Raw, Shape
from ldl.data.scale import Scaling
from ldl.data.spec import DataSpec
from ldl.data.split import part_sizes, split_indices
from ldl.engine.streams import stream
from ldl.errors import DataError


def describe(spec: DataSpec) -> Info:
    """The data set's shapes, names and number of samples, as the network will see them.

    Reads nothing but the user's own file for csv and npz. Raises DataError, also where the split
    asks for more samples than there are.
    """
    info: Info = spec.source.describe()
    part_sizes(spec.split, info)
    return _shaped(info, spec.shape)


def load(spec: DataSpec, seed: int, progress: Progress | None = None) -> Dataset:
    """The parts of the data set, float32, scaled, shaped and noisy; the same for the same seed.

    `progress` hears of a download: what, bytes done, bytes in all. Raises DataError.
    """
    raw: Raw = spec.source.read(seed, progress)
    info = _shaped(raw.info, spec.shape)
    rows = split_indices(spec.split, raw, seed)
    inputs = {part: {k: x[chosen] for k, x in raw.inputs.items()} for part, chosen in rows.items()}
    scaler = None
    if spec.scale is not None:
        fits = {k: spec.scale.fit(x, _picture(raw.info, k)) for k, x in inputs["train"].items()}
        scaler = Scaling({k: fit.reshaped(info.inputs[k]) for k, fit in fits.items()})
    parts = {
        part: Part(clean, clean, None if raw.targets is None else _targets(raw.targets[chosen]))
        for part, chosen in rows.items()
        if len(chosen)
        for clean in [prepare(inputs.pop(part), info, scaler)]
    }
    limits = {k: _limits(x, _picture(raw.info, k)) for k, x in parts["train"].clean.items()}
    dataset = Dataset(
        info,
        parts["train"],
        parts.get("validation"),
        parts.get("test"),
        raw.sha256(),
        scaler,
        limits,
    )
    for name, part in parts.items():
        _add_noise(dataset, part, spec, seed, name)
    return dataset


def redraw_noise(dataset: Dataset, spec: DataSpec, seed: int, epoch: int) -> None:
    """Rewrites the training inputs in place: clean ones plus the noise of this epoch.

    Epoch 0's noise is the one that `load` drew; without noise nothing happens.
    """
    _add_noise(dataset, dataset.train, spec, seed, "train", epoch)


def prepare(inputs: dict[str, Array], info: Info, scaler: Scaling | None) -> dict[str, Array]:
    """Raw inputs (n, ...) → float32 (n, *shape), C-contiguous, scaled, as the network sees them."""
    shaped = {k: x.reshape(len(x), *info.inputs[k]) for k, x in inputs.items()}
    if scaler is not None:
        return scaler.transform(shaped)
    return {k: np.ascontiguousarray(x, np.float32) for k, x in shaped.items()}


def _add_noise(
    dataset: Dataset, part: Part, spec: DataSpec, seed: int, name: str, epoch: int = 0
) -> None:
    if spec.noise is None:
        return
    if part.inputs is part.clean:
        part.inputs = {k: np.empty_like(x) for k, x in part.clean.items()}
    for k, clean in part.clean.items():
        rng = stream(seed, "data", "noise", name, k, epoch)
        spec.noise.apply(clean, part.inputs[k], rng, *dataset.limits[k])


def _targets(targets: Array) -> Array:
    return targets if targets.dtype == np.int64 else targets.astype(np.float32)


def _picture(info: Info, name: str) -> bool:
    return len(info.inputs[name]) > 1 or (name == "x" and info.image is not None)


def _limits(x: Array, picture: bool) -> tuple[Array, Array]:
    axis = None if picture else 0
    return np.asarray(x.min(axis=axis)), np.asarray(x.max(axis=axis))


def _shaped(info: Info, shape: str) -> Info:
    """The same with every input flat, or every picture as (height, width, channels)."""
    if shape == "flat":
        flat: dict[str, Shape] = {k: (math.prod(size),) for k, size in info.inputs.items()}
        return replace(info, inputs=flat)
    if not any(_picture(info, k) for k in info.inputs):
        raise DataError(
            "shape: image, but the inputs are no pictures; shape: flat keeps them", "shape"
        )
    image: dict[str, Shape] = {
        k: info.image if k == "x" and info.image else (*size, 1) if len(size) == 2 else size
        for k, size in info.inputs.items()
    }
    return replace(info, inputs=image)
