"""Samples from an NPZ file of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from ldl.arrays import Array
from ldl.data.csv_table import LARGEST, quoted
from ldl.data.data_folders import stamp
from ldl.data.dataset import DatasetInfo, ProgressCallback, RawDataset, Target
from ldl.data.npz import Member, read_arrays, read_headers
from ldl.errors import DataError, SettingError
from ldl.fields import Doc, FilePath

# Where a key is absent, these two are looked for: the official parts, test samples last.
PARTS = ("_train", "_test")


@dataclass(frozen=True)
class Npz:
    """The arrays of an NPZ file, a sample to a row: inputs (n,), (n, d), (n, H, W) or (n, H, W, C).

    A key KEY that is absent is read from KEY_train and, as an official test part, KEY_test. One
    input is called "x" whatever its key; several keep their keys. Targets of text, whole numbers or
    truth values are classes, named by their sorted values; floats are values, (n,) or (n, k).
    """

    path: Annotated[str, FilePath()]
    inputs: str | tuple[str, ...] = "x"
    target: Annotated[str | None, Doc('null: "y", if it is there')] = None
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
        """The inputs' keys."""
        return (self.inputs,) if isinstance(self.inputs, str) else self.inputs

    def describe(self) -> DatasetInfo:
        """Reads the inputs' headers and the targets, not the inputs."""
        return _scan(self, stamp(Path(self.path))).info

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """All arrays. Raises DataError where one is damaged, not finite or of a wrong size."""
        path = Path(self.path)
        scan = _scan(self, stamp(path))
        inputs = _read(path, scan.inputs)
        for key, x in inputs.items():
            check_finite(path, key, x)
        inputs = {k: x.reshape(len(x), -1) if x.ndim == 1 else x for k, x in inputs.items()}
        names = dict(zip(inputs, scan.info.inputs, strict=True))
        return RawDataset(scan.info, {names[k]: x for k, x in inputs.items()}, scan.targets)


@dataclass(frozen=True)
class _Scan:
    info: DatasetInfo
    inputs: dict[str, tuple[str, ...]]  # key → the keys in the file that its rows come from
    targets: Array | None


@lru_cache(maxsize=4)
def _scan(source: Npz, stamp: object) -> _Scan:
    """`stamp` changes when the file does, so that a changed file is scanned anew."""
    path = Path(source.path)
    headers = read_headers(path)
    inputs = {key: _resolve(path, headers, key) for key in source.keys}
    label = _label(source, headers)
    targets = {} if label is None else {label: _resolve(path, headers, label)}
    samples, official = _rows(path, headers, {**inputs, **targets})
    shapes = {key: _one_shape(path, headers, key, parts) for key, parts in inputs.items()}
    if len(shapes) == 1:
        shapes = {"x": next(iter(shapes.values()))}
    image = picture(shapes["x"]) if len(shapes) == 1 else None
    target, y = Target("none"), None
    if label is not None:
        target, y = _judge(source, path, label, _read(path, targets)[label])
    elif source.task is not None:
        raise DataError(f'{path}: there is no "y" for the task {source.task}; name the target')
    return _Scan(DatasetInfo(shapes, target, image, samples, official), inputs, y)


def _label(source: Npz, headers: dict[str, Member]) -> str | None:
    """The target's key: the one that is named, else "y" where it is there and no input."""
    if source.target is not None:
        return source.target
    there = "y" in headers or "y" + PARTS[0] in headers
    return "y" if there and "y" not in source.keys else None


