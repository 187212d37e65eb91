"""New samples for a trained network, read from a file and checked against the training data."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ldl.arrays import Array, ImageSize, Shape
from ldl.data.csv_table import (
    CellProblem,
    CsvTable,
    check_columns,
    parse_numbers,
    raise_cell_problems,
    read_csv_table,
)
from ldl.data.data_errors import quoted
from ldl.data.dataset import DatasetInfo
from ldl.data.npz import read_arrays, read_headers
from ldl.data.pipeline import prepare_inputs
from ldl.data.scalers import InputScalers
from ldl.data.sources.csv_file import CELL_HINT, class_indices
from ldl.data.sources.npz_file import check_finite, class_names
from ldl.errors import DataError

TABLE_SUFFIXES = ("", ".csv", ".tsv", ".txt", ".dat", ".data")


@dataclass(frozen=True)
class NewSamples:
    """Samples ready for the network: inputs float32 (n, *shape)."""

    inputs: dict[str, Array]
    targets: Array | None  # int64 (n,) class indices, float32 (n, k) values, or None


def read_new_samples(
    path: Path, info: DatasetInfo, scaler: InputScalers | None = None, delimiter: str = ","
) -> NewSamples:
    """Samples from a CSV or NPZ file in the units of the training data, scaled for its network.

    The columns of a CSV file are taken by the names in the training data, and others are ignored.
    Training data without column names takes x1, x2 and so on, or else all columns except the
    targets in their order. An NPZ file holds an array for each input; for one input it may have any
    key. Targets are read where the file has them. Raises DataError, with line and column for CSV.
    """
    _check_suffix(path, info)
    if path.suffix.lower() == ".npz":
        raw, targets = _from_npz(path, info)
    else:
        hint = f"{{}} seems to separate them: replace it by {json.dumps(delimiter)}"
        raw, targets = _from_csv(read_csv_table(path, delimiter, hint), info)
    if targets is not None and info.target.kind == "values":
        targets = targets.astype(np.float32)
    return NewSamples(prepare_inputs(raw, info, scaler), targets)


def _check_suffix(path: Path, info: DatasetInfo) -> None:
    """Raise DataError for a folder, an image and other files without a table or arrays."""
    if not path.is_dir() and path.suffix.lower() in (".npz", *TABLE_SUFFIXES):
        return
    kind = "a folder" if path.is_dir() else f'a file that ends in "{path.suffix}"'
    raise DataError(
        f"{path}: {kind} cannot be read; new samples come in a .csv or .npz file{_image_hint(info)}"
    )


def _image_hint(info: DatasetInfo) -> str:
    """How to pass images, where the network takes them."""
    image = _raw_image_size(info, "x") if "x" in info.inputs else None
    if image is None:
        return ""
    size = ", ".join(map(str, image))
    return (
        f"\n  put images into an npz file, as an array (n, {size}) of n images: height, width, "
        "channels, with unscaled values like those of the training images"
    )


def _from_csv(table: CsvTable, info: DatasetInfo) -> tuple[dict[str, Array], Array | None]:
    if len(info.inputs) > 1:
        raise DataError(f"{table.path}: {len(info.inputs)} inputs are needed; give them as npz")
    labels = (info.target.label,) if info.target.kind == "classes" else info.target.names
    features = _feature_columns(table, info, labels)
    check_columns(table, features, "the network's inputs")
    size = math.prod(_raw_shape(info, "x"))
    if len(features) != size:
        raise DataError(
            f"{table.path}: {len(features)} columns of inputs, where the network takes {size}; "
            f"the columns are {quoted(table.header)}"
        )
    problems: list[CellProblem] = []
    x = parse_numbers(table, features, problems)
    targets = None
    if labels and set(labels) <= set(table.header):
        if info.target.kind == "classes":
            targets = class_indices(table, info.target, problems)
        else:
            targets = parse_numbers(table, labels, problems)
    raise_cell_problems(table.path, problems, CELL_HINT)
    return {"x": x}, targets


def _feature_columns(
    table: CsvTable, info: DatasetInfo, labels: tuple[str, ...]
) -> tuple[str, ...]:
    if info.features:
        return info.features
    size = math.prod(_raw_shape(info, "x"))
    numbered = tuple(f"x{i + 1}" for i in range(size)) if size > 1 else ("x",)
    if set(numbered) <= set(table.header):
        return numbered
    return tuple(name for name in table.header if name not in labels)


def _from_npz(path: Path, info: DatasetInfo) -> tuple[dict[str, Array], Array | None]:
    headers = read_headers(path)
    label = _label_key(info)
    keys = {name: name for name in info.inputs}
    unlabelled = [key for key in headers if key != label]
    if list(info.inputs) == ["x"] and "x" not in headers and len(unlabelled) == 1:
        keys["x"] = unlabelled[0]
    absent = [key for key in keys.values() if key not in headers]
    if absent:
        raise DataError(
            f"{path}: there is no array {quoted(absent)}; the arrays are {quoted([*headers])}"
        )
    has_label = label in headers and label not in keys.values()
    arrays = read_arrays(path, [*keys.values(), *[label] * has_label])
    lengths = {key: array.shape[:1] for key, array in arrays.items()}
    if len(set(lengths.values())) > 1 or () in lengths.values() or (0,) in lengths.values():
        text = ", ".join(f'"{key}" {arrays[key].shape}' for key in arrays)
        raise DataError(f"{path}: each array needs the same number of samples, not {text}")
    for name, key in keys.items():
        _check_input(path, key, arrays[key], info, name)
    inputs = {name: arrays[key] for name, key in keys.items()}
    return inputs, _parse_targets(path, label, arrays[label], info) if has_label else None


def _label_key(info: DatasetInfo) -> str:
    """The key of the targets: as in the training file, else "y"."""
    if info.target.kind == "values" and info.target.size == 1:
        return info.target.names[0]
    return info.target.label if info.target.label != "class" else "y"


def _raw_shape(info: DatasetInfo, name: str) -> Shape:
    """The shape of a sample in the file, before any crop."""
    return info.crops[name][0] if name in info.crops else info.inputs[name]


def _raw_image_size(info: DatasetInfo, name: str) -> ImageSize | None:
    """The input's size as an image before any crop, None where it is no image."""
    return info.crops[name][0] if name in info.crops else info.image_size(name)


