"""Principal components, what a linear autoencoder can do at best."""

from __future__ import annotations

import numpy as np

from ldl.arrays import Array
from ldl.evaluate.codes import repeatable


def rebuild(
    train: Array, given: Array, components: int, notes: list[str]
) -> tuple[Array, float, int]:
    """Samples (n, …) from their first principal components, the share of variance, how many.

    Fitted on `train`: x̂ = μ + (x − μ)·V·Vᵀ, V (d, k) the covariance's leading eigenvectors. Fewer
    components where the data has no more. Source: Pearson, 1901; scikit-learn's PCA.
    """
    from sklearn.decomposition import PCA

    flat = train.reshape(len(train), -1).astype(np.float64)
    count = min(components, *flat.shape)
    solver = "covariance_eigh" if flat.shape[1] <= len(flat) else "full"
    with repeatable(notes):
        pca = PCA(count, svd_solver=solver).fit(flat)
        rebuilt = pca.inverse_transform(pca.transform(given.reshape(len(given), -1)))
    share = float(pca.explained_variance_ratio_.sum())
    return rebuilt.astype(np.float32).reshape(given.shape), share, count
