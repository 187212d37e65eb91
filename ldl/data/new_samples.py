"""New samples for a trained network: read and checked as the training data was, then scaled."""

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
    need_columns,
    numbers,
    quoted,
    read_table,
    refuse,
)
from ldl.data.dataset import DatasetInfo
from ldl.data.npz import read_arrays, read_headers
from ldl.data.pipeline import prepare_inputs
from ldl.data.scalers import InputScalers
from ldl.data.sources.csv_file import ADVICE, class_indices
from ldl.data.sources.npz_file import check_finite, class_names
from ldl.errors import DataError

TABLES = ("", ".csv", ".tsv", ".txt", ".dat", ".data")  # endings of what may be a table of text


@dataclass(frozen=True)
class NewSamples:
    """What `read_new_samples` gives: inputs float32 (n, *shape), ready for the network."""

    inputs: dict[str, Array]
    targets: Array | None  # int64 (n,) class indices, float32 (n, k) values, or None


def read_new_samples(
    path: Path, info: DatasetInfo, scaler: InputScalers | None = None, delimiter: str = ","
) -> NewSamples:
    """Samples from a CSV or NPZ file in the units of the training data, for `info`'s network.

    A CSV file's columns are taken by the names that the data set has, others are left aside; of a
    data set without column names all columns but the target's are taken, in their order, but where
    they are called x1, x2 and so on. An NPZ file holds an array for each input, or one array,
    whatever its key, for one input. Targets are read where the file has them. Raises DataError,
    with line and column for CSV.
    """
    _check_kind(path, info)
    if path.suffix.lower() == ".npz":
        raw, targets = _from_npz(path, info)
    else:
        advice = f"{{}} seems to separate them: write {json.dumps(delimiter)} in its place"
        raw, targets = _from_csv(read_table(path, delimiter, advice), info)
    if targets is not None and info.target.kind == "values":
        targets = targets.astype(np.float32)
    return NewSamples(prepare_inputs(raw, info, scaler), targets)


def _check_kind(path: Path, info: DatasetInfo) -> None:
    """DataError for a folder, a picture and other files that hold no table and no arrays."""
    if not path.is_dir() and path.suffix.lower() in (".npz", *TABLES):
        return
    what = "a folder" if path.is_dir() else f'a file that ends in "{path.suffix}"'
    raise DataError(
        f"{path}: {what} cannot be read; new samples come in a .csv or .npz file{_pictures(info)}"
    )


def _pictures(info: DatasetInfo) -> str:
    """How pictures come, where the network takes some."""
    picture = _picture(info, "x") if "x" in info.inputs else None
    if picture is None:
        return ""
    size = ", ".join(map(str, picture))
    return (
        f"\n  put pictures into an npz file, as an array (n, {size}) of n pictures: height, "
        "width, channels, with values as the training pictures had them, not scaled"
    )


def _from_csv(table: CsvTable, info: DatasetInfo) -> tuple[dict[str, Array], Array | None]:
    if len(info.inputs) > 1:
        raise DataError(f"{table.path}: {len(info.inputs)} inputs are needed; give them as npz")
    wanted = (info.target.label,) if info.target.kind == "classes" else info.target.names
    labelled = bool(wanted) and all(name in table.header for name in wanted)
    features = _columns(table, info, wanted)
    need_columns(table, features, "the network's inputs")
    size = math.prod(_shape(info, "x"))
    if len(features) != size:
        raise DataError(
            f"{table.path}: {len(features)} columns of inputs, where the network takes {size}; "
            f"the columns are {quoted(table.header)}"
        )
    faults: list[CellProblem] = []
    x = numbers(table, features, faults)
    targets = None
    if labelled and info.target.kind == "classes":
        targets = class_indices(table, info.target, faults)
    elif labelled:
        targets = numbers(table, wanted, faults)
    refuse(table.path, faults, ADVICE)
    return {"x": x}, targets


