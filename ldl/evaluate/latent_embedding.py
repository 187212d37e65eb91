"""The evaluation `embedding`: a network's inner values in the plane, by t-SNE and PCA."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Annotated, Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.data.dataset import DatasetInfo, Split
from ldl.data.split import random_split
from ldl.evaluate.context import (
    EvaluationContext,
    NetworkInfo,
    NodeEvaluation,
    SettingProblem,
    SplitSetting,
    labels,
)
from ldl.evaluate.latents import deterministic, latents, random_state, sample_stream
from ldl.evaluate.result_files import write_arrays
from ldl.fields import Alias, Doc, Positive, Size

NEIGHBOURS = 5
MIN_POINTS = 4
MAX_PAIRS = 45  # of classes in the results: all of ten classes
Plane = dict[str, Array]  # points (n, 2) by split
Classes = dict[str, Array]  # class indices (n,) by split; empty without classes


@dataclass(frozen=True)
class LatentEmbedding(NodeEvaluation):
    """t-SNE: y (n, 2) minimises Σ p·ln(p/q), p of neighbours among z (n, d), q among y; and PCA.

    Points are the values of one node, of the training split and of the evaluated split, at most
    `samples` of each, in the classes' proportions. t-SNE embeds both splits together, since it
    cannot add a point later; principal components are fitted on the training split. Where there
    are classes, `neighbours` is the share of a split's points whose class is the most frequent one
    among their five nearest points of that split, `overlap` the two classes most often confused in
    this way, and `confused` the share of points of each confused pair, with the mean of all pairs.
    `kl_divergence` is what t-SNE has minimised, `variance` the share of the two components.
    Writes `plots/tsne.npz` and `plots/pca.npz`.
    Source: van der Maaten and Hinton, Visualizing Data using t-SNE, 2008, by Barnes and Hut's
    approximation (van der Maaten, 2014) from the PCA, as in scikit-learn.
    """

    node: Annotated[str, Doc("the name of the node whose values are points"), Alias("place")] = (
        "code"
    )
    samples: Annotated[Size, Doc("of either split, at most; t-SNE's time grows with n·ln n")] = 1000
    perplexity: Annotated[
        Positive, Doc("about how many neighbours count; at most a third of the points")
    ] = 30.0
    split: SplitSetting = "test"

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """The network needs the node, with two values or more."""
        problems = super().network_problems(info, network)
        if not problems and prod(network.shapes[self.node]) < 2:
            return [("node", f"embedding needs two numbers at least; {self.node} has one")]
        return problems

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """How often neighbours in the plane share a class, and the quality of both embeddings."""
        evaluated = self.select_split(context, self.split)
        notes, splits = list(evaluated.notes), {"training": context.dataset.train}
        if evaluated.name != "train":
            splits[evaluated.name] = evaluated.split
        indices = {
            name: self._choose_samples(context, name, split) for name, split in splits.items()
        }
        points = [latents(context, self.node, split, indices[n]) for n, split in splits.items()]
        z = np.concatenate(points)
        if len(z) < MIN_POINTS or len(points[0]) < 2 or np.ptp(z, axis=0).max() == 0:
            notes.append("too few samples, or all equal: there is no embedding")
            return evaluated.results({"samples": len(z)}, notes)
        target = context.dataset.info.target
        classes: Classes = {}
        if target.kind == "classes":
            classes = {name: labels(split)[indices[name]] for name, split in splits.items()}
        results: dict[str, Any] = {}
        for name, embed in (("tsne", self._tsne), ("pca", _pca)):
            embedded, results[name] = embed(context, points, notes)
            plane = dict(zip(splits, embedded, strict=True))
            if classes:
                results[name] |= _agreements(plane, classes, target.names)
            arrays = _plot_arrays(plane, classes, target.names)
            write_arrays(evaluated.plot(name, "npz"), place=np.array(self.node), **arrays)
        counts = {name: len(rows) for name, rows in indices.items()}
        head = {"samples": len(points[-1]), "place": self.node, "points": counts}
        units = {"kl_divergence": "nats"}
        return evaluated.results({**head, **results, "units": units}, notes)

    def _choose_samples(self, context: EvaluationContext, name: str, split: Split) -> Array:
        """Indices of the split's samples that become points, in ascending order."""
        if len(split) <= self.samples:
            return np.arange(len(split))
        strata = labels(split) if context.dataset.info.target.kind == "classes" else None
        rng = sample_stream(context, "embedding", name)
        (indices,) = random_split(len(split), [self.samples], strata, rng)
        return np.sort(indices)

    def _tsne(
        self, context: EvaluationContext, points: list[Array], notes: list[str]
    ) -> tuple[list[Array], dict[str, Any]]:
        from sklearn.manifold import TSNE

        z = np.concatenate(points)
        perplexity = min(self.perplexity, (len(z) - 1) / 3)
        seed = random_state(context, "embedding", self.node)
        with deterministic(notes):
            tsne = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
            y = tsne.fit_transform(z)
        results = {"kl_divergence": tsne.kl_divergence_, "perplexity": perplexity}
        return np.split(y, np.cumsum([len(p) for p in points])[:-1]), results


