"""Image files decoded with Pillow, one at a time, and the reasons why one cannot be used."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from ldl.arrays import Array, ImageSize

if TYPE_CHECKING:
    from PIL.Image import Image

MODES = {1: "L", 3: "RGB"}
CHANNELS = {"1": 1, "L": 1, "P": 3, "RGB": 3}  # of the modes that need no setting `channels`

# What Pillow raises for damaged files; its UnidentifiedImageError is an OSError.
PILLOW_ERRORS = (OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, KeyError,
           AttributeError, OverflowError, MemoryError, NotImplementedError,
           struct.error)  # fmt: skip


class ImageError(Exception):
    """An image cannot be used; the argument is a short reason."""


@contextmanager
def open_image(file: Path | IO[bytes]) -> Iterator[Image]:
    """The image with its header read. Raises ImageError, also for errors within the block."""
    # Imported here because Pillow takes 30 ms and most runs have no image files.
    from PIL import Image

    bomb = Image.DecompressionBombError, Image.DecompressionBombWarning
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)
            with Image.open(file) as image:
                yield image
    except (*PILLOW_ERRORS, *bomb) as error:
        raise ImageError(f"cannot be read ({error or type(error).__name__})") from error


def image_header_size(image: Image) -> ImageSize:
    """Height, width and channels; 0 channels where the mode needs a setting (RGBA, CMYK, …).

    Raises ImageError for more than 8 bits per channel.
    """
    if image.mode[0] in "IF":
        raise ImageError(f"has more than 8 bits per channel (mode {image.mode})")
    return image.height, image.width, CHANNELS.get(image.mode, 0)


def decode_image(image: Image, size: ImageSize) -> Array:
    """uint8 (height, width, channels), converted to this size and number of channels.

    Resized bilinearly, with antialiasing where it gets smaller; transparency is dropped. Raises
    ImageError for more than 8 bits per channel.
    """
    from PIL.Image import Resampling

    height, width, channels = size
    image_header_size(image)
    converted = image if image.mode == MODES[channels] else image.convert(MODES[channels])
    if image.size != (width, height):
        converted = converted.resize((width, height), Resampling.BILINEAR)
    return np.asarray(converted).reshape(size)
