"""Inner values of a network as points, and reproducible calls of scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ldl.arrays import Array
from ldl.data.dataset import Split
from ldl.engine.streams import stream
from ldl.evaluate.context import EvaluationContext


def latents(
    context: EvaluationContext, node: str, split: Split, indices: Array | None = None
) -> Array:
    """The node's values for the split's inputs, or for some of its samples, float64 (n, d)."""
    inputs = split.inputs
    if indices is not None:
        inputs = {name: x[indices] for name, x in inputs.items()}
    values = context.node_values(node, inputs)
    return values.reshape(len(values), -1).astype(np.float64)


def random_stream(context: EvaluationContext, *names: str | int) -> np.random.Generator:
    """The random stream of these names, from the run's seed."""
    return stream(context.seed, "evaluate", *names)


def sample_stream(context: EvaluationContext, *names: str | int) -> np.random.Generator:
    """The random stream that draws samples and noise to evaluate, from the seed of the split."""
    return stream(context.split_seed, "evaluate", *names)


def random_state(context: EvaluationContext, *names: str | int) -> int:
    """A seed for scikit-learn, from the random stream of these names."""
    return int(random_stream(context, *names).integers(2**31))


@contextmanager
def deterministic(notes: list[str]) -> Iterator[None]:
    """Within `with`, BLAS uses one thread, so that sums have one order.

    Warnings are added to the evaluation's notes.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    messages = [" ".join(str(warning.message).split()).rstrip(".") for warning in caught]
    notes += [message for message in dict.fromkeys(messages) if message not in notes]


def pca_reconstruction(
    train: Array, x: Array, components: int, notes: list[str]
) -> tuple[Array, float, int]:
    """x̂ = μ + (x − μ)·V·Vᵀ, V (d, k) the leading eigenvectors of the covariance of `train`.

    Gives x̂, shaped like `x` (n, …) and float32, the share of variance, and k: `components`, or
    fewer where the data has no more. Source: Pearson, 1901; scikit-learn's PCA.
    """
    from sklearn.decomposition import PCA

    flat = train.reshape(len(train), -1).astype(np.float64)
    count = min(components, *flat.shape)
    solver = "covariance_eigh" if flat.shape[1] <= len(flat) else "full"
    with deterministic(notes):
        pca = PCA(count, svd_solver=solver).fit(flat)
        reconstruction = pca.inverse_transform(pca.transform(x.reshape(len(x), -1)))
    variance = float(pca.explained_variance_ratio_.sum())
    return reconstruction.astype(np.float32).reshape(x.shape), variance, count
