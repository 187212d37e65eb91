"""Picture files decoded with Pillow, one at a time, and what can be wrong with them."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from ldl.arrays import Array, ImageSize
from ldl.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_LISTED = 10
MODES = {1: "L", 3: "RGB"}
CHANNELS = {"1": 1, "L": 1, "P": 3, "RGB": 3}  # of what is read without being told how

# What Pillow raises for damaged files; its UnidentifiedImageError is an OSError.
CORRUPT = (OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError, KeyError,
           AttributeError, OverflowError, MemoryError, NotImplementedError,
           struct.error)  # fmt: skip


class ImageError(Exception):
    """A picture cannot be used; the argument says why, in a few words."""


@contextmanager
def opened(file: Path | IO[bytes]) -> Iterator[Image]:
    """The picture with its header read. Raises PictureError, also for what is done within."""
    # Here, since Pillow takes 30 ms and most runs have no picture files.
    from PIL import Image

    bomb = Image.DecompressionBombError, Image.DecompressionBombWarning
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)
            with Image.open(file) as image:
                yield image
    except (*CORRUPT, *bomb) as error:
        raise ImageError(f"cannot be read ({error or type(error).__name__})") from error


def kind(image: Image) -> ImageSize:
    """Height, width and channels; 0 channels where they have to be asked for (RGBA, CMYK, …)."""
    if image.mode[0] in "IF":
        raise ImageError(f"has more than 8 bits a channel (mode {image.mode})")
    return image.height, image.width, CHANNELS.get(image.mode, 0)


def pixels(image: Image, picture: ImageSize) -> Array:
    """uint8 (height, width, channels), brought to this size and number of channels.

    Resized bilinearly, with all pixels counted where it gets smaller; transparency is dropped.
    """
    from PIL.Image import Resampling

    height, width, channels = picture
    kind(image)
    converted = image if image.mode == MODES[channels] else image.convert(MODES[channels])
    if image.size != (width, height):
        converted = converted.resize((width, height), Resampling.BILINEAR)
    return np.asarray(converted).reshape(picture)


def refuse(faults: dict[str, str], what: str, advice: str = "") -> None:
    """DataError that lists up to ten faults {file: reason}; nothing where there are none."""
    if not faults:
        return
    listed = [f"{name} {reason}" for name, reason in [*faults.items()][:MOST_LISTED]]
    if len(faults) > MOST_LISTED:
        listed.append(f"and {len(faults) - MOST_LISTED} more")
    lines = "".join(f"\n  {line}" for line in listed)
    raise DataError(f"{what}{lines}" + (f"\n{advice}" if advice else ""))
