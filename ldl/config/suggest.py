"""The nearest valid word to a misspelt one, and lists of the valid ones."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from itertools import islice

_LONGEST_WORD = 60
_LONGEST_LIST = 12
_MOST_NAMES = 300  # no person's file has more; hostile ones must end in bounded time


def nearest(word: str, valid: Iterable[str]) -> str | None:
    """The valid word that was most likely meant, or None.

    By difflib's ratio, then by prefix (`activ`), then by initials (`lr` for `learning_rate`).
    """
    valid = list(islice(valid, _MOST_NAMES))
    if not word or len(word) > _LONGEST_WORD:
        return None
    folded = {name.lower().replace("-", "_"): name for name in reversed(valid)}
    wanted = word.lower().replace("-", "_")
    close = difflib.get_close_matches(wanted, folded, n=1, cutoff=0.6)
    if close:
        return folded[close[0]]
    if len(wanted) < 2:
        return None
    prefixed = [name for key, name in folded.items() if key.startswith(wanted)]
    initials = [n for k, n in folded.items() if "".join(p[:1] for p in k.split("_")) == wanted]
    for names in (prefixed, initials):
        if len(names) == 1:
            return names[0]
    return None


def listing(names: Collection[str]) -> str:
    """The names, in backticks; a long list is cut."""
    shown = [f"`{name}`" for name in sorted(islice(names, _MOST_NAMES))[:_LONGEST_LIST]]
    if len(names) > _LONGEST_LIST:
        return f"{', '.join(shown)} and {len(names) - _LONGEST_LIST} more"
    return ", ".join(shown)


def spelling_hint(word: str, valid: Collection[str], what: str = "valid here") -> str:
    """Advice for an unknown word: "did you mean `x`? known: …"."""
    near = nearest(word, valid)
    head, colon, rest = word.partition(":")
    if colon and head in valid:
        return f"a space is missing after the colon: `{head}: {rest}`"
    listed = f"{what}: {listing(valid)}" if valid else ""
    if near is None:
        return listed
    question = f"did you mean `{near}`?"
    return f"{question} {listed}" if len(valid) > 1 else question


def article(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"an {noun}" if noun[:1] in "aeio" else f"a {noun}"


def plural(noun: str) -> str:
    """Several of the noun."""
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def cut(text: str, length: int = 40) -> str:
    """`text` on one line, shortened to `length` characters."""
    flat = " ".join(text[: 4 * length].split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"
