"""Which trainings an ablation asks for, and its table, also where some of them fail."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.engine.losses import LOSSES
from ldl.engine.optim import Adam, Sgd
from ldl.errors import DataError, RunError
from ldl.evaluate.ablation import Ablation

from .conftest import make_info, make_split

DATA = make_info((1,), ("a", "b"))


def split(rows: Any) -> Any:
    rows = np.asarray(rows)
    return replace(make_split(rows[:, None], rows % 2), sample_indices=rows)


def test_each_loss_with_each_optimizer(make_context: Any, tmp_path: Path) -> None:
    """A training that diverges leaves a gap and a note."""
    calls: list[tuple[Any, ...]] = []

    def retrain(train: Any, validation: Any, test: Any, changes: dict[str, Any]) -> Any:
        calls.append((len(train), validation, len(test), changes))
        if len(calls) == 2:
            raise RunError("it diverged")
        right = np.array([[0.9, 0.1], [0.2, 0.8]])
        return make_context(
            "classification", DATA, split([4, 5]), predict=lambda inputs: right,
        )  # fmt: skip

    context = make_context(
        "classification", DATA, split([4, 5]), train=split(range(4)), retrain=retrain
    )
    losses = {"mse": LOSSES["mse"](), "bce": LOSSES["bce"]()}
    results = Ablation({"slow": Sgd(0.1), "fast": Adam(0.2)}, losses).run(context)
    assert [call[:3] for call in calls] == [(4, None, 2)] * 4
    assert [list(call[3]) for call in calls] == [["optimizer", "loss"]] * 4
    assert [call[3]["loss"] for call in calls] == [losses["mse"]] * 2 + [losses["bce"]] * 2
    assert results["accuracy"] == {"mse": {"slow": 1.0}, "bce": {"slow": 1.0, "fast": 1.0}}
    assert results["notes"] == ["mse, fast: it diverged"]
    with (tmp_path / "plots" / "matrix.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["loss"], row["optimizer"], row["accuracy"]) for row in rows] == [
        ("mse", "slow", "1.0"), ("mse", "fast", ""), ("bce", "slow", "1.0"), ("bce", "fast", "1.0"),
    ]  # fmt: skip
    calls.clear()
    Ablation({"slow": Sgd(0.1)}).run(context)
    assert [list(call[3]) for call in calls] == [["optimizer"]]


@pytest.mark.parametrize("lacking", ["train", "test"])
def test_samples_without_indices_cannot_be_trained_again(lacking: str, make_context: Any) -> None:
    splits = {"train": split(range(4)), "test": split([4, 5])}
    splits[lacking] = replace(splits[lacking], sample_indices=None)
    context = make_context("classification", DATA, splits["test"], train=splits["train"])
    with pytest.raises(DataError, match="no indices"):
        Ablation().run(context)


def test_there_has_to_be_an_optimizer() -> None:
    assert Ablation().data_problem(DATA, "classification") is None
    assert "no optimizer" in str(Ablation({}).data_problem(DATA, "classification"))
