"""Gradient check: the gradients of backward against central differences of the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np

from ldl.arrays import Array
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph
from ldl.engine.parameters import Parameters
from ldl.engine.streams import stream

STEPS = (1e-5, 1e-6, 1e-7)  # h: near the cube root of float64's precision, and smaller
TOLERANCE = 1e-6  # at or above this error the next smaller h is tried


@dataclass(frozen=True)
class GradientCheck:
    """The error of backward for one weight or input.

    `error` is max |a − d| / max(|a|, |d|, floor) over the `checked` of `size` entries, a from
    backward and d from differences. The floor is a thousandth of the array's largest gradient, or
    10⁶·ε·|L|/h if that is more, so that rounding of the loss is an error below 10⁻⁶. A loss or
    gradient that is not finite is an infinite error.
    """

    name: str
    checked: int
    size: int
    error: float


def gradcheck(
    graph: Graph,
    inputs: Mapping[str, Array],
    seed: int = 0,
    entries: int = 100,
    input_gradients: bool = False,
) -> list[GradientCheck]:
    """∂L/∂w by (L(w + h) − L(w − h)) / 2h against backward, in float64; a row for each array.

    `inputs` holds every input of the graph, (N, …). At most `entries` of each array are checked,
    drawn from the seed, with h = 10⁻⁵, and where the error is large with 10⁻⁶ and 10⁻⁷: a right
    gradient may differ at a kink of relu or max within h, a wrong one differs for every h. Weights
    are perturbed by N(0, 0.01²) first, because biases of 0 put layers on the kink of relu, where
    there is no gradient. The random streams are restored before every pass, so that all passes
    have the same dropout mask. `input_gradients` leaves out inputs that are also targets, where
    differences would include both roles. Source: the two-sided difference quotient, error O(h²).
    """
    parameters = Parameters(graph, seed, np.float64)
    parameters.theta += 0.01 * stream(seed, "gradcheck weights").normal(size=parameters.theta.size)
    samples = len(next(iter(inputs.values())))
    executor = Executor(
        graph, parameters, samples, gradients=True, input_gradients=input_gradients, training=True
    )
    for name, array in executor.inputs.items():
        array[...] = inputs[name]
    stream_states = {name: rng.bit_generator.state for name, rng in parameters.streams.items()}
    saved_state = {name: array.copy() for name, array in parameters.state.items()}

    def loss() -> float:
        for name, state in stream_states.items():
            parameters.streams[name].bit_generator.state = state
        for name, array in saved_state.items():
            parameters.state[name][...] = array
        with np.errstate(all="ignore"):
            executor.forward()
        return executor.loss()

    rounding = 1e6 * float(np.finfo(np.float64).eps) * abs(loss())
    executor.backward()
    arrays = {
        name: (w, parameters.gradients[name].copy()) for name, w in parameters.weights.items()
    }
    targets = {loss.inputs[1] for loss in graph.losses}  # losses give no gradient of their target
    for name, gradient in executor.input_gradients.items():
        if name in targets:
            continue
        arrays[f"input {name}"] = (executor.inputs[name], gradient.copy())
    rng = stream(seed, "gradcheck")
    results = []
    for name, (values, gradient) in arrays.items():
        indices = rng.permutation(values.size)[:entries]
        max_error = _max_error(values.reshape(-1), gradient.reshape(-1), indices, rounding, loss)
        results.append(GradientCheck(name, len(indices), values.size, max_error))
    return results


def _max_error(
    values: Array, gradient: Array, indices: Array, rounding: float, loss: Callable[[], float]
) -> float:
    """The largest error of the entries at `indices`, each at the step with the smallest error."""
    floor = max(1e-3 * float(np.abs(gradient).max(initial=0.0)), 1e-12)
    max_error = 0.0
    for i in indices:
        min_error, analytic = inf, float(gradient[i])
        for step in STEPS:
            numeric = _difference(values, i, step, loss)
            scale = max(abs(numeric), abs(analytic), floor, rounding / step)
            error = abs(numeric - analytic) / scale
            min_error = min(min_error, error if isfinite(error) else inf)
            if min_error < TOLERANCE:
                break
        max_error = max(max_error, min_error)
    return max_error


def _difference(values: Array, i: int, step: float, loss: Callable[[], float]) -> float:
    """(L(w + h) − L(w − h)) / 2h for the entry `i`, which has its old value afterwards."""
    value = float(values[i])
    values[i] = value + step
    loss_above = loss()
    values[i] = value - step
    loss_below = loss()
    values[i] = value
    return (loss_above - loss_below) / (2 * step)
