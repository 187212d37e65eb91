"""Optimizers and schedules against PyTorch: fifty steps of a small network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler, swa_utils

from ldl.arrays import Array
from ldl.engine.averaging import Ema, Swa, WeightAverage
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.model import Model
from ldl.engine.optim import OPTIMIZERS
from ldl.engine.parameters import Parameters
from ldl.engine.penalty import Clipping
from ldl.engine.schedules import (
    Cosine,
    Cyclic,
    Exponential,
    InverseTime,
    MultiStep,
    OneCycle,
    Plateau,
    Schedule,
    StepCount,
    StepDecay,
    Warmup,
)
from ldl.train import EpochMetrics, TrainLoop
from ldl.train.average import recompute_running_stats
from ldl.train.loop import TrainOptions

pytestmark = pytest.mark.external

STEPS, SAMPLES, INPUTS, HIDDEN, CLASSES = 50, 12, 5, 7, 3
DTYPES = {np.float32: (torch.float32, 2e-5), np.float64: (torch.float64, 1e-11)}
TorchOptimizer = Callable[..., torch.optim.Optimizer]

CASES: list[tuple[str, dict[str, Any], TorchOptimizer, dict[str, Any]]] = [
    ("sgd", {"momentum": 0.9, "nesterov": True}, torch.optim.SGD, {}),
    ("sgd", {"momentum": 0.5, "weight_decay": 0.1}, torch.optim.SGD, {}),
    ("adagrad", {}, torch.optim.Adagrad, {"eps": 1e-10}),
    ("rmsprop", {}, torch.optim.RMSprop, {}),
    ("rmsprop", {"alpha": 0.9, "momentum": 0.8}, torch.optim.RMSprop, {}),
    ("rmsprop", {"centered": True, "momentum": 0.5, "epsilon": 0.01}, torch.optim.RMSprop, {}),
    ("adam", {}, torch.optim.Adam, {}),
    ("adam", {"beta1": 0.5, "beta2": 0.9, "epsilon": 0.01}, torch.optim.Adam, {}),
    ("adamw", {"weight_decay": 0.3}, torch.optim.AdamW, {}),
    ("adamax", {}, torch.optim.Adamax, {}),
    ("adamax", {"beta1": 0.5, "beta2": 0.6, "epsilon": 0.01}, torch.optim.Adamax, {}),
    ("adadelta", {}, torch.optim.Adadelta, {}),
    ("adadelta", {"rho": 0.5, "epsilon": 0.01}, torch.optim.Adadelta, {}),
    ("nadam", {}, torch.optim.NAdam, {}),
    ("nadam", {"beta1": 0.5, "momentum_decay": 0.1}, torch.optim.NAdam, {}),
]  # fmt: skip


def data(dtype: type) -> tuple[Array, Array]:
    """A batch."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(SAMPLES, INPUTS)).astype(dtype)
    return x, rng.integers(CLASSES, size=SAMPLES)


def engine_network(dtype: type) -> Executor:
    """An executor of linear, tanh, linear, cross entropy, with the batch as its inputs."""
    specs = {"x": TensorSpec((INPUTS,)), "t": TensorSpec((), True)}
    nodes = [
        Node("a", LAYERS["linear"](HIDDEN), ("x",)),
        Node("b", LAYERS["tanh"](), ("a",)),
        Node("c", LAYERS["linear"](CLASSES), ("b",)),
    ]
    graph = Graph(specs, nodes, [LossNode("loss", LOSSES["cross_entropy"](), ("c", "t"))])
    executor = Executor(graph, Parameters(graph, 1, dtype), SAMPLES, gradients=True, training=True)
    executor.inputs["x"][...], executor.inputs["t"][...] = data(dtype)
    return executor


def torch_network(executor: Executor, torch_dtype: torch.dtype) -> nn.Sequential:
    """The network in PyTorch, with the weights of the executor."""
    module = nn.Sequential(nn.Linear(INPUTS, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, CLASSES)).to(
        torch_dtype
    )
    weights = executor.parameters.weights
    with torch.no_grad():
        for layer, name in ((module[0], "a"), (module[2], "c")):
            layer.weight.copy_(torch.from_numpy(weights[f"{name}.weight"].T.copy()))
            layer.bias.copy_(torch.from_numpy(weights[f"{name}.bias"].copy()))
    return module


def groups(module: nn.Sequential, decay: float) -> list[dict[str, Any]]:
    """Parameter groups with weight decay on weights alone."""
    return [
        {"params": [module[0].weight, module[2].weight], "weight_decay": decay},
        {"params": [module[0].bias, module[2].bias], "weight_decay": 0.0},
    ]


