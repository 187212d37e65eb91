"""Named random streams: each is seeded from the run's seed and its name, independent of others."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """PCG64 seeded with (seed, SHA-256(names)): equal arguments give equal draws in all versions.

    Source: NumPy's SeedSequence, which mixes all words of its entropy.
    """
    digest = hashlib.sha256("\0".join(map(str, names)).encode()).digest()
    words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))
