"""Samples from the user's NPZ file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from ldl.arrays import Array, Shape
from ldl.data.data_errors import quoted
from ldl.data.data_folders import file_stamp
from ldl.data.dataset import (
    MAX_FLOAT32,
    DatasetInfo,
    ProgressCallback,
    RawDataset,
    Target,
    image_size_of_shape,
)
from ldl.data.npz import ArrayHeader, read_arrays, read_headers
from ldl.errors import DataError, SettingError
from ldl.fields import Doc, FilePath

CHECKED_VALUES = 2**18  # at once
SPLIT_SUFFIXES = ("_train", "_test")
StoredKeys = dict[str, tuple[str, ...]]  # key → the file's keys that hold its rows


@dataclass(frozen=True)
class Npz:
    """The arrays of an NPZ file, a sample per row: inputs (n,), (n, d), (n, H, W) or (n, H, W, C).

    A key KEY that is absent is read from KEY_train and, as an official test set, KEY_test. One
    input is called "x" whatever its key; several keep their keys. Targets of text, whole numbers or
    booleans are classes, named by their sorted values; floats are values, (n,) or (n, k).
    """

    path: Annotated[str, FilePath()]
    inputs: str | tuple[str, ...] = "x"
    target: Annotated[str | None, Doc('null: "y", if the file has it')] = None
    task: Literal["classes", "values"] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.inputs, list):
            object.__setattr__(self, "inputs", tuple(self.inputs))
        if not self.keys:
            raise SettingError("inputs", "name at least one array")
        if len(set(self.keys)) < len(self.keys):
            raise SettingError("inputs", "an array is named twice")
        if self.target in self.keys:
            raise SettingError("target", f'"{self.target}" is an input already')

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the inputs."""
        return (self.inputs,) if isinstance(self.inputs, str) else self.inputs

    def describe(self) -> DatasetInfo:
        """Reads the inputs' headers and the targets, not the inputs."""
        return _scan(self, file_stamp(Path(self.path))).info

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """All arrays. Raises DataError where one is damaged, not finite or of a wrong size."""
        path = Path(self.path)
        scan = _scan(self, file_stamp(path))
        inputs = _read_rows(path, scan.inputs)
        for key, x in inputs.items():
            check_finite(path, key, x)
        inputs = {k: x.reshape(len(x), -1) if x.ndim == 1 else x for k, x in inputs.items()}
        names = dict(zip(inputs, scan.info.inputs, strict=True))
        return RawDataset(scan.info, {names[k]: x for k, x in inputs.items()}, scan.targets)


@dataclass(frozen=True)
class _Scan:
    """The result of `describe`, with what `read` needs beside it."""

    info: DatasetInfo
    inputs: StoredKeys
    targets: Array | None


@lru_cache(maxsize=4)
def _scan(source: Npz, stamp: object) -> _Scan:
    """The description of a file; another `stamp`, for another content, reads it again."""
    path = Path(source.path)
    headers = read_headers(path)
    inputs = {key: _stored_keys(path, headers, key) for key in source.keys}
    label = _target_key(source, headers)
    targets = {} if label is None else {label: _stored_keys(path, headers, label)}
    samples, official_test = _sample_counts(path, headers, {**inputs, **targets})
    shapes = {key: _sample_shape(path, headers, key, stored) for key, stored in inputs.items()}
    if len(shapes) == 1:
        shapes = {"x": next(iter(shapes.values()))}
    image = image_size_of_shape(shapes["x"]) if len(shapes) == 1 else None
    target, y = Target("none"), None
    if label is not None:
        target, y = _parse_target(source, path, label, _read_rows(path, targets)[label])
    elif source.task is not None:
        raise DataError(f'{path}: there is no "y" for the task {source.task}; name the target')
    return _Scan(DatasetInfo(shapes, target, image, samples, official_test), inputs, y)


def _target_key(source: Npz, headers: dict[str, ArrayHeader]) -> str | None:
    """The key of the setting `target`, else "y" where the file has it and it is no input."""
    if source.target is not None:
        return source.target
    has_y = "y" in headers or "y" + SPLIT_SUFFIXES[0] in headers
    return "y" if has_y and "y" not in source.keys else None


def _stored_keys(path: Path, headers: dict[str, ArrayHeader], key: str) -> tuple[str, ...]:
    if key in headers:
        return (key,)
    stored = tuple(key + suffix for suffix in SPLIT_SUFFIXES if key + suffix in headers)
    if key + SPLIT_SUFFIXES[0] not in stored:
        raise DataError(f'{path}: there is no array "{key}"; the arrays are {quoted([*headers])}')
    return stored


