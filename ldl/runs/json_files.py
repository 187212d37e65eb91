"""JSON files: strict JSON for any numbers, and floats that are read back bit for bit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Final

from ldl.atomic_file import write_bytes
from ldl.errors import RunFolderError
from ldl.folder_files import read_text

MAX_DEPTH: Final = 100


def non_finite_name(value: float) -> str:
    """The text "NaN", "Infinity" or "-Infinity" for a float that JSON has no number for.

    Source: ProtoJSON format, float and double. A null would not say which of the three it was.
    """
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def to_json_types(value: Any, encode: Callable[[float], Any] = non_finite_name) -> Any:
    """`value` in the types of JSON; `encode` replaces NaN and infinities.

    NumPy arrays and scalars become lists and numbers, paths become strings. Raises `TypeError`
    for a value that JSON cannot hold.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else encode(float(value))
    if isinstance(value, Mapping):
        return {_json_key(key): to_json_types(item, encode) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json_types(item, encode) for item in value]
    if isinstance(value, PathLike):
        return str(value)
    if hasattr(value, "tolist"):
        return to_json_types(value.tolist(), encode)
    raise TypeError(f"JSON cannot hold a {type(value).__name__}")


def _json_key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise TypeError(f"a JSON key is a string, not a {type(key).__name__}")


def to_json(value: Any) -> bytes:
    """`value` as indented JSON. Keys keep their order, so equal values give equal bytes."""
    text = json.dumps(to_json_types(value), ensure_ascii=False, indent=2)
    # A file name that is not UTF-8 is in argv as lone surrogates; JSON escapes hold them.
    return (text + "\n").encode("utf-8", "backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Write `to_json(value)` atomically."""
    write_bytes(path, to_json(value))


def read_json(path: Path) -> Any:
    """The value that `write_json` wrote. Raises `RunFolderError` for a missing or damaged file."""
    try:
        value = json.loads(read_text(path), parse_constant=_refuse_constant)
        _check_depth(value, MAX_DEPTH)
        return value
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RunFolderError(f"{path} is damaged: not valid JSON ({error})") from error


def read_mapping(path: Path) -> dict[str, Any]:
    """`read_json` of a mapping. Raises `RunFolderError` for another value too."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise RunFolderError(f"{path} is damaged: not a mapping")
    return value


def is_number(value: Any) -> bool:
    """Whether a JSON value is a finite number that a float can hold."""
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and abs(value) < 1e300


def _check_depth(value: Any, depth: int) -> None:
    """Raise ValueError where lists and mappings are nested deeper, which recursion cannot walk."""
    if isinstance(value, dict | list):
        if depth == 0:
            raise ValueError(f"nested more than {MAX_DEPTH} deep")
        for item in value.values() if isinstance(value, dict) else value:
            _check_depth(item, depth - 1)


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def dump_state(state: Mapping[str, Any]) -> str:
    """One line of JSON with sorted keys, from which `load_state` restores NaN and infinities too.

    Equal states give equal text.
    """
    exact = to_json_types(state, lambda number: {"$float": non_finite_name(number)})
    return json.dumps(exact, sort_keys=True, separators=(",", ":"))


def load_state(text: str) -> dict[str, Any]:
    """The state that `dump_state` wrote, tuples as lists. Raises `ValueError` for other text."""
    state = json.loads(text, object_hook=_restore_float)
    if not isinstance(state, dict):
        raise ValueError("not a mapping")
    return state


def _restore_float(pairs: dict[str, Any]) -> Any:
    return float(pairs["$float"]) if pairs.keys() == {"$float"} else pairs