def picture(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """(H, W) or (H, W, C) as height, width and channels; None for anything else."""
    if len(shape) == 2:
        return (*shape, 1)
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else None


def _resolve(path: Path, headers: dict[str, Member], key: str) -> tuple[str, ...]:
    if key in headers:
        return (key,)
    parts = tuple(key + part for part in PARTS if key + part in headers)
    if key + PARTS[0] not in parts:
        raise DataError(f'{path}: there is no array "{key}"; the arrays are {quoted([*headers])}')
    return parts


def _rows(
    path: Path, headers: dict[str, Member], keys: dict[str, tuple[str, ...]]
) -> tuple[int, int]:
    """How many samples there are, and how many of them are the official test part."""
    counts = {k: tuple((headers[p].shape or (0,))[0] for p in parts) for k, parts in keys.items()}
    if len(set(counts.values())) > 1:
        text = ", ".join(f'"{k}" {" + ".join(map(str, c))}' for k, c in counts.items())
        raise DataError(f"{path}: the arrays have different numbers of samples: {text}")
    (parts, *_) = counts.values()
    if 0 in parts:
        raise DataError(f'{path}: "{next(iter(counts))}" holds no samples')
    return sum(parts), sum(parts[1:])


def _one_shape(
    path: Path, headers: dict[str, Member], key: str, parts: tuple[str, ...]
) -> tuple[int, ...]:
    """The shape of a sample, which all parts of a key share."""
    first, *others = [(part, _sample_shape(path, part, headers[part])) for part in parts]
    for name, shape in others:
        if shape != first[1]:
            both = f'{first[1]} in "{first[0]}", {shape} in "{name}"'
            raise DataError(f'{path}: parts of "{key}" do not fit together: samples are {both}')
    return first[1]


def _sample_shape(path: Path, key: str, member: Member) -> tuple[int, ...]:
    if member.dtype.kind not in "biuf":
        raise DataError(f'{path}: "{key}" is of type {member.dtype}; inputs are real numbers')
    if len(member.shape) > 4 or 0 in member.shape[1:]:
        raise DataError(
            f'{path}: "{key}" is of shape {member.shape}; '
            "inputs are (n,), (n, d), (n, H, W) or (n, H, W, C)"
        )
    return member.shape[1:] or (1,)


def _read(path: Path, keys: dict[str, tuple[str, ...]]) -> dict[str, Array]:
    """Each key's rows; what comes in parts is put together, training rows first."""
    arrays = read_arrays(path, [part for parts in keys.values() for part in parts])
    for key, parts in keys.items():
        shapes = {part: arrays[part].shape[1:] for part in parts}
        if len(set(shapes.values())) > 1:
            text = " and ".join(f'"{part}" {arrays[part].shape}' for part in parts)
            raise DataError(f'{path}: the parts of "{key}" do not fit together: {text}')
    return {
        key: arrays[parts[0]] if len(parts) == 1 else np.concatenate([arrays[p] for p in parts])
        for key, parts in keys.items()
    }


def _judge(source: Npz, path: Path, key: str, y: Array) -> tuple[Target, Array]:
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
        raise DataError(f'{path}: "{key}", {y.dtype} {y.shape}, has to be numbers, (n,) or (n, k)')
    check_finite(path, key, y)
    y = y.reshape(len(y), -1).astype(np.float64)
    count = y.shape[1]
    return Target("values", (key,) if count == 1 else tuple(f"{key}{i}" for i in range(count))), y


def class_names(values: Array) -> tuple[str, ...]:
    """How the values of a target array are written: whole floats without a point."""
    return tuple(
        value.decode("utf-8", "replace")
        if isinstance(value, bytes)
        else str(int(value) if isinstance(value, float) and value.is_integer() else value)
        for value in values.tolist()
    )


def check_finite(path: Path, key: str, x: Array) -> None:
    """DataError where a number is NaN, infinite or no 32-bit float."""
    if x.dtype.kind != "f":
        return
    bad = ~(np.isfinite(x) & (np.abs(x, dtype=np.promote_types(x.dtype, np.float32)) <= LARGEST))
    count = int(bad.sum())
    if count:
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f'{path}: "{key}" has {count} values that are not finite 32-bit numbers, '
            f"the first {x[place]} at {list(place)}; remove those samples"
        )
