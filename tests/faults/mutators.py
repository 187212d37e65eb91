"""Random changes of texts, JSON values and bytes."""

from __future__ import annotations

import json
import random
from typing import Any

ODD_WORDS = (
    "", "~", "null", "true", "-1", "0", "1e309", "-0.0", ".nan", "0x10", "1_000", "9" * 20, "[]",
    "{}", "[[[[1]]]]", "{a: 1}", "*x", "&x 1", "!!python/object:os.system x", "'", '"', ": :",
    "linear", "linear: {units: -3}", "- -", "<<", "|", ">", "%", "@", "\x00", "\u202e", "\ud800",
    "é" * 300, "../../etc/passwd", "mirror", "same: encoder", "from: [a, a]", "1e-400", "1:30",
)  # fmt: skip
ODD_VALUES = (
    None, True, False, 0, -1, 2**70, 1e308, "", "x", "NaN", "\x1b[31m", [], {}, [[]], [None],
    {"": 0}, {"a": {"b": [1, "c"]}}, "9" * 5000,
)  # fmt: skip


def mutate_text(rng: random.Random, text: str) -> str:
    """YAML or CSV with one to three changes of lines, words or characters."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        lines = text.split("\n")
        i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        kind = rng.choice(
            ("word", "word", "word", "value", "delete", "copy", "swap", "indent", "bit")
        )
        words = lines[i].split(" ")
        if kind == "word":
            words[rng.randrange(len(words))] = rng.choice(ODD_WORDS)
            lines[i] = " ".join(words)
        elif kind == "value":
            lines[i] = lines[i].partition(":")[0] + ": " + rng.choice(ODD_WORDS)
        elif kind == "delete":
            del lines[i]
        elif kind == "copy":
            lines.insert(j, lines[i])
        elif kind == "swap":
            lines[i], lines[j] = lines[j], lines[i]
        elif kind == "indent":
            lines[i] = " " * rng.randrange(1, 5) + lines[i]
        else:
            at = rng.randrange(len(lines[i]) + 1)
            lines[i] = lines[i][:at] + rng.choice(ODD_WORDS)[:2] + lines[i][at + 1 :]
        text = "\n".join(lines)
    return text


def mutate_json(rng: random.Random, data: bytes) -> bytes:
    """JSON with one value replaced or removed, at any depth."""
    try:
        root = json.loads(data)
    except ValueError:
        return mutate_bytes(rng, data)
    spots = list(_spots(root))
    if not spots or rng.random() < 0.05:
        return json.dumps(rng.choice(ODD_VALUES)).encode()
    owner, key = rng.choice(spots)
    if rng.random() < 0.3:
        del owner[key]
    else:
        owner[key] = rng.choice(ODD_VALUES)
    return json.dumps(root).encode()


def _spots(value: Any) -> Any:
    """(container, key) of every value within `value`."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(pairs):
        yield value, key
        if isinstance(item, dict | list):
            yield from _spots(item)


def mutate_bytes(rng: random.Random, data: bytes) -> bytes:
    """Bytes that are cut, flipped, repeated, emptied or replaced."""
    kind = rng.choice(("cut", "flip", "flip", "flip", "insert", "remove", "empty", "random"))
    at, size = rng.randrange(len(data) + 1), rng.randrange(1, 64)
    if kind == "cut":
        return data[:at]
    if kind == "insert":
        return data[:at] + rng.randbytes(size) + data[at:]
    if kind == "remove":
        return data[:at] + data[at + size :]
    if kind == "empty":
        return b""
    if kind == "random":
        return rng.randbytes(rng.randrange(1, 3000))
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8)) if data else 0):
        # Headers, where formats say what follows, stand at either end.
        position = rng.randrange(min(len(data), rng.choice((16, 200, len(data)))))
        changed[position if rng.random() < 0.7 else -1 - position] = rng.randrange(256)
    return bytes(changed)


def mutate_file(rng: random.Random, name: str, data: bytes) -> bytes:
    """The change that suits the kind of a file, or any change of bytes."""
    if name.endswith(".json") and rng.random() < 0.8:
        return mutate_json(rng, data)
    if name.endswith((".yaml", ".csv", ".sha256")) and rng.random() < 0.7:
        text = mutate_text(rng, data.decode("utf-8", "replace"))
        return text.encode("utf-8", "surrogatepass")
    return mutate_bytes(rng, data)
