"""Tiny data and networks that are plain functions, so that results can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.data.dataset import Dataset, DatasetInfo, Split, Target
from ldl.evaluate import EvaluationContext
from ldl.evaluate.context import NetworkInfo


def part(x: Any, targets: Any = None, clean: Any = None) -> Split:
    """A part with one input; where `clean` is left out it is the very same array."""
    inputs = {"x": np.asarray(x, np.float32)}
    before = inputs if clean is None else {"x": np.asarray(clean, np.float32)}
    return Split(inputs, before, None if targets is None else np.asarray(targets))


@pytest.fixture
def context(tmp_path: Path) -> Callable[..., EvaluationContext]:
    """Makes a context; the network answers with its input unless told otherwise."""

    def make(task: Any, info: DatasetInfo, test: Split | None, **more: Any) -> EvaluationContext:
        parts = {"train": more.pop("train", test), "validation": more.pop("validation", None)}
        assert parts["train"] is not None
        settings: dict[str, Any] = {
            "predict": lambda inputs: inputs["x"],
            "probabilities": lambda outputs: outputs,
            "probability_note": lambda outputs: None,
            "train_classifier": lambda *_: lambda x: np.zeros(len(x), np.int64),
            "network": NetworkInfo(dict(info.inputs)),
            "node_values": lambda name, inputs: inputs[name],
            "weights": {},
            "decoder": lambda name: None,
            "retrain": lambda *rows: pytest.fail("nothing is trained again here"),
            "check_consistency": lambda steps: pytest.fail("nothing is checked here"),
        }
        limits = more.pop("limits", {})
        dataset = Dataset(info, test=test, sha256="", scaler=None, input_ranges=limits, **parts)
        settings |= more
        settings.setdefault("classes", lambda x: settings["probabilities"](x).argmax(axis=1))
        return EvaluationContext(dataset, task, folder=tmp_path, seed=0, **settings)

    return make


def info(
    shape: tuple[int, ...],
    names: tuple[str, ...] = (),
    kind: Any = "classes",
    image: tuple[int, int, int] | None = None,
    features: tuple[str, ...] = (),
) -> DatasetInfo:
    """What is known of a data set with one input."""
    return DatasetInfo({"x": shape}, Target(kind, names), image, features=features)
