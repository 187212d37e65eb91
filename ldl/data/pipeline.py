"""From a source to a data set: read → split → scale → shape → noise → crop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ldl.arrays import Array, ImageSize, Shape
from ldl.data.augmentation import AugmentedBatches, AugmentedInput, center_crop
from ldl.data.data_spec import DataSpec
from ldl.data.dataset import Dataset, DatasetInfo, ProgressCallback, RawDataset, Split
from ldl.data.duplicates import count_shared, duplicate_groups
from ldl.data.scalers import AffineScaler, InputScalers, ValueRange, Zca
from ldl.data.split import split_indices, split_sizes
from ldl.engine.streams import stream
from ldl.errors import DataError


def describe_data(spec: DataSpec, errors: list[DataError] | None = None) -> DatasetInfo:
    """The data set's shapes, names and number of samples, as the network will get them.

    Reads no files except the user's own for csv, npz and images. Raises DataError, also where the
    split needs more samples than there are. With a list of `errors`, those of split and scalers,
    on which the description does not depend, are added to it instead.
    """
    info: DatasetInfo = spec.source.describe()
    for check in (_check_split, _check_input_scaler, _check_target_scaler):
        try:
            check(spec, info)
        except DataError as error:
            if errors is None:
                raise
            errors.append(error)
    return _prepared_info(info, spec)


def _check_split(spec: DataSpec, info: DatasetInfo) -> None:
    split_sizes(spec.split, info)


def _check_input_scaler(spec: DataSpec, info: DatasetInfo) -> None:
    if spec.scale is not None:
        for name, shape in info.inputs.items():
            spec.scale.check(shape, info.image_size(name))


def _check_target_scaler(spec: DataSpec, info: DatasetInfo) -> None:
    """Raise DataError where `scale_targets` does not suit the target."""
    if spec.scale_targets is None:
        return
    if info.target.kind != "values":
        reason = f"only values can be scaled, and the target is {info.target.kind}"
        raise DataError(reason, "scale_targets")
    if isinstance(spec.scale_targets, Zca):
        raise DataError(
            "scale_targets scales each value by itself: minmax or standard", "scale_targets"
        )
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
    """The data set with its splits: float32, scaled, shaped and noisy.

    `seed` draws the noise of the training split, `spec.split.seed` everything else. `progress` is
    called during a download: activity, bytes done, bytes in all. `scaler` was fitted to the same
    data before. `sample_indices`, by split, replace the split of `spec`. Raises DataError.
    """
    raw = _read_source(spec, progress)
    info, image_sizes = _prepared_info(raw.info, spec), _image_sizes(raw.info)
    inputs_digest, digest = raw.digests()
    groups = duplicate_groups(raw.inputs)
    kept_groups = groups if spec.split.duplicates == "together" else None
    indices = sample_indices or split_indices(spec.split, raw, kept_groups)
    inputs = {split: {k: x[rows] for k, x in raw.inputs.items()} for split, rows in indices.items()}
    targets = {split: _select_targets(raw, rows) for split, rows in indices.items()}
    del raw  # frees a large set before its scaled copy is made
    scaler = scaler or _fit_input_scalers(spec, inputs["train"], image_sizes)
    uncropped = {
        split: Split(clean, clean, *targets[split], rows)
        for split, rows in indices.items()
        if len(rows)
        for clean in [_scaled(inputs.pop(split), info, scaler)]
    }
    ranges = {k: _input_range(x, k in image_sizes) for k, x in uncropped["train"].clean.items()}
    for name, split in uncropped.items():
        noise_seed = seed if name == "train" else spec.split.seed
        _add_noise(split, ranges, spec, noise_seed, name)
    splits = {name: _cropped(split, info) for name, split in uncropped.items()}
    return Dataset(
        info,
        splits["train"],
        splits.get("validation"),
        splits.get("test"),
        digest,
        scaler,
        ranges,
        image_sizes,
        uncropped["train"] if splits["train"] is not uncropped["train"] else None,
        _fit_target_scaler(spec, targets["train"][0]),
        count_shared(groups, indices),
        kept_groups,
        inputs_digest,
    )


def _read_source(spec: DataSpec, progress: ProgressCallback | None) -> RawDataset:
    try:
        raw: RawDataset = spec.source.read(spec.split.seed, progress)
    except MemoryError as error:
        raise DataError("the samples do not fit into this computer's memory", "source") from error
    return raw


def _fit_input_scalers(
    spec: DataSpec, inputs: dict[str, Array], image_sizes: dict[str, ImageSize]
) -> InputScalers | None:
    """The scalers of the inputs, fitted to the training split."""
    if spec.scale is None:
        return None
    return InputScalers({k: spec.scale.fit(x, image_sizes.get(k)) for k, x in inputs.items()})


def _fit_target_scaler(spec: DataSpec, values: Array | None) -> AffineScaler | None:
    """The scaler of the values to learn, fitted to the training split."""
    if spec.scale_targets is None or values is None:
        return None
    scaler: AffineScaler = spec.scale_targets.fit(values, None)
    return scaler


def redraw_noise(dataset: Dataset, spec: DataSpec, seed: int, epoch: int) -> None:
    """Overwrite the training inputs in place by the clean inputs with this epoch's noise.

    Epoch 0 has the noise that `load_data` drew. Without noise nothing changes.
    """
    split = dataset.uncropped or dataset.train
    _add_noise(split, dataset.input_ranges, spec, seed, "train", epoch)
    if dataset.uncropped is not None and spec.noise is not None:
        for k, x in _crop(dataset.uncropped.inputs, dataset.info).items():
            np.copyto(dataset.train.inputs[k], x)


def augmented_batches(
    dataset: Dataset, spec: DataSpec, seed: int, targets: Mapping[str, str]
) -> AugmentedBatches | None:
    """Batches of the augmented training split, None where no augmentation is random.

    `targets` maps each graph input that takes a clean input as its target to that input's name;
    both get the same changes. Noise was added before, and moves with the image.
    """
    if not any(augmentation.draws for augmentation in spec.augment):
        return None
    split, shapes = dataset.uncropped or dataset.train, dataset.info.inputs
    arrays = {name: (name, x) for name, x in split.inputs.items()}
    arrays |= {name: (source, split.clean[source]) for name, source in targets.items()}
    inputs = {
        name: AugmentedInput(source, x, dataset.image_sizes[source], shapes[source])
        for name, (source, x) in arrays.items()
        if source in dataset.image_sizes
    }
    return AugmentedBatches(spec.augment, inputs, seed)


def prepare_inputs(
    inputs: dict[str, Array], info: DatasetInfo, scaler: InputScalers | None
) -> dict[str, Array]:
    """Raw inputs (n, ...) → inputs for evaluation, float32 (n, *shape), C-contiguous."""
    return _crop(_scaled(inputs, info, scaler), info)


def to_source_units(outputs: Array, info: DatasetInfo, scaler: InputScalers | None) -> Array | None:
    """Reconstructions (n, *shape) of the one input, with its scaling undone.

    None where that is impossible: for a crop of whitened images.
    """
    name = next(iter(info.inputs))
    if scaler is None:
        return outputs
    fitted = scaler.inputs[name]
    if name not in info.crops:
        return fitted.inverse(outputs)
    if not isinstance(fitted, AffineScaler):
        return None
    raw_size, (height, width, channels) = info.crops[name]
    if fitted.shift.size > channels:  # one number per pixel of the image before its crop
        images = (values.reshape(1, *raw_size) for values in (fitted.shift, fitted.scale))
        cropped = (center_crop(values, height, width).reshape(-1) for values in images)
        fitted = AffineScaler(*cropped)
    return fitted.inverse(outputs)


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
    raw_size, _ = info.crops[name]
    return raw_size if len(info.inputs[name]) == 3 else (math.prod(raw_size),)


def _cropped(split: Split, info: DatasetInfo) -> Split:
    """The split as evaluation gets it; the same object where nothing is cropped."""
    if not info.crops:
        return split
    clean = _crop(split.clean, info)
    noisy = clean if split.inputs is split.clean else _crop(split.inputs, info)
    return replace(split, inputs=noisy, clean=clean)


def _crop(inputs: dict[str, Array], info: DatasetInfo) -> dict[str, Array]:
    cropped = dict(inputs)
    for k, (raw_size, (height, width, _)) in info.crops.items():
        x = inputs[k].reshape(-1, *raw_size)
        cropped[k] = center_crop(x, height, width).reshape(-1, *info.inputs[k])
    return cropped


def _add_noise(
    split: Split,
    ranges: dict[str, ValueRange],
    spec: DataSpec,
    seed: int,
    name: str,
    epoch: int = 0,
) -> None:
    if spec.noise is None:
        return
    if split.inputs is split.clean:
        split.inputs = {k: np.empty_like(x) for k, x in split.clean.items()}
    for k, clean in split.clean.items():
        rng = stream(seed, "data", "noise", name, k, epoch)
        spec.noise.apply(clean, split.inputs[k], rng, ranges[k])


def _image_sizes(info: DatasetInfo) -> dict[str, ImageSize]:
    sizes = {name: info.image_size(name) for name in info.inputs}
    return {name: size for name, size in sizes.items() if size is not None}


def _select_targets(raw: RawDataset, rows: Array) -> tuple[Array | None, dict[str, Array]]:
    """`rows` of the targets and of the extra targets: int64 class indices or float32 values."""
    arrays = {"": raw.targets, **raw.extra_targets}
    selected = {k: values[rows] for k, values in arrays.items() if values is not None}
    selected = {k: y if y.dtype == np.int64 else y.astype(np.float32) for k, y in selected.items()}
    return selected.pop("", None), selected


def _input_range(x: Array, is_image: bool) -> ValueRange:
    """The minimum and the maximum of x (n, ...): of all pixels, or of each feature."""
    axis = None if is_image else 0
    return np.asarray(x.min(axis=axis)), np.asarray(x.max(axis=axis))


def _prepared_info(raw: DatasetInfo, spec: DataSpec) -> DatasetInfo:
    """The description of the inputs as the network gets them: cropped, flat or as images."""
    raw_sizes = _image_sizes(raw)
    if spec.shape == "image" and not raw_sizes:
        raise DataError(
            "shape: image needs images, and the inputs are none; use shape: flat", "shape"
        )
    sizes = _augmented_sizes(raw_sizes, spec)
    shapes: dict[str, Shape] = {k: sizes.get(k, shape) for k, shape in raw.inputs.items()}
    if spec.shape != "image":
        shapes = {k: (math.prod(shape),) for k, shape in shapes.items()}
    crops = {k: (raw_sizes[k], size) for k, size in sizes.items() if size != raw_sizes[k]}
    image = sizes["x"] if raw.image is not None else None
    flat = {k: size for k, size in sizes.items() if k != "x" and spec.shape != "image"}
    return replace(raw, inputs=shapes, image=image, crops=crops, flat_images=flat)


def _augmented_sizes(images: dict[str, ImageSize], spec: DataSpec) -> dict[str, ImageSize]:
    """The images' sizes after all augmentation. Raises DataError at the one that does not fit."""
    if spec.augment and not images:
        raise DataError("augment needs images, and the inputs are none", "augment")
    sizes = dict(images)
    for i, augmentation in enumerate(spec.augment):
        for name, size in sizes.items():
            try:
                sizes[name] = augmentation.output_size(size)
            except ValueError as error:
                raise DataError(str(error), f"augment.{i}") from error
    return sizes