def _sample_counts(
    path: Path, headers: dict[str, ArrayHeader], keys: StoredKeys
) -> tuple[int, int]:
    """The number of samples, and how many of them are the official test set."""
    counts = {
        key: tuple((headers[name].shape or (0,))[0] for name in stored)
        for key, stored in keys.items()
    }
    if len(set(counts.values())) > 1:
        text = ", ".join(f'"{k}" {" + ".join(map(str, c))}' for k, c in counts.items())
        raise DataError(f"{path}: the arrays have different numbers of samples: {text}")
    (rows, *_) = counts.values()
    if 0 in rows:
        raise DataError(f'{path}: "{next(iter(counts))}" holds no samples')
    return sum(rows), sum(rows[1:])


def _sample_shape(
    path: Path, headers: dict[str, ArrayHeader], key: str, stored: tuple[str, ...]
) -> Shape:
    """The shape of a sample, the same in all arrays of a key."""
    shapes = {name: _checked_shape(path, name, headers[name]) for name in stored}
    if len(set(shapes.values())) > 1:
        text = ", ".join(f'{shape} in "{name}"' for name, shape in shapes.items())
        raise DataError(f'{path}: the arrays of "{key}" have samples of different shapes: {text}')
    return shapes[stored[0]]


def _checked_shape(path: Path, key: str, header: ArrayHeader) -> Shape:
    if header.dtype.kind not in "biuf":
        raise DataError(f'{path}: "{key}" is of type {header.dtype}; inputs are real numbers')
    if len(header.shape) > 4 or 0 in header.shape[1:]:
        raise DataError(
            f'{path}: "{key}" is of shape {header.shape}; '
            "inputs are (n,), (n, d), (n, H, W) or (n, H, W, C)"
        )
    return header.shape[1:] or (1,)


def _read_rows(path: Path, keys: StoredKeys) -> dict[str, Array]:
    """Each key's rows, training rows first."""
    arrays = read_arrays(path, [name for stored in keys.values() for name in stored])
    for key, stored in keys.items():
        if len({arrays[name].shape[1:] for name in stored}) > 1:
            text = " and ".join(f'"{name}" {arrays[name].shape}' for name in stored)
            raise DataError(f'{path}: the arrays of "{key}" have different shapes: {text}')
    return {
        key: arrays[stored[0]]
        if len(stored) == 1
        else np.concatenate([arrays[name] for name in stored])
        for key, stored in keys.items()
    }


def _parse_target(source: Npz, path: Path, key: str, y: Array) -> tuple[Target, Array]:
    """The target of an array: int64 (n,) class indices or float64 (n, k) values."""
    if y.dtype.kind not in "biufUS":
        raise DataError(f'{path}: "{key}" is of type {y.dtype}; targets are numbers or text')
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    task = source.task or ("values" if y.dtype.kind == "f" or y.ndim == 2 else "classes")
    if task == "classes":
        if y.ndim != 1:
            raise DataError(f'{path}: "{key}" is of shape {y.shape}; classes are (n,)')
        if y.dtype.kind == "f":
            check_finite(path, key, y)
        values, indices = np.unique(y, return_inverse=True)
        return Target("classes", class_names(values), key), indices.astype(np.int64)
    if y.ndim not in (1, 2) or y.dtype.kind in "US":
        raise DataError(f'{path}: "{key}", {y.dtype} {y.shape}, must be numbers, (n,) or (n, k)')
    check_finite(path, key, y)
    y = y.reshape(len(y), -1).astype(np.float64)
    count = y.shape[1]
    return Target("values", (key,) if count == 1 else tuple(f"{key}{i}" for i in range(count))), y


def class_names(values: Array) -> tuple[str, ...]:
    """The values of a target array as text, whole floats without a decimal point."""
    return tuple(
        value.decode("utf-8", "replace")
        if isinstance(value, bytes)
        else str(int(value) if isinstance(value, float) and value.is_integer() else value)
        for value in values.tolist()
    )


def check_finite(path: Path, key: str, x: Array) -> None:
    """Raise DataError where a number is NaN, infinite or too large for 32-bit floats."""
    if x.dtype.kind != "f":
        return
    count, first = 0, [0]
    rows = max(1, CHECKED_VALUES * len(x) // max(x.size, 1))
    for start in range(0, len(x), rows):  # not all at once, which would need twice the memory
        part = x[start : start + rows]
        magnitude = np.abs(part, dtype=np.promote_types(x.dtype, np.float32))
        invalid = ~(np.isfinite(part) & (magnitude <= MAX_FLOAT32))
        if not count and invalid.any():
            index = [int(i) for i in np.argwhere(invalid)[0]]
            first = [start + index[0], *index[1:]]
        count += int(invalid.sum())
    if count:
        raise DataError(
            f'{path}: "{key}" has {count} values that are not finite 32-bit numbers, '
            f"the first {x[tuple(first)]} at {first}; remove those samples"
        )
