"""The type aliases of arrays and their shapes."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]
ImageSize = tuple[int, int, int]  # height, width, channels
