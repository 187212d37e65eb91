"""L-BFGS with steps so small that its bracket has no width."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from ldl.execute import prepare, train
from ldl.runs import read_metrics

TEXT = """\
seed: 3
data: {source: digits, scale: minmax}
network: [{linear: 8}, relu, linear]
optimizer: {lbfgs: RATE}
train: {epochs: 10}
"""


@pytest.mark.parametrize("rate", ["1e-3", "1e-6"])
def test_lbfgs_with_a_small_rate(rate: str, tmp_path: Path) -> None:
    """Training goes on, and the loss rises by no more than its rounding in float32, 2⁻²²."""
    file = tmp_path / "small.yaml"
    file.write_text(TEXT.replace("RATE", rate))
    run = train(prepare(file), tmp_path / "runs")
    assert run.read_status().status == "completed"
    losses = [row["train_loss"] for row in read_metrics(run.metrics)]
    assert len(losses) == 10 and losses[-1] < losses[0]
    assert all(after <= before * (1 + 2**-22) for before, after in pairwise(losses))
