"""A network here and in PyTorch, from the same weights on the same batches: a step, or fifty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ldl.arrays import Array
from ldl.compile import Experiment
from ldl.engine.model import Model
from ldl.execute import prepare
from ldl.train.loop import EpochMetrics, TrainLoop, TrainOptions

from .torch_networks import TWINS, Twin

CONFIGS = Path(__file__).parents[2] / "configs"
EPOCHS, BATCHES = 5, 10
STEPS = EPOCHS * BATCHES
Values = dict[str, Array]  # output, ∂ of each weight, and all that is kept, by our names


@dataclass(frozen=True)
class Both:
    """A configuration's network and a draw of data; weights start as ours do, but none at 0."""

    name: str
    draw: int

    @property
    def twin(self) -> Twin:
        """The same in PyTorch."""
        return TWINS[self.name]

    @cached_property
    def experiment(self) -> Experiment:
        """What the configuration describes."""
        path = CONFIGS / f"{self.name}.yaml"
        return prepare(path, self.twin.overrides, load_pretrained=False).experiment

    @cached_property
    def start(self) -> Values:
        """Weights and running statistics, in float32."""
        parameters = Model(self.experiment.graph, self.draw).parameters
        rng = np.random.default_rng([self.draw, 1])
        for weight in parameters.weights.values():
            weight += 0.05 * rng.standard_normal(weight.shape, np.float32)
        return parameters.arrays()

    def feeds(self, dtype: type) -> Values:
        """Ten batches for every input of the graph: values from 0 to 1, and classes."""
        rng = np.random.default_rng([self.draw, 2])
        experiment, count, feeds = self.experiment, BATCHES * self.twin.batch, {}
        for name, spec in experiment.graph.inputs.items():
            if spec.integer:
                classes = experiment.info.target_named(experiment.targets[name]).size
                feeds[name] = rng.integers(classes, size=count)
            else:
                feeds[name] = rng.random((count, *spec.shape), np.float32).astype(dtype)
        return feeds

    # --- ours ------------------------------------------------------------------------------------

    def _model(self, dtype: type, threads: int = 1) -> Model:
        model = Model(self.experiment.graph, 0, dtype, threads=threads)
        model.parameters.load(self.start)
        return model

    def our_gradients(self, dtype: type, threads: int = 1) -> Values:
        """Output, loss, gradients and running statistics of the first batch."""
        model, output = self._model(dtype, threads), self.experiment.output
        binding = model.training_executor(self.twin.batch, (output,))
        for name, feed in self.feeds(dtype).items():
            binding.inputs[name][...] = feed[: self.twin.batch]
        binding.forward()
        found = {"output": binding.values[output].copy(), "loss": np.array(binding.loss())}
        binding.backward()
        gradients = model.parameters.gradients.items()
        return found | {f"∂{name}": g for name, g in gradients} | model.parameters.state

    def our_steps(self, dtype: type) -> Values:
        """Weights and running statistics after fifty steps by the configuration's rules."""
        model, config, feeds = self._model(dtype), self.experiment.config, self.feeds(dtype)
        epochs, batch = self._course
        options = TrainOptions(epochs, config.schedule)
        loop = TrainLoop(model, config.optimizer, feeds, batch, 0, shuffle=False, options=options)
        for epoch in range(1, epochs + 1):
            loop.run_epoch(epoch, EpochMetrics())
        return model.parameters.arrays()

    @property
    def _course(self) -> tuple[int, int]:
        """Epochs and samples a step that make fifty steps."""
        whole = self.twin.whole
        return (STEPS, BATCHES * self.twin.batch) if whole else (EPOCHS, self.twin.batch)

    # --- theirs ----------------------------------------------------------------------------------

    def _net(self, dtype: type) -> tuple[nn.Module, dict[str, Tensor]]:
        """PyTorch's network with our start, and its tensors by our names."""
        net = self.twin.net().to(torch.from_numpy(np.zeros(0, dtype)).dtype)
        named = dict(tensors(self.experiment, net))
        assert named.keys() == self.start.keys()
        with torch.no_grad():
            for name, tensor in named.items():
                turned(tensor).copy_(torch.from_numpy(self.start[name]))
        return net, named

    def their_gradients(self, dtype: type) -> Values:
        """As ours."""
        net, named = self._net(dtype)
        output, loss = self.twin.judge(net, next(self._batches(dtype, self.twin.batch)))
        torch.autograd.backward(loss)
        found = {"output": array(output), "loss": array(loss)}
        for name, tensor in named.items():
            if isinstance(tensor, nn.Parameter):
                assert tensor.grad is not None
                found[f"∂{name}"] = array(turned(tensor.grad))
            else:
                found[name] = array(tensor)
        return found

    def their_steps(self, dtype: type) -> Values:
        """As ours."""
        net, named = self._net(dtype)
        optimizer = self.twin.optimizer(net.parameters())
        schedule = self.twin.schedule(optimizer) if self.twin.schedule else None
        epochs, batch = self._course
        for _ in range(epochs):
            for feeds in self._batches(dtype, batch):
                optimizer.zero_grad()
                torch.autograd.backward(self.twin.judge(net, feeds)[1])
                optimizer.step()
            if schedule is not None:
                schedule.step()
        return {name: array(turned(tensor)) for name, tensor in named.items()}

    def _batches(self, dtype: type, size: int) -> Iterator[Mapping[str, Tensor]]:
        feeds = {name: torch.from_numpy(feed) for name, feed in self.feeds(dtype).items()}
        for start in range(0, BATCHES * self.twin.batch, size):
            yield {name: feed[start : start + size] for name, feed in feeds.items()}


def tensors(experiment: Experiment, net: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """PyTorch's parameters and running statistics by our names.

    The places that own weights and the modules that do stand in the same order.
    """
    graph = experiment.graph
    owners = [p for p in graph.order if graph.owners[p.name] == p.name and graph.plans[p.name].w]
    attentions = [m for m in net.modules() if isinstance(m, nn.MultiheadAttention)]
    inner = {child for module in attentions for child in module.children()}
    modules = [m for m in net.modules() if m not in inner and [*m.parameters(recurse=False)]]
    for place, module in zip(owners, modules, strict=True):
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if name != "num_batches_tracked":
                yield f"{place.name}.{name.replace('.', '_').removesuffix('_l0')}", tensor


def turned(tensor: Tensor) -> Tensor:
    """Matrices (outputs, inputs) and kernels (outputs, inputs, …) as ours: (…, inputs, outputs)."""
    return tensor if tensor.ndim < 2 else tensor.permute(*range(2, tensor.ndim), 1, 0)


def array(tensor: Tensor) -> Array:
    """A copy of the values."""
    return tensor.detach().numpy().copy()