def _pca(
    context: EvaluationContext, points: list[Array], notes: list[str]
) -> tuple[list[Array], dict[str, Any]]:
    from sklearn.decomposition import PCA

    with deterministic(notes):
        pca = PCA(2, svd_solver="full").fit(points[0])
        embedded = [pca.transform(z) for z in points]
    return embedded, {"variance": pca.explained_variance_ratio_.sum()}


def _agreements(plane: Plane, classes: Classes, names: tuple[str, ...]) -> dict[str, Any]:
    """`neighbours`, `overlap` and `confused` by split."""
    agreements = {split: _agreement(y, classes[split], names) for split, y in plane.items()}
    keys = ("neighbours", "overlap", "confused")
    return {
        key: {split: agreement[i] for split, agreement in agreements.items()}
        for i, key in enumerate(keys)
    }


def _agreement(
    y: Array, classes: Array, names: tuple[str, ...]
) -> tuple[float | None, list[str] | None, dict[str, float] | None]:
    """The share of points in whose neighbourhood their class wins; how often pairs are confused.

    None for a single point; no most confused pair where no class is taken for another.
    """
    from scipy.spatial import cKDTree

    count = min(NEIGHBOURS, len(y) - 1)
    if count < 1:
        return None, None, None
    nearest = cKDTree(y).query(y, count + 1)[1]
    is_self = nearest == np.arange(len(y))[:, None]
    is_self[~is_self.any(axis=1), -1] = True  # of equal points, the query may omit the point itself
    neighbour_classes = classes[nearest[~is_self].reshape(len(y), count)]
    votes = np.stack([(neighbour_classes == c).sum(axis=1) for c in range(len(names))], axis=1)
    counts = metrics.contingency_matrix(classes, votes.argmax(axis=1), len(names))
    share = float(np.trace(counts) / counts.sum())
    first, second = np.triu_indices(len(names), 1)
    shares = (counts + counts.T)[first, second] / counts.sum()
    order = np.argsort(-shares, kind="stable")[:MAX_PAIRS]
    pairs = [[names[first[i]], names[second[i]]] for i in order]
    confused = {"-".join(pair): float(shares[i]) for pair, i in zip(pairs, order, strict=True)}
    overlap = pairs[0] if shares.any() else None
    return share, overlap, {"mean": float(shares.mean()) if len(shares) else 0.0, **confused}


def _plot_arrays(plane: Plane, classes: Classes, names: tuple[str, ...]) -> dict[str, Array]:
    """The points, their classes and splits, in one array each."""
    split_indices = np.concatenate([np.full(len(y), i) for i, y in enumerate(plane.values())])
    return {
        "points": np.concatenate(list(plane.values())).astype(np.float32),
        "labels": (
            np.concatenate(list(classes.values())) if classes else np.zeros_like(split_indices)
        ),
        "part": split_indices,
        "parts": np.array(list(plane)),
        "names": np.array(names if classes else ("sample",)),
    }
