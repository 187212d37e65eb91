"""Suggestions for misspelt words, lists of valid ones, and small helpers for messages."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from itertools import islice

_MAX_WORD = 60
_MAX_LISTED = 12
_MAX_NAMES = 300  # bounds the time that a hostile file can take


def nearest(word: str, valid: Iterable[str]) -> str | None:
    """The valid word that was probably meant, or None.

    By difflib's ratio, then by prefix (`activ`), then by initials (`lr` for `learning_rate`).
    """
    valid = list(islice(valid, _MAX_NAMES))
    if not word or len(word) > _MAX_WORD:
        return None
    folded = {name.lower().replace("-", "_"): name for name in reversed(valid)}
    key = word.lower().replace("-", "_")
    close = difflib.get_close_matches(key, folded, n=1, cutoff=0.6)
    if close:
        return folded[close[0]]
    if len(key) < 2:
        return None
    with_prefix = [name for k, name in folded.items() if k.startswith(key)]
    with_initials = [n for k, n in folded.items() if "".join(p[:1] for p in k.split("_")) == key]
    for names in (with_prefix, with_initials):
        if len(names) == 1:
            return names[0]
    return None


def listing(names: Collection[str]) -> str:
    """The names in backticks, sorted, each once; a long list is cut."""
    unique = dict.fromkeys(names)
    names_shown = [f"`{name}`" for name in sorted(islice(unique, _MAX_NAMES))[:_MAX_LISTED]]
    if len(unique) > _MAX_LISTED:
        return f"{', '.join(names_shown)} and {len(unique) - _MAX_LISTED} more"
    return ", ".join(names_shown)


def spelling_hint(word: str, valid: Collection[str], label: str = "valid here") -> str:
    """The hint for an unknown word: "did you mean `x`? LABEL: `x`, `y`"."""
    near = nearest(word, valid)
    head, colon, rest = word.partition(":")
    if colon and head in valid:
        return f"a space is missing after the colon: `{head}: {rest}`"
    listed = f"{label}: {listing(valid)}" if valid else ""
    if near is None:
        return listed
    question = f"did you mean `{near}`?"
    return f"{question} {listed}" if len(valid) > 1 else question


def article(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"an {noun}" if noun[:1] in "aeio" else f"a {noun}"


def plural(noun: str) -> str:
    """The plural of the noun."""
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def cut(text: str, length: int = 40) -> str:
    """`text` on one line, shortened to `length` characters."""
    flat = " ".join(text[: 4 * length].split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"
