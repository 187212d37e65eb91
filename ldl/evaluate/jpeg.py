"""Pictures through JPEG at a wanted size, for comparison."""

from __future__ import annotations

import io
from math import ceil, isqrt, sqrt

import numpy as np

from ldl.arrays import Array

BLOCK = 8  # pixels: JPEG transforms blocks of so many, which must not reach over two pictures
ACROSS = 64  # pictures in a row of a sheet
LARGEST = 65_000  # pixels on a side, JPEG's limit
PIXELS = 80_000_000  # of a sheet; Pillow takes much larger ones for an attack
QUALITIES = (1, 95)


def at_size(images: Array, wanted: float) -> tuple[Array, float, int]:
    """8-bit pictures (n, h, w, 1 or 3) after JPEG, the bytes a picture, and the quality.

    The quality, 1 to 95, is the one that comes nearest to `wanted` bytes a picture, found by
    halving, as if a better one were never smaller. Pictures stand together on sheets, each padded
    to whole blocks, so that the tables and headers of a file are shared: by itself a small
    picture's file would be little else. Colours are kept at full resolution (4:4:4).
    """
    tried: dict[int, tuple[list[bytes], float]] = {}
    sheets = _sheets(images)
    low, high = QUALITIES
    while low <= high:
        quality = (low + high) // 2
        files = [_encoded(sheet, quality) for sheet in sheets]
        tried[quality] = files, sum(map(len, files)) / len(images)
        if tried[quality][1] > wanted:
            high = quality - 1
        else:
            low = quality + 1
    best = min(tried, key=lambda quality: abs(tried[quality][1] - wanted))
    return _pictures([_decoded(file) for file in tried[best][0]], images), tried[best][1], best


def _across(images: Array) -> int:
    """Pictures in a row of a sheet, and rows on a full one."""
    high, wide = (int(side) + BLOCK for side in images.shape[1:3])
    most = min(ACROSS, LARGEST // max(high, wide), isqrt(PIXELS // (high * wide)))
    return max(1, min(most, ceil(sqrt(len(images)))))


def _sheets(images: Array) -> list[Array]:
    """Pictures side by side and below one another, the last sheet no higher than it needs."""
    n, h, w, c = images.shape
    across = _across(images)
    down = [(0, -h % BLOCK), (0, -w % BLOCK)]
    padded = np.pad(images, [(0, 0), *down, (0, 0)], mode="edge")
    h, w = padded.shape[1:3]
    sheets = []
    for start in range(0, n, across * across):
        chosen = padded[start : start + across * across]
        rows = -(-len(chosen) // across)
        filled = np.zeros((rows * across, h, w, c), np.uint8)
        filled[: len(chosen)] = chosen
        grid = filled.reshape(rows, across, h, w, c).transpose(0, 2, 1, 3, 4)
        sheets.append(grid.reshape(rows * h, across * w, c))
    return sheets


def _pictures(sheets: list[Array], images: Array) -> Array:
    """`_sheets` undone."""
    n, h, w, c = images.shape
    across = _across(images)
    high, wide = h + -h % BLOCK, w + -w % BLOCK
    apart = [
        sheet.reshape(-1, high, across, wide, c).transpose(0, 2, 1, 3, 4).reshape(-1, high, wide, c)
        for sheet in sheets
    ]
    return np.concatenate(apart)[:n, :h, :w]


def _encoded(sheet: Array, quality: int) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    picture = Image.fromarray(sheet[..., 0] if sheet.shape[-1] == 1 else sheet)
    picture.save(content, format="JPEG", quality=quality, subsampling=0, optimize=True)
    return content.getvalue()


def _decoded(file: bytes) -> Array:
    from PIL import Image

    with Image.open(io.BytesIO(file)) as picture:
        pixels: Array = np.asarray(picture)
    return pixels.reshape(*pixels.shape[:2], -1)
