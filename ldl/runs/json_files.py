"""JSON files: strict JSON whatever the numbers, floats that come back bit for bit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from ldl.atomic_file import write_bytes
from ldl.errors import RunFolderError


def non_finite_name(number: float) -> str:
    """NaN, Infinity or -Infinity, a string where JSON has no number, as Protocol Buffers write it.

    Source: ProtoJSON format, float and double. A null would hide which of the three it was.
    """
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def to_json_types(value: Any, odd: Callable[[float], Any] = non_finite_name) -> Any:
    """`value` in JSON's own types; NumPy's arrays and scalars are unpacked, `odd` says the rest.

    Raises `TypeError` for what JSON cannot say, before anything is written.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else odd(float(value))
    if isinstance(value, Mapping):
        return {_key(key): to_json_types(item, odd) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json_types(item, odd) for item in value]
    if isinstance(value, PathLike):
        return str(value)
    if hasattr(value, "tolist"):
        return to_json_types(value.tolist(), odd)
    raise TypeError(f"JSON has no word for a {type(value).__name__}")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise TypeError(f"a key in JSON is a string, not a {type(key).__name__}")


def to_json(value: Any) -> bytes:
    """`value` as JSON, keys in their own order, so equal values give equal bytes."""
    text = json.dumps(to_json_types(value), ensure_ascii=False, allow_nan=False, indent=2)
    # A file name that is not UTF-8 reaches argv as lone surrogates; JSON has escapes for them.
    return (text + "\n").encode("utf-8", "backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Write `to_json` of `value` atomically."""
    write_bytes(path, to_json(value))


def read_json(path: Path) -> Any:
    """What `write_json` wrote; raises `RunFolderError` when it is missing or not JSON."""
    try:
        return json.loads(path.read_text("utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RunFolderError(f"{path} is damaged: not valid JSON ({error})") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def dump_state(state: Mapping[str, Any]) -> str:
    """One line of JSON with sorted keys: equal states give equal bytes, infinities return."""
    exact = to_json_types(state, lambda number: {"$float": non_finite_name(number)})
    return json.dumps(exact, allow_nan=False, sort_keys=True, separators=(",", ":"))


def load_state(text: str) -> dict[str, Any]:
    """What `dump_state` was given, tuples as lists; `ValueError` when it is something else."""
    state = json.loads(text, object_hook=_restore)
    if not isinstance(state, dict):
        raise ValueError("not a mapping")
    return state


def _restore(pairs: dict[str, Any]) -> Any:
    return float(pairs["$float"]) if pairs.keys() == {"$float"} else pairs
