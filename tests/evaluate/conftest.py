"""Tiny data and networks that are plain functions, so that results can be computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.data.dataset import Dataset, DatasetInfo, Split, Target
from ldl.evaluate import EvaluationContext
from ldl.evaluate.context import NetworkInfo


def make_split(x: Any, targets: Any = None, clean: Any = None) -> Split:
    """A split with one input; without `clean` it is the very same array."""
    inputs = {"x": np.asarray(x, np.float32)}
    clean_inputs = inputs if clean is None else {"x": np.asarray(clean, np.float32)}
    return Split(inputs, clean_inputs, None if targets is None else np.asarray(targets))


@pytest.fixture
def make_context(tmp_path: Path) -> Callable[..., EvaluationContext]:
    """Makes a context; by default the network's output is its input."""

    def make(task: Any, info: DatasetInfo, test: Split | None, **more: Any) -> EvaluationContext:
        splits = {"train": more.pop("train", test), "validation": more.pop("validation", None)}
        assert splits["train"] is not None
        settings: dict[str, Any] = {
            "predict": lambda inputs: inputs["x"],
            "probabilities": lambda outputs: outputs,
            "probability_note": lambda outputs: None,
            "train_classifier": lambda *_: lambda x: np.zeros(len(x), np.int64),
            "network": NetworkInfo(dict(info.inputs)),
            "node_values": lambda name, inputs: inputs[name],
            "weights": {},
            "decoder": lambda name: None,
            "retrain": lambda *indices: pytest.fail("nothing is trained again here"),
            "check_consistency": lambda steps: pytest.fail("nothing is checked here"),
        }
        ranges = more.pop("input_ranges", {})
        dataset = Dataset(info, test=test, sha256="", scaler=None, input_ranges=ranges, **splits)
        settings |= more
        settings.setdefault("classes", lambda x: settings["probabilities"](x).argmax(axis=1))
        return EvaluationContext(dataset, task, folder=tmp_path, seed=0, split_seed=0, **settings)

    return make


def make_info(
    shape: tuple[int, ...],
    names: tuple[str, ...] = (),
    kind: Any = "classes",
    image: tuple[int, int, int] | None = None,
    features: tuple[str, ...] = (),
) -> DatasetInfo:
    """The description of a data set with one input."""
    return DatasetInfo({"x": shape}, Target(kind, names), image, features=features)
