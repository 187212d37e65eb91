"""Data: from a source, split, scaled, shaped and noisy, to what a network trains on."""

from __future__ import annotations

from ldl.arrays import Array
from ldl.data.augment import AUGMENTATIONS, Augmentation
from ldl.data.augmented import Augmented
from ldl.data.catalogue import Listing, fetch, list_sources, verify
from ldl.data.fits import Affine, Scaling, Whitening
from ldl.data.info import Dataset, Info, Part, Picture, Progress, Raw, Source, Target
from ldl.data.new_samples import Samples, read_inputs
from ldl.data.noise import NOISES, Noise
from ldl.data.pipeline import augmented, describe, in_units, load, prepare, redraw_noise
from ldl.data.prefetch import prefetched
from ldl.data.scale import SCALERS
from ldl.data.sources import SOURCES
from ldl.data.sources.picture_set import Check
from ldl.data.spec import DataSpec, Split
from ldl.data.split import Sizes, part_sizes

__all__ = [
    "AUGMENTATIONS",
    "NOISES",
    "SCALERS",
    "SOURCES",
    "Affine",
    "Array",
    "Augmentation",
    "Augmented",
    "Check",
    "DataSpec",
    "Dataset",
    "Info",
    "Listing",
    "Noise",
    "Part",
    "Picture",
    "Progress",
    "Raw",
    "Samples",
    "Scaling",
    "Sizes",
    "Source",
    "Split",
    "Target",
    "Whitening",
    "augmented",
    "describe",
    "fetch",
    "in_units",
    "list_sources",
    "load",
    "part_sizes",
    "prefetched",
    "prepare",
    "read_inputs",
    "redraw_noise",
    "verify",
]
