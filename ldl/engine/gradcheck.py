"""Central differences against backward: is every gradient of a network right?"""

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

STEPS = (1e-5, 1e-6, 1e-7)  # near the cube root of float64's precision, and below it
GOOD = 1e-6  # an error at which no smaller step is tried


@dataclass(frozen=True)
class Gradient:
    """How far backward is from central differences for one weight or input.

    `error` is max |a − d| / max(|a|, |d|, floor) over the `checked` entries, a from backward and
    d from differences. The floor is a thousandth of the array's largest gradient, or what makes
    the rounding of the loss, ε·|L|/h, an error of 10⁻⁶, if that is more. What is not finite, the
    loss among it, is an infinite error.
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
) -> list[Gradient]:
    """∂L/∂w by (L(w + h) − L(w − h)) / 2h against backward, in float64, a row an array.

    `inputs` holds every input of the graph, (N, …). At most `entries` of each array are checked,
    drawn from the seed, with h = 10⁻⁵, and where that is off with a tenth and a hundredth of it: a
    kink of relu or max within h is no fault, and a wrong gradient is wrong at every h. Every
    weight is moved by N(0, 0.01²) first: biases of 0 would put layers on the kink of relu, where
    there is no gradient. The random streams are rewound before every pass, so that dropout drops
    the same values in all of them. An input that is also a target is left out of
    `input_gradients`: differences would see both of its roles. Source: the two-sided difference
    quotient, error O(h²).
    """
    parameters = Parameters(graph, seed, np.float64)
    parameters.theta += 0.01 * stream(seed, "gradcheck weights").normal(size=parameters.theta.size)
    samples = len(next(iter(inputs.values())))
    binding = Executor(
        graph, parameters, samples, gradients=True, input_gradients=input_gradients, training=True
    )
    for name, array in binding.inputs.items():
        array[...] = inputs[name]
    states = {name: rng.bit_generator.state for name, rng in parameters.streams.items()}
    kept = {name: array.copy() for name, array in parameters.state.items()}

    def loss() -> float:
        for name, state in states.items():
            parameters.streams[name].bit_generator.state = state
        for name, array in kept.items():
            parameters.state[name][...] = array
        with np.errstate(all="ignore"):
            binding.forward()
        return binding.loss()

    rounding = 1e6 * float(np.finfo(np.float64).eps) * abs(loss())
    binding.backward()
    arrays = {
        name: (w, parameters.gradients[name].copy()) for name, w in parameters.weights.items()
    }
    targets = {loss.inputs[1] for loss in graph.losses}  # no gradient flows there, by design
    for name, gradient in binding.input_gradients.items():
        if name in targets:
            continue
        arrays[f"input {name}"] = (binding.inputs[name], gradient.copy())
    rng = stream(seed, "gradcheck")
    results = []
    for name, (values, gradient) in arrays.items():
        chosen = rng.permutation(values.size)[:entries]
        worst = _worst(values.reshape(-1), gradient.reshape(-1), chosen, rounding, loss)
        results.append(Gradient(name, len(chosen), values.size, worst))
    return results


def _worst(
    values: Array, gradient: Array, chosen: Array, rounding: float, loss: Callable[[], float]
) -> float:
    """The largest error of the chosen entries, each at the step that suits it best."""
    floor = max(1e-3 * float(np.abs(gradient).max(initial=0.0)), 1e-12)
    worst = 0.0
    for i in chosen:
        least, analytic = inf, float(gradient[i])
        for step in STEPS:
            difference = _difference(values, i, step, loss)
            scale = max(abs(difference), abs(analytic), floor, rounding / step)
            error = abs(difference - analytic) / scale
            least = min(least, error if isfinite(error) else inf)
            if least < GOOD:
                break
        worst = max(worst, least)
    return worst


def _difference(flat: Array, i: int, step: float, loss: Callable[[], float]) -> float:
    """(L(w + h) − L(w − h)) / 2h for the entry `i`, which is put back."""
    here = float(flat[i])
    flat[i] = here + step
    above = loss()
    flat[i] = here - step
    below = loss()
    flat[i] = here
    return (above - below) / (2 * step)
