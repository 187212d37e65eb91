"""A network in the engine and in PyTorch, with the same weights and batches: one step, or fifty."""

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

from .torch_networks import TORCH_EXPERIMENTS, TorchExperiment

CONFIGS = Path(__file__).parents[2] / "configs"
EPOCHS, BATCHES = 5, 10
STEPS = EPOCHS * BATCHES
Values = dict[str, Array]  # outputs, gradients, weights and state, by the engine's names


@dataclass(frozen=True)
class Comparison:
    """The network of a configuration in the engine and in PyTorch, with data of a seed.

    Weights have the initial values of the engine plus noise, so that no bias is 0.
    """

    name: str
    seed: int

    @property
    def counterpart(self) -> TorchExperiment:
        """The experiment in PyTorch."""
        return TORCH_EXPERIMENTS[self.name]

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment of the configuration."""
        path = CONFIGS / f"{self.name}.yaml"
        return prepare(path, self.counterpart.overrides, load_pretrained=False).experiment

    @cached_property
    def initial(self) -> Values:
        """Weights and running statistics before the first step, in float32."""
        parameters = Model(self.experiment.graph, self.seed).parameters
        rng = np.random.default_rng([self.seed, 1])
        for weight in parameters.weights.values():
            weight += 0.05 * rng.standard_normal(weight.shape, np.float32)
        return parameters.arrays()

    def inputs(self, dtype: type) -> Values:
        """Ten batches for every input of the graph: values from 0 to 1, and class indices."""
        rng = np.random.default_rng([self.seed, 2])
        experiment, count, arrays = self.experiment, BATCHES * self.counterpart.batch, {}
        for name, spec in experiment.graph.inputs.items():
            if spec.integer:
                classes = experiment.info.target_named(experiment.targets[name]).size
                arrays[name] = rng.integers(classes, size=count)
            else:
                arrays[name] = rng.random((count, *spec.shape), np.float32).astype(dtype)
        return arrays

    # --- the engine ------------------------------------------------------------------------------

    def _model(self, dtype: type, threads: int = 1) -> Model:
        model = Model(self.experiment.graph, 0, dtype, threads=threads)
        model.parameters.load(self.initial)
        return model

    def engine_gradients(self, dtype: type, threads: int = 1) -> Values:
        """Output, loss, gradients and running statistics of the first batch."""
        model, output = self._model(dtype, threads), self.experiment.output
        executor = model.training_executor(self.counterpart.batch, (output,))
        for name, array in self.inputs(dtype).items():
            executor.inputs[name][...] = array[: self.counterpart.batch]
        executor.forward()
        values = {"output": executor.values[output].copy(), "loss": np.array(executor.loss())}
        executor.backward()
        gradients = model.parameters.gradients.items()
        return values | {f"∂{name}": g for name, g in gradients} | model.parameters.state

    def engine_steps(self, dtype: type) -> Values:
        """Weights and running statistics after fifty steps of the configuration."""
        model, config = self._model(dtype), self.experiment.config
        epochs, batch = self._epochs_and_batch
        options = TrainOptions(epochs, config.schedule)
        loop = TrainLoop(
            model, config.optimizer, self.inputs(dtype), batch, 0, shuffle=False, options=options
        )
        for epoch in range(1, epochs + 1):
            loop.run_epoch(epoch, EpochMetrics())
        return model.parameters.arrays()

    @property
    def _epochs_and_batch(self) -> tuple[int, int]:
        """The numbers of epochs, and of samples in a batch, of fifty steps."""
        batch = self.counterpart.batch
        return (STEPS, BATCHES * batch) if self.counterpart.full_batch else (EPOCHS, batch)

    # --- PyTorch ---------------------------------------------------------------------------------

    def _module(self, dtype: type) -> tuple[nn.Module, dict[str, Tensor]]:
        """The PyTorch network with the initial weights, and its tensors by the engine's names."""
        module = self.counterpart.module().to(torch.from_numpy(np.zeros(0, dtype)).dtype)
        tensors = dict(named_tensors(self.experiment, module))
        assert tensors.keys() == self.initial.keys()
        with torch.no_grad():
            for name, tensor in tensors.items():
                transposed(tensor).copy_(torch.from_numpy(self.initial[name]))
        return module, tensors

    def torch_gradients(self, dtype: type) -> Values:
        """Output, loss, gradients and running statistics of the first batch, by PyTorch."""
        module, tensors = self._module(dtype)
        batch = next(self._batches(dtype, self.counterpart.batch))
        output, loss = self.counterpart.output_and_loss(module, batch)
        torch.autograd.backward(loss)
        values = {"output": to_array(output), "loss": to_array(loss)}
        for name, tensor in tensors.items():
            if isinstance(tensor, nn.Parameter):
                assert tensor.grad is not None
                values[f"∂{name}"] = to_array(transposed(tensor.grad))
            else:
                values[name] = to_array(tensor)
        return values

    def torch_steps(self, dtype: type) -> Values:
        """Weights and running statistics after fifty steps of the configuration, by PyTorch."""
        module, tensors = self._module(dtype)
        counterpart = self.counterpart
        optimizer = counterpart.optimizer(module.parameters())
        schedule = counterpart.schedule(optimizer) if counterpart.schedule else None
        epochs, batch_size = self._epochs_and_batch
        for _ in range(epochs):
            for batch in self._batches(dtype, batch_size):
                optimizer.zero_grad()
                torch.autograd.backward(counterpart.output_and_loss(module, batch)[1])
                optimizer.step()
            if schedule is not None:
                schedule.step()
        return {name: to_array(transposed(tensor)) for name, tensor in tensors.items()}

    def _batches(self, dtype: type, size: int) -> Iterator[Mapping[str, Tensor]]:
        inputs = {name: torch.from_numpy(array) for name, array in self.inputs(dtype).items()}
        for start in range(0, BATCHES * self.counterpart.batch, size):
            yield {name: tensor[start : start + size] for name, tensor in inputs.items()}


def named_tensors(experiment: Experiment, network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The parameters and running statistics of a PyTorch network by the engine's names.

    Nodes that own weights and PyTorch modules with parameters have the same order.
    """
    graph = experiment.graph
    owners = [p for p in graph.order if graph.owners[p.name] == p.name and graph.plans[p.name].w]
    attentions = [m for m in network.modules() if isinstance(m, nn.MultiheadAttention)]
    inner = {child for module in attentions for child in module.children()}
    modules = [m for m in network.modules() if m not in inner and [*m.parameters(recurse=False)]]
    for node, module in zip(owners, modules, strict=True):
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if name != "num_batches_tracked":
                yield f"{node.name}.{name.replace('.', '_').removesuffix('_l0')}", tensor


def transposed(tensor: Tensor) -> Tensor:
    """PyTorch's (outputs, inputs, …) in the axes of the engine, (…, inputs, outputs)."""
    return tensor if tensor.ndim < 2 else tensor.permute(*range(2, tensor.ndim), 1, 0)


def to_array(tensor: Tensor) -> Array:
    """A copy of the values."""
    return tensor.detach().numpy().copy()
