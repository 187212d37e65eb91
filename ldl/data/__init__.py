"""Data: from a source, split, scaled, shaped and noisy, to what a network trains on."""

from __future__ import annotations

from ldl.data.catalogue import Listing, fetch, list_sources, verify
from ldl.data.info import Array, Dataset, Info, Part, Progress, Raw, Source, Target
from ldl.data.new_samples import Samples, read_inputs
from ldl.data.noise import NOISES, Noise
from ldl.data.pipeline import describe, load, prepare, redraw_noise
from ldl.data.scale import SCALERS, Affine, Scaling
from ldl.data.sources import SOURCES
from ldl.data.sources.digit_sets import Check
from ldl.data.spec import DataSpec, Split
from ldl.data.split import Sizes, part_sizes

__all__ = [
    "NOISES",
    "SCALERS",
    "SOURCES",
    "Affine",
    "Array",
    "Check",
    "DataSpec",
    "Dataset",
    "Info",
    "Listing",
    "Noise",
    "Part",
    "Progress",
    "Raw",
    "Samples",
    "Scaling",
    "Sizes",
    "Source",
    "Split",
    "Target",
    "describe",
    "fetch",
    "list_sources",
    "load",
    "part_sizes",
    "prepare",
    "read_inputs",
    "redraw_noise",
    "verify",
]
