"""Gradient accumulation: k batches a step equal one larger batch; and what decays with `all`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.model import Model
from ldl.engine.optim import OPTIMIZERS, Optimizer
from ldl.engine.penalty import Clipping, Penalty
from ldl.engine.schedules import SCHEDULES
from ldl.train import EpochMetrics, TrainLoop
from ldl.train.loop import DEFAULT_OPTIONS, TrainOptions

SAMPLES = 31  # the last step of an epoch has fewer batches, the last of them fewer samples
SGD = OPTIMIZERS["sgd"](0.1, momentum=0.9)


def trained(
    optimizer: Optimizer,
    batch_size: int,
    options: TrainOptions,
    entry: str = "tanh",
    threads: int = 1,
) -> tuple[TrainLoop, EpochMetrics]:
    """Two epochs of a classifier with two losses, and the metrics of the second."""
    nodes = [
        Node("first", LAYERS["linear"](6), ("x",)),
        Node("middle", LAYERS[entry](), ("first",)),
        Node("last", LAYERS["linear"](3), ("middle",)),
    ]
    losses = [
        LossNode("loss.a", LOSSES["cross_entropy"](), ("last", "t")),
        LossNode("loss.b", LOSSES["mse"](), ("first", "u"), 0.5),
    ]
    specs = {"x": TensorSpec((4,)), "t": TensorSpec((), True), "u": TensorSpec((6,))}
    model = Model(Graph(specs, nodes, losses), 1, np.float64, threads=threads)
    rng = np.random.default_rng(0)
    arrays = {"x": rng.normal(size=(SAMPLES, 4)), "u": rng.normal(size=(SAMPLES, 6))}
    arrays["t"] = rng.integers(3, size=SAMPLES)
    loop = TrainLoop(
        model, optimizer, arrays, batch_size, 0, accuracy_of=("last", "t"), options=options
    )
    for epoch in (1, 2):
        metrics = EpochMetrics(terms=[0.0, 0.0])
        loop.run_epoch(epoch, metrics)
    return loop, metrics


OPTIONS = {
    "plain": (SGD, {}),
    "schedule": (SGD, {"epochs": 2, "schedule": SCHEDULES["cosine"](per="step")}),
    "clipped": (SGD, {"clipping": Clipping(norm=0.05), "penalty": Penalty(l2=0.1)}),
    "sam": (OPTIMIZERS["sam"](0.1, SGD), {}),
    "full batch": (OPTIMIZERS["lbfgs"](max_iter=3), {}),
}


@pytest.mark.parametrize(("optimizer", "settings"), OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("threads", [1, 2])
def test_accumulated_batches_equal_one_larger_batch(
    optimizer: Optimizer, settings: dict[str, object], threads: int
) -> None:
    large = SAMPLES if optimizer.full_batch else 12
    expected, metrics = trained(optimizer, large, TrainOptions(**settings))  # type: ignore[arg-type]
    accumulating = TrainOptions(**settings, accumulation_steps=3 if large == 12 else 8)  # type: ignore[arg-type]
    loop, others = trained(optimizer, 4, accumulating, threads=threads)
    assert loop.batches == expected.batches and others.batch == metrics.batch
    np.testing.assert_allclose(loop.theta, expected.theta, rtol=1e-10, atol=1e-13)
    sums = [(m.loss, m.norm, m.correct, *m.terms) for m in (others, metrics)]
    np.testing.assert_allclose(*sums, rtol=1e-10)
    single, _ = trained(optimizer, 4, TrainOptions(**settings))  # type: ignore[arg-type]
    assert np.abs(single.theta - expected.theta).max() > 1e-4


def test_batch_norm_has_statistics_of_each_batch() -> None:
    loops = [trained(SGD, *case, "batch_norm")[0] for case in _BATCH_NORM_CASES]
    assert np.abs(loops[0].theta - loops[1].theta).max() > 1e-4


_BATCH_NORM_CASES: Sequence[tuple[int, TrainOptions]] = (
    (12, DEFAULT_OPTIONS),
    (4, TrainOptions(accumulation_steps=3)),
)


def decayed(entry: str, optimizer: Optimizer, options: TrainOptions) -> dict[str, Array]:
    """The weights after two epochs."""
    return trained(optimizer, SAMPLES, options, entry)[0].model.parameters.weights


@pytest.mark.parametrize("entry", ["batch_norm", "layer_norm"])
def test_decay_all_takes_in_biases_and_scales_of_norms(entry: str) -> None:
    """Where the learning rate is tiny, AdamW multiplies with 1 − η λ and moves by η."""
    rate, optimizer = 1e-6, OPTIMIZERS["adamw"](1e-6, weight_decay=1e5)
    few, everything = (decayed(entry, optimizer, TrainOptions(decay_all=v)) for v in (False, True))
    for name, weight in few.items():
        kept = np.ones_like(weight) if name == "middle.weight" else None
        if name.endswith("bias") or kept is not None:
            start = np.zeros_like(weight) if kept is None else kept
            np.testing.assert_allclose(weight, start, atol=3 * rate)
            np.testing.assert_allclose(everything[name], start * 0.9**2, atol=3 * rate)
        else:
            np.testing.assert_allclose(everything[name], weight, atol=3 * rate)
    penalty = [
        decayed(entry, SGD, TrainOptions(penalty=Penalty(l2=0.1), decay_all=v))["middle.weight"]
        for v in (False, True)
    ]
    assert np.abs(penalty[1] - penalty[0]).max() > 1e-3