def torch_settings(settings: dict[str, Any], torch_extra: dict[str, Any]) -> dict[str, Any]:
    """The settings by their names in PyTorch."""
    renamed = {k: v for k, v in settings.items() if k not in ("beta1", "beta2", "weight_decay")}
    if "beta1" in settings or "beta2" in settings:
        renamed["betas"] = (settings.get("beta1", 0.9), settings.get("beta2", 0.999))
    if "epsilon" in renamed:
        renamed["eps"] = renamed.pop("epsilon")
    return {**renamed, **torch_extra}


def assert_close(executor: Executor, module: nn.Sequential, tolerance: float) -> None:
    """Raise AssertionError unless all weights agree."""
    weights = executor.parameters.weights
    for layer, name in ((module[0], "a"), (module[2], "c")):
        pairs = ((layer.weight.detach().numpy().T, "weight"), (layer.bias.detach().numpy(), "bias"))
        for expected, key in pairs:
            np.testing.assert_allclose(weights[f"{name}.{key}"], expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("entry", "settings", "torch_class", "torch_extra"),
    CASES,
    ids=[f"{c[0]}-{c[1]}" for c in CASES],
)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("clip", [None, "norm", "value"])
def test_fifty_steps_equal_pytorch(
    entry: str,
    settings: dict[str, Any],
    torch_class: TorchOptimizer,
    torch_extra: dict[str, Any],
    dtype: type,
    clip: str | None,
) -> None:
    """Without clipping, with a clipped norm and with clipped values."""
    torch_dtype, tolerance = DTYPES[dtype]
    if entry == "nadam":  # PyTorch has the product of the momenta in float32
        tolerance = max(tolerance, 1e-6)
    optimizer, rate = OPTIMIZERS[entry](**settings), 0.01
    executor = engine_network(dtype)
    module, parameters = torch_network(executor, torch_dtype), executor.parameters
    decay = settings.get("weight_decay", 0.0)
    torch_optimizer = torch_class(
        groups(module, decay), lr=rate, **torch_settings(settings, torch_extra)
    )
    state = optimizer.start(parameters.theta)
    clipping = {
        "norm": Clipping(norm=0.3), "value": Clipping(value=0.05), None: Clipping()
    }[clip]  # fmt: skip
    x, t = data(dtype)
    for _ in range(STEPS):
        executor.forward()
        executor.backward()
        clipping.apply(parameters.gradient, float(np.linalg.norm(parameters.gradient)))
        optimizer.step(parameters.theta, parameters.gradient, state, rate, parameters.decay_slices)
        torch_optimizer.zero_grad()
        nn.functional.cross_entropy(module(torch.from_numpy(x)), torch.from_numpy(t)).backward()
        if clip == "norm":
            nn.utils.clip_grad_norm_(module.parameters(), 0.3)
        elif clip == "value":
            nn.utils.clip_grad_value_(module.parameters(), 0.05)
        torch_optimizer.step()
    assert_close(executor, module, tolerance)


