"""Images after JPEG compression to a given size, for comparison with a code."""

from __future__ import annotations

import io
from math import ceil, isqrt, sqrt

import numpy as np

from ldl.arrays import Array

BLOCK = 8  # pixels: JPEG transforms blocks of this size, which must not span two images
MAX_COLUMNS = 64  # images in a row of a sheet
MAX_SIDE = 65_000  # pixels, JPEG's limit
MAX_PIXELS = 80_000_000  # of a sheet; Pillow rejects much larger images as an attack
QUALITIES = (1, 95)


def compress(images: Array, target_bytes: float) -> tuple[Array, float, int]:
    """8-bit images (n, h, w, 1 or 3) after JPEG, the bytes per image, and the quality.

    The quality, 1 to 95, is the one whose bytes per image come nearest to `target_bytes`, found by
    bisection on the assumption that the size grows with it. Images stand together on sheets, each
    padded to whole blocks, so that they share the tables and headers of a file, which would make
    up most of a small image's own. Colours keep their full resolution (4:4:4).
    """
    encodings: dict[int, tuple[list[bytes], float]] = {}
    sheets = _to_sheets(images)
    low, high = QUALITIES
    while low <= high:
        quality = (low + high) // 2
        files = [_encode(sheet, quality) for sheet in sheets]
        encodings[quality] = files, sum(map(len, files)) / len(images)
        if encodings[quality][1] > target_bytes:
            high = quality - 1
        else:
            low = quality + 1
    best = min(encodings, key=lambda quality: abs(encodings[quality][1] - target_bytes))
    files, size = encodings[best]
    return _from_sheets([_decode(file) for file in files], images), size, best


def _columns(images: Array) -> int:
    """Images in a row of a sheet, and rows on a full one."""
    height, width = (int(side) + BLOCK for side in images.shape[1:3])
    limit = min(MAX_COLUMNS, MAX_SIDE // max(height, width), isqrt(MAX_PIXELS // (height * width)))
    return max(1, min(limit, ceil(sqrt(len(images)))))


def _to_sheets(images: Array) -> list[Array]:
    """Images tiled on sheets (H, W, c); the last sheet is only as high as it needs to be."""
    n, h, w, c = images.shape
    columns = _columns(images)
    padding = [(0, -h % BLOCK), (0, -w % BLOCK)]
    padded = np.pad(images, [(0, 0), *padding, (0, 0)], mode="edge")
    h, w = padded.shape[1:3]
    sheets = []
    for start in range(0, n, columns * columns):
        batch = padded[start : start + columns * columns]
        rows = -(-len(batch) // columns)
        filled = np.zeros((rows * columns, h, w, c), np.uint8)
        filled[: len(batch)] = batch
        tiles = filled.reshape(rows, columns, h, w, c).transpose(0, 2, 1, 3, 4)
        sheets.append(tiles.reshape(rows * h, columns * w, c))
    return sheets


def _from_sheets(sheets: list[Array], images: Array) -> Array:
    """The inverse of `_to_sheets`; `images` gives the shape (n, h, w, c)."""
    n, h, w, c = images.shape
    columns = _columns(images)
    height, width = h + -h % BLOCK, w + -w % BLOCK
    tiles = [
        sheet.reshape(-1, height, columns, width, c)
        .transpose(0, 2, 1, 3, 4)
        .reshape(-1, height, width, c)
        for sheet in sheets
    ]
    return np.concatenate(tiles)[:n, :h, :w]


def _encode(sheet: Array, quality: int) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    image = Image.fromarray(sheet[..., 0] if sheet.shape[-1] == 1 else sheet)
    image.save(content, format="JPEG", quality=quality, subsampling=0, optimize=True)
    return content.getvalue()


def _decode(file: bytes) -> Array:
    from PIL import Image

    with Image.open(io.BytesIO(file)) as image:
        pixels: Array = np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], -1)
