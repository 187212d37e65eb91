"""Data sets: sources, splits, scaling, noise and augmentation of the training samples."""

from __future__ import annotations

from ldl.data.augmentation import AUGMENTATIONS, AugmentedBatches
from ldl.data.data_spec import DataSpec, SplitSpec
from ldl.data.dataset import (
    Dataset,
    DatasetInfo,
    ProgressCallback,
    RawDataset,
    Split,
    Target,
)
from ldl.data.new_samples import read_new_samples
from ldl.data.noise import NOISES
from ldl.data.pipeline import (
    augmented_batches,
    describe_data,
    load_data,
    prepare_inputs,
    redraw_noise,
    to_source_units,
)
from ldl.data.prefetch import prefetch
from ldl.data.scalers import SCALERS, AffineScaler, InputScalers
from ldl.data.sources import SOURCES, fetch, list_sources, verify
from ldl.data.split import split_sizes

__all__ = [
    "AUGMENTATIONS",
    "NOISES",
    "SCALERS",
    "SOURCES",
    "AffineScaler",
    "AugmentedBatches",
    "DataSpec",
    "Dataset",
    "DatasetInfo",
    "InputScalers",
    "ProgressCallback",
    "RawDataset",
    "Split",
    "SplitSpec",
    "Target",
    "augmented_batches",
    "describe_data",
    "fetch",
    "list_sources",
    "load_data",
    "prefetch",
    "prepare_inputs",
    "read_new_samples",
    "redraw_noise",
    "split_sizes",
    "to_source_units",
    "verify",
]