@pytest.mark.parametrize(
    ("entry", "torch_class"),
    [("sgd", torch.optim.SGD), ("adamw", torch.optim.AdamW)],
)
def test_decay_all_is_the_default_of_pytorch(entry: str, torch_class: TorchOptimizer) -> None:
    """Without parameter groups PyTorch decays biases and scales of normalisations too."""
    nodes = [
        Node("a", LAYERS["linear"](HIDDEN), ("x",)),
        Node("tanh", LAYERS["tanh"](), ("a",)),  # before it the gradient of a's bias would be 0
        Node("b", LAYERS["batch_norm"](), ("tanh",)),
        Node("c", LAYERS["layer_norm"](), ("b",)),
        Node("d", LAYERS["linear"](CLASSES), ("c",)),
    ]
    loss = LossNode("loss", LOSSES["cross_entropy"](), ("d", "t"))
    graph = Graph({"x": TensorSpec((INPUTS,)), "t": TensorSpec((), True)}, nodes, [loss])
    model = Model(graph, 1, np.float64)
    module = nn.Sequential(
        nn.Linear(INPUTS, HIDDEN), nn.Tanh(), nn.BatchNorm1d(HIDDEN), nn.LayerNorm(HIDDEN),
        nn.Linear(HIDDEN, CLASSES),
    ).double()  # fmt: skip
    named = dict(zip("abcd", (m for m in module if not isinstance(m, nn.Tanh)), strict=True))
    with torch.no_grad():
        for name, layer in named.items():
            for key, tensor in layer.named_parameters():
                tensor.copy_(torch.from_numpy(model.parameters.weights[f"{name}.{key}"].T.copy()))
    x, t = data(np.float64)
    optimizer = OPTIMIZERS[entry](0.01, weight_decay=0.3)
    options = TrainOptions(decay_all=True)
    loop = TrainLoop(model, optimizer, {"x": x, "t": t}, SAMPLES, 0, False, options=options)
    torch_optimizer = torch_class(module.parameters(), lr=0.01, weight_decay=0.3)
    for epoch in range(1, 11):
        loop.run_epoch(epoch, EpochMetrics())
        torch_optimizer.zero_grad()
        nn.functional.cross_entropy(module(torch.from_numpy(x)), torch.from_numpy(t)).backward()
        torch_optimizer.step()
    for name, layer in named.items():
        for key, tensor in layer.named_parameters():
            weight = model.parameters.weights[f"{name}.{key}"]
            expected = tensor.detach().numpy().T
            np.testing.assert_allclose(weight, expected, rtol=0, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("average", [Ema(0.9), Swa(0.5)], ids=str)
def test_averages_equal_pytorch(average: WeightAverage) -> None:
    """AveragedModel after each step, or after each of the later epochs, then update_bn."""
    executor = engine_network(np.float64)
    network = nn.Sequential(
        *torch_network(executor, torch.float64), nn.BatchNorm1d(CLASSES).double()
    )
    nodes = [*executor.graph.nodes, Node("d", LAYERS["batch_norm"](), ("c",))]
    losses = [LossNode("loss", LOSSES["cross_entropy"](), ("d", "t"))]
    model = Model(Graph(dict(executor.graph.inputs), nodes, losses), 1, np.float64)
    x, t = data(np.float64)
    tensors = torch.from_numpy(x), torch.from_numpy(t)
    batches = list(zip(*(tensor.split(4) for tensor in tensors), strict=True))
    optimizer, options = OPTIMIZERS["sgd"](0.1, momentum=0.9), TrainOptions(4, average=average)
    loop = TrainLoop(model, optimizer, {"x": x, "t": t}, 4, 0, False, options=options)
    ema = swa_utils.get_ema_multi_avg_fn(0.9) if isinstance(average, Ema) else None
    averaged = swa_utils.AveragedModel(network, multi_avg_fn=ema)
    torch_optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    for epoch in range(1, 5):
        loop.run_epoch(epoch, EpochMetrics())
        for inputs, targets in batches:
            torch_optimizer.zero_grad()
            nn.functional.cross_entropy(network(inputs), targets).backward()
            torch_optimizer.step()
            if ema is not None:
                averaged.update_parameters(network)
        if ema is None and epoch > 2:
            averaged.update_parameters(network)
    swa_utils.update_bn(batches, averaged)  # type: ignore[arg-type]
    assert loop.average is not None
    np.copyto(loop.theta, loop.average)
    recompute_running_stats(loop, 4)
    expected = averaged.module.state_dict()
    for name, array in model.parameters.arrays().items():
        number = {"a": 0, "c": 2, "d": 3}[name[0]]
        tensor = expected[f"{number}.{name[2:]}"]
        np.testing.assert_allclose(array, tensor.numpy().T, rtol=0, atol=1e-12, err_msg=name)


def test_lbfgs_finds_the_minimum_of_pytorch() -> None:
    """Both with strong Wolfe conditions; an L2 penalty makes the minimum well conditioned."""
    executor = engine_network(np.float64)
    module, parameters = torch_network(executor, torch.float64), executor.parameters
    theta, gradient = parameters.theta, parameters.gradient
    optimizer = OPTIMIZERS["lbfgs"]()
    state = optimizer.start(theta)

    def evaluate() -> float:
        executor.forward()
        executor.backward()
        gradient[...] += 0.2 * theta
        return executor.loss() + 0.1 * float(theta @ theta)

    state.closure = evaluate
    for _ in range(STEPS):
        optimizer.step(theta, gradient, state, 1.0, parameters.decay_slices)
    torch_optimizer = torch.optim.LBFGS(
        module.parameters(), max_iter=1000, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )
    x, t = (torch.from_numpy(a) for a in data(np.float64))

    def closure() -> torch.Tensor:
        torch_optimizer.zero_grad()
        loss = nn.functional.cross_entropy(module(x), t)
        loss = loss + 0.1 * sum((p * p).sum() for p in module.parameters())
        loss.backward()
        return loss

    torch_optimizer.step(closure)  # type: ignore[arg-type]
    assert evaluate() == pytest.approx(float(closure().detach()), abs=1e-8)
    assert np.abs(gradient).max() < 1e-6


# --- schedules ----------------------------------------------------------------------------------

ETA, EPOCH = 0.2, 4
Scheduler = Callable[[torch.optim.Optimizer], Any]
SCHEDULES: list[tuple[Schedule, str, Scheduler]] = [
    (InverseTime(0.3), "epoch", lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + 0.3 * t))),
    (Exponential(0.9), "epoch", lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    (Exponential(0.97, "step"), "step", lambda o: lr_scheduler.ExponentialLR(o, 0.97)),
    (StepDecay(3, 0.5), "epoch", lambda o: lr_scheduler.StepLR(o, 3, 0.5)),
    (MultiStep((2, 7), 0.1), "epoch", lambda o: lr_scheduler.MultiStepLR(o, [2, 7])),
    (Cosine(), "epoch", lambda o: lr_scheduler.CosineAnnealingLR(o, 10)),
    (Cosine(6, 0.05), "epoch", lambda o: lr_scheduler.CosineAnnealingLR(o, 6, 0.05)),
    (Cosine(per="step"), "step", lambda o: lr_scheduler.CosineAnnealingLR(o, 40)),
    (Cyclic(1.0, 5, 3), "step", lambda o: lr_scheduler.CyclicLR(o, ETA, 1.0, 5, 3)),
    (
        Cyclic(1.0, 5, 3, "triangular2"), "step",
        lambda o: lr_scheduler.CyclicLR(o, ETA, 1.0, 5, 3, "triangular2"),
    ),
    (
        Cyclic(1.0, 4, None, "exp_range", 0.9), "step",
        lambda o: lr_scheduler.CyclicLR(o, ETA, 1.0, 4, None, "exp_range", 0.9),
    ),
    (OneCycle(), "step", lambda o: lr_scheduler.OneCycleLR(o, ETA, 40)),
    (
        OneCycle(0.4, "linear", 10.0, 100.0, True), "step",
        lambda o: lr_scheduler.OneCycleLR(
            o, ETA, 40, pct_start=0.4, anneal_strategy="linear", div_factor=10.0,
            final_div_factor=100.0, three_phase=True,
        ),
    ),
    (
        Warmup(2, 0.5, Exponential(0.97, "step")), "step",
        lambda o: lr_scheduler.SequentialLR(
            o,
            [lr_scheduler.LinearLR(o, 0.5, 1.0, 8), lr_scheduler.ExponentialLR(o, 0.97)],
            [8],
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("schedule", "unit", "scheduler"), SCHEDULES, ids=[str(s[0]) for s in SCHEDULES]
)
def test_rates_equal_pytorch(schedule: Schedule, unit: str, scheduler: Scheduler) -> None:
    """Over ten epochs of four steps."""
    torch_optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=ETA, momentum=0.9)
    torch_scheduler = scheduler(torch_optimizer)
    count, state = StepCount(EPOCH, 10 * EPOCH), schedule.start()
    for step in range(count.total):
        expected = torch_optimizer.param_groups[0]["lr"]
        assert schedule.rate(ETA, step, count, state) == pytest.approx(float(expected), rel=1e-9)
        torch_optimizer.step()
        if (unit == "step" or step % EPOCH == EPOCH - 1) and step < count.total - 1:
            torch_scheduler.step()


@pytest.mark.parametrize("settings", [
    {}, {"factor": 0.5, "patience": 2}, {"patience": 0, "cooldown": 2, "min_lr": 0.003},
    {"patience": 1, "threshold": 0.1},
])  # fmt: skip
def test_plateau_equals_pytorch(settings: dict[str, Any]) -> None:
    """For losses that fall and then stay constant but for noise."""
    rng = np.random.default_rng(2)
    losses = np.maximum(0.3, 1.0 / np.arange(1, 61)) + rng.uniform(0, 0.02, 60)
    torch_optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=ETA)
    torch_scheduler = lr_scheduler.ReduceLROnPlateau(torch_optimizer, eps=0.0, **settings)
    schedule, count = Plateau(**settings), StepCount(1, 60)
    state = schedule.start()
    for epoch, loss in enumerate(losses.tolist()):
        expected = torch_optimizer.param_groups[0]["lr"]
        assert schedule.rate(ETA, epoch, count, state) == pytest.approx(expected, rel=1e-12)
        schedule.step(loss, ETA, state)
        torch_scheduler.step(loss)
    assert state["share"] < 1.0
