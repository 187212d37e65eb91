"""The content key, which identifies a run by everything that its result depends on."""

from __future__ import annotations

import hashlib

import ldl

DIGITS = 16  # of 64 hexadecimal ones


def content_key(*texts: str) -> str:
    """The first 16 hexadecimal digits of SHA-256 over `texts` and the version of the package.

    A text is a resolved configuration, or a digest of the data and of pretrained weights. Runs
    with the same key have the same result, so that one of them is enough.
    """
    return hashlib.sha256("\0".join((*texts, ldl.__version__)).encode()).hexdigest()[:DIGITS]