def _check_input(path: Path, key: str, x: Array, info: DatasetInfo, name: str) -> None:
    expected, image = _raw_shape(info, name), _raw_image_size(info, name)
    if x.dtype.kind not in "biuf":
        raise DataError(f'{path}: "{key}" is of type {x.dtype}; inputs are real numbers')
    shape: Shape = x.shape[1:] or (1,)
    layouts = [expected, (math.prod(expected),)]
    if image is not None:
        layouts += [image, image[:2]] if image[2] == 1 else [image]
    if shape not in layouts:
        flat = "" if len(expected) == 1 and image is None else " or flat"
        raise DataError(
            f'{path}: "{key}" has samples of shape {shape}, where the network takes '
            f"{image or expected}{flat}, {math.prod(expected)} numbers{_layout_hint(shape, image)}"
        )
    check_finite(path, key, x)


def _layout_hint(shape: Shape, image: ImageSize | None) -> str:
    """The remedy for images with their channels first."""
    if image is None or shape != (image[2], image[0], image[1]):
        return ""
    return "\n  put the channels last: array.transpose(0, 2, 3, 1)"


def _parse_targets(path: Path, key: str, y: Array, info: DatasetInfo) -> Array:
    if info.target.kind == "classes":
        index_of = {name: i for i, name in enumerate(info.target.names)}
        names = class_names(y.reshape(len(y), -1)[:, 0])
        unknown = sorted(set(names) - set(index_of))
        if y.size != len(y) or unknown:
            problem = f"unknown classes {quoted(unknown)}" if unknown else f"shape {y.shape}"
            raise DataError(
                f'{path}: "{key}": {problem}; the classes are {quoted(info.target.names)}'
            )
        return np.array([index_of[name] for name in names], np.int64)
    if y.dtype.kind not in "biuf" or y[0].size != info.target.size:
        raise DataError(f'{path}: "{key}", {y.dtype} {y.shape}, is not {info.target.size} values')
    check_finite(path, key, y)
    return y.reshape(len(y), -1).astype(np.float64)