def _columns(table: CsvTable, info: DatasetInfo, targets: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of the inputs: by their names, or all in their order where they have none."""
    if info.features:
        return info.features
    size = math.prod(_shape(info, "x"))
    usual = tuple(f"x{i + 1}" for i in range(size)) if size > 1 else ("x",)
    if set(usual) <= set(table.header):
        return usual
    return tuple(name for name in table.header if name not in targets)


def _from_npz(path: Path, info: DatasetInfo) -> tuple[dict[str, Array], Array | None]:
    headers = read_headers(path)
    label = _npz_label(info)
    keys = {name: name for name in info.inputs}
    others = [key for key in headers if key != label]
    if list(info.inputs) == ["x"] and "x" not in headers and len(others) == 1:
        keys["x"] = others[0]
    absent = [key for key in keys.values() if key not in headers]
    if absent:
        raise DataError(
            f"{path}: there is no array {quoted(absent)}; the arrays are {quoted([*headers])}"
        )
    labelled = label in headers and label not in keys.values()
    arrays = read_arrays(path, [*keys.values(), *[label] * labelled])
    lengths = {key: array.shape[:1] for key, array in arrays.items()}
    if len(set(lengths.values())) > 1 or () in lengths.values() or (0,) in lengths.values():
        text = ", ".join(f'"{key}" {arrays[key].shape}' for key in arrays)
        raise DataError(f"{path}: each array needs the same number of samples, not {text}")
    inputs = {name: _input(path, key, arrays[key], info, name) for name, key in keys.items()}
    return inputs, _npz_targets(path, label, arrays[label], info) if labelled else None


def _npz_label(info: DatasetInfo) -> str:
    """The key of the targets: as in the training file, else "y"."""
    if info.target.kind == "values" and info.target.size == 1:
        return info.target.names[0]
    return info.target.label if info.target.label != "class" else "y"


def _shape(info: DatasetInfo, name: str) -> Shape:
    """A sample as it is read: a picture that is cropped is given whole."""
    return info.crops[name][0] if name in info.crops else info.inputs[name]


def _input(path: Path, key: str, x: Array, info: DatasetInfo, name: str) -> Array:
    shape = _shape(info, name)
    if x.dtype.kind not in "biuf":
        raise DataError(f'{path}: "{key}" is of type {x.dtype}; inputs are real numbers')
    given: Shape = x.shape[1:] or (1,)
    if given not in _layouts(info, name):
        picture = _picture(info, name)
        flat = "" if len(shape) == 1 and picture is None else " or flat"
        raise DataError(
            f'{path}: "{key}" has samples of shape {given}, where the network takes '
            f"{picture or shape}{flat}, {math.prod(shape)} numbers{_turned(given, picture)}"
        )
    check_finite(path, key, x)
    return x


def _picture(info: DatasetInfo, name: str) -> ImageSize | None:
    """The input's size as a picture before any crop, None where it is none or not known."""
    return info.crops[name][0] if name in info.crops else info.image_size(name)


def _layouts(info: DatasetInfo, name: str) -> list[Shape]:
    """The shapes in which a sample may come: its own, flat, or as the picture that it is."""
    shape, picture = _shape(info, name), _picture(info, name)
    layouts = [shape, (math.prod(shape),)]
    if picture is not None:
        layouts += [picture, picture[:2]] if picture[2] == 1 else [picture]
    return layouts


def _turned(given: Shape, picture: ImageSize | None) -> str:
    """Advice on pictures whose channels come first."""
    if picture is None or given != (picture[2], picture[0], picture[1]):
        return ""
    return "\n  put the channels last: array.transpose(0, 2, 3, 1)"


def _npz_targets(path: Path, key: str, y: Array, info: DatasetInfo) -> Array:
    if info.target.kind == "classes":
        place = {name: i for i, name in enumerate(info.target.names)}
        names = class_names(y.reshape(len(y), -1)[:, 0])
        unknown = sorted(set(names) - set(place))
        if y.size != len(y) or unknown:
            what = f"unknown classes {quoted(unknown)}" if unknown else f"shape {y.shape}"
            raise DataError(f'{path}: "{key}": {what}; known: {quoted(info.target.names)}')
        return np.array([place[name] for name in names], np.int64)
    if y.dtype.kind not in "biuf" or y[0].size != info.target.size:
        raise DataError(f'{path}: "{key}", {y.dtype} {y.shape}, is not {info.target.size} values')
    check_finite(path, key, y)
    return y.reshape(len(y), -1).astype(np.float64)
