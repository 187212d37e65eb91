"""From a source to a data set: read → split → scale → shape → noise → crop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ldl.arrays import Array, ImageSize, Shape
from ldl.data.augmentation import AugmentedBatches, AugmentedInput, centred
from ldl.data.data_spec import DataSpec
from ldl.data.dataset import Dataset, DatasetInfo, ProgressCallback, RawDataset, Split
from ldl.data.scalers import AffineScaler, InputScalers, Zca
from ldl.data.split import split_indices, split_sizes
from ldl.engine.streams import stream
from ldl.errors import DataError


def describe_data(spec: DataSpec) -> DatasetInfo:
    """The data set's shapes, names and number of samples, as the network will see them.

    Reads nothing but the user's own files for csv, npz and images. Raises DataError, also where
    the split asks for more samples than there are.
    """
    info: DatasetInfo = spec.source.describe()
    split_sizes(spec.split, info)
    if spec.scale is not None:
        for name, shape in info.inputs.items():
            spec.scale.check(shape, info.image_size(name))
    if spec.scale_targets is not None:
        _check_target_scale(spec, info)
    return _seen(info, spec)


def _check_target_scale(spec: DataSpec, info: DatasetInfo) -> None:
    """DataError where the target cannot be scaled so."""
    if info.target.kind != "values":
        reason = f"only values are scaled, and the target is {info.target.kind}"
        raise DataError(reason, "scale_targets")
    if isinstance(spec.scale_targets, Zca):
        raise DataError("targets are scaled each by itself: minmax or standard", "scale_targets")
    try:
        spec.scale_targets.check((info.target.size,), None)
    except DataError as error:
        raise DataError(str(error), "scale_targets") from error


def load_data(
    spec: DataSpec,
    seed: int,
    progress: ProgressCallback | None = None,
    scaler: InputScalers | None = None,
    sample_indices: Mapping[str, Array] | None = None,
) -> Dataset:
    """The parts of the data set, float32, scaled, shaped and noisy; the same for the same seed.

    `progress` hears of a download: what, bytes done, bytes in all. `scaler` is one that was fitted
    on the same data before; `sample_indices`, by split, stand in for the split. Raises DataError.
    """
    try:
        raw: RawDataset = spec.source.read(seed, progress)
    except MemoryError as error:
        raise DataError("the samples do not fit into this computer's memory", "source") from error
    info, digest, pictures = _seen(raw.info, spec), raw.sha256(), _pictures(raw.info)
    rows = split_indices(spec.split, raw, seed) if sample_indices is None else sample_indices
    inputs = {part: {k: x[chosen] for k, x in raw.inputs.items()} for part, chosen in rows.items()}
    targets = {
        part: (_targets(raw.targets, chosen), _extra(raw, chosen)) for part, chosen in rows.items()
    }
    del raw  # a large set is not kept twice
    if spec.scale is not None and scaler is None:
        training = inputs["train"].items()
        scaler = InputScalers({k: spec.scale.fit(x, pictures.get(k)) for k, x in training})
    parts = {
        part: Split(clean, clean, *targets[part], chosen)
        for part, chosen in rows.items()
        if len(chosen)
        for clean in [_scaled(inputs.pop(part), info, scaler)]
    }
    limits = {k: _limits(x, k in pictures) for k, x in parts["train"].clean.items()}
    for name, part in parts.items():
        _add_noise(part, limits, spec, seed, name)
    seen = {name: _cropped(part, info) for name, part in parts.items()}
    return Dataset(
        info,
        seen["train"],
        seen.get("validation"),
        seen.get("test"),
        digest,
        scaler,
        limits,
        pictures,
        parts["train"] if seen["train"] is not parts["train"] else None,
        _target_scale(spec, targets["train"][0]),
    )


def _target_scale(spec: DataSpec, values: Array | None) -> AffineScaler | None:
    """The scaling of the values to learn, fitted on the training part."""
    if spec.scale_targets is None or values is None:
        return None
    fit: AffineScaler = spec.scale_targets.fit(values, None)
    return fit


def redraw_noise(dataset: Dataset, spec: DataSpec, seed: int, epoch: int) -> None:
    """Rewrites the training inputs in place: clean ones plus the noise of this epoch.

    Epoch 0's noise is the one that `load_data` drew; without noise nothing happens.
    """
    _add_noise(dataset.uncropped or dataset.train, dataset.input_ranges, spec, seed, "train", epoch)
    if dataset.uncropped is not None and spec.noise is not None:
        for k, x in _crop(dataset.uncropped.inputs, dataset.info).items():
            np.copyto(dataset.train.inputs[k], x)


def augmented_batches(
    dataset: Dataset, spec: DataSpec, seed: int, targets: Mapping[str, str]
) -> AugmentedBatches | None:
    """The training part for augmentation by batches, None where nothing is left to chance.

    `targets` maps each input of the graph that takes a clean input as its target to that input's
    name: it is changed as the input is. Noise was added before, and moves with the picture.
    """
    if not any(choice.draws for choice in spec.augment):
        return None
    part, shapes = dataset.uncropped or dataset.train, dataset.info.inputs
    arrays = {name: (name, x) for name, x in part.inputs.items()}
    arrays |= {name: (source, part.clean[source]) for name, source in targets.items()}
    feeds = {
        name: AugmentedInput(source, x, dataset.image_sizes[source], shapes[source])
        for name, (source, x) in arrays.items()
        if source in dataset.image_sizes
    }
    return AugmentedBatches(spec.augment, feeds, seed)


def prepare_inputs(
    inputs: dict[str, Array], info: DatasetInfo, scaler: InputScalers | None
) -> dict[str, Array]:
    """Raw inputs (n, ...) → float32 (n, *shape), C-contiguous, as a network is judged on them."""
    return _crop(_scaled(inputs, info, scaler), info)


def to_source_units(outputs: Array, info: DatasetInfo, scaler: InputScalers | None) -> Array | None:
    """A network's repetition (n, *shape) of its one input in the source's units, scaling undone.

    None where that cannot be done: of a crop out of whitened pictures.
    """
    name = next(iter(info.inputs))
    if scaler is None:
        return outputs
    fit = scaler.inputs[name]
    if name not in info.crops:
        return fit.inverse(outputs)
    if not isinstance(fit, AffineScaler):
        return None
    before, (height, width, channels) = info.crops[name]
    if fit.shift.size > channels:  # a number for each pixel, of which the middle ones are seen
        whole = (values.reshape(1, *before) for values in (fit.shift, fit.scale))
        fit = AffineScaler(*(centred(values, height, width).reshape(-1) for values in whole))
    return fit.inverse(outputs)


def _scaled(
    inputs: dict[str, Array], info: DatasetInfo, scaler: InputScalers | None
) -> dict[str, Array]:
    """Raw inputs scaled and shaped, not yet cropped."""
    shaped = {k: x.reshape(len(x), *_uncropped_shape(info, k)) for k, x in inputs.items()}
    if scaler is not None:
        return scaler.transform(shaped)
    return {k: np.ascontiguousarray(x, np.float32) for k, x in shaped.items()}


def _uncropped_shape(info: DatasetInfo, name: str) -> Shape:
    if name not in info.crops:
        return info.inputs[name]
    before, _ = info.crops[name]
    return before if len(info.inputs[name]) == 3 else (math.prod(before),)


def _cropped(part: Split, info: DatasetInfo) -> Split:
    """The part as a network is judged on it; itself where nothing is cropped."""
    if not info.crops:
        return part
    clean = _crop(part.clean, info)
    noisy = clean if part.inputs is part.clean else _crop(part.inputs, info)
    return replace(part, inputs=noisy, clean=clean)


def _crop(inputs: dict[str, Array], info: DatasetInfo) -> dict[str, Array]:
    cropped = dict(inputs)
    for k, (before, (height, width, _)) in info.crops.items():
        x = inputs[k].reshape(-1, *before)
        cropped[k] = centred(x, height, width).reshape(-1, *info.inputs[k])
    return cropped


def _add_noise(
    part: Split,
    limits: dict[str, tuple[Array, Array]],
    spec: DataSpec,
    seed: int,
    name: str,
    epoch: int = 0,
) -> None:
    if spec.noise is None:
        return
    if part.inputs is part.clean:
        part.inputs = {k: np.empty_like(x) for k, x in part.clean.items()}
    for k, clean in part.clean.items():
        rng = stream(seed, "data", "noise", name, k, epoch)
        spec.noise.apply(clean, part.inputs[k], rng, *limits[k])


def _pictures(raw: DatasetInfo) -> dict[str, ImageSize]:
    sizes = {name: raw.image_size(name) for name in raw.inputs}
    return {name: size for name, size in sizes.items() if size is not None}


def _targets(targets: Array | None, rows: Array) -> Array | None:
    if targets is None:
        return None
    chosen: Array = targets[rows]
    return chosen if chosen.dtype == np.int64 else chosen.astype(np.float32)


def _extra(raw: RawDataset, rows: Array) -> dict[str, Array]:
    chosen = {name: _targets(values, rows) for name, values in raw.extra_targets.items()}
    return {name: values for name, values in chosen.items() if values is not None}


def _limits(x: Array, picture: bool) -> tuple[Array, Array]:
    axis = None if picture else 0
    return np.asarray(x.min(axis=axis)), np.asarray(x.max(axis=axis))


def _seen(raw: DatasetInfo, spec: DataSpec) -> DatasetInfo:
    """What the network sees of a source: its inputs cropped, flat or as pictures."""
    pictures = _pictures(raw)
    if spec.shape == "image" and not pictures:
        raise DataError(
            "shape: image, but the inputs are no pictures; shape: flat keeps them", "shape"
        )
    after = _augmented_sizes(pictures, spec)
    if spec.shape == "image":
        shapes: dict[str, Shape] = {k: after.get(k, shape) for k, shape in raw.inputs.items()}
    else:
        shapes = {k: (math.prod(after.get(k, shape)),) for k, shape in raw.inputs.items()}
    crops = {k: (pictures[k], size) for k, size in after.items() if size != pictures[k]}
    image = after["x"] if raw.image is not None else None
    flat = {k: size for k, size in after.items() if k != "x" and spec.shape != "image"}
    return replace(raw, inputs=shapes, image=image, crops=crops, flat_images=flat)


def _augmented_sizes(pictures: dict[str, ImageSize], spec: DataSpec) -> dict[str, ImageSize]:
    """The pictures' sizes after all augmentation; DataError at the choice that does not fit."""
    if spec.augment and not pictures:
        raise DataError("augment needs pictures, and the inputs are none", "augment")
    sizes = dict(pictures)
    for i, choice in enumerate(spec.augment):
        for name, size in sizes.items():
            try:
                sizes[name] = choice.shape(size)
            except ValueError as error:
                raise DataError(str(error), f"augment.{i}") from error
    return sizes
