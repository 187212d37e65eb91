"""The evaluation `clustering`: k-means on a network's inner values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.data.data_spec import SplitSpec
from ldl.data.dataset import DatasetInfo
from ldl.data.split import split_sizes
from ldl.errors import DataError
from ldl.evaluate.context import (
    EvaluatedSplit,
    EvaluationContext,
    NodeEvaluation,
    SplitSetting,
    Task,
    labels,
)
from ldl.evaluate.latents import deterministic, latents, random_state
from ldl.evaluate.result_files import write_arrays, write_contingency
from ldl.evaluate.sample_images import sample_images
from ldl.fields import Alias, Doc, Size


@dataclass(frozen=True)
class Clustering(NodeEvaluation):
    """min over μ of Σₙ minᵣ ‖zₙ − μᵣ‖²: k-means on the values z (n, d) of one node, μ (k, d).

    The centres are fitted on the training split: k-means++, the best of `n_init` starts,
    Lloyd's algorithm. Each evaluated sample belongs to the nearest centre. Where there are
    classes, the clusters are compared with them: `purity` is the share of samples in whose
    cluster their class is the most frequent one, given in all, for each cluster, and for each
    class over the clusters named after it, and as `main_cluster_purity` its share of the
    cluster that holds most of it; normalised mutual information (arithmetic mean); adjusted
    Rand index. `inertia` is the mean squared distance of an evaluated sample from its centre.
    `silhouette` compares the distances within a cluster with those to the next one, from −1 to
    1 (Rousseeuw, 1987). Clusters are ordered by their most frequent class.
    Writes `contingency/clustering.csv`, rows clusters, columns classes; `plots/clusters.npz` where
    d is 2; `plots/cluster_centres.npz`, the centres decoded to images, for images.
    Source: Lloyd, Least squares quantization in PCM, 1982; Arthur and Vassilvitskii, k-means++,
    2007; scikit-learn's KMeans.
    """

    node: Annotated[
        str, Doc("the name of a node: a layer's, `code`, or an input's"), Alias("place")
    ] = "code"
    k: Annotated[Size | None, Doc("number of clusters; null: as many as there are classes")] = None
    n_init: Annotated[Size, Doc("starts, of which the best counts")] = 10
    split: SplitSetting = "test"

    def data_problem(self, info: DatasetInfo, task: Task) -> str | None:
        """The data needs classes, or `k` a value."""
        if self.k is None and info.target.kind != "classes":
            return "clustering: the data has no classes to count: say how many clusters with `k`"
        return None

    def size_problem(self, info: DatasetInfo, split: SplitSpec) -> str | None:
        """Each cluster needs a training sample."""
        k = self.k or info.target.size
        train = split_sizes(split, info).train
        return f"clustering: {k} clusters of {train} training samples" if k > train else None

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """Inertia and silhouette; purities, NMI and ARI where there are classes."""
        evaluated = self.select_split(context, self.split)
        notes, info = list(evaluated.notes), context.dataset.info
        points = latents(context, self.node, evaluated.split)
        centres, clusters = self._cluster(context, points, notes)
        results = {
            "place": self.node,
            "k": len(centres),
            "inertia": np.square(points - centres[clusters]).sum(axis=1).mean(),
            "silhouette": metrics.silhouette(points, clusters),
        }
        names = [f"c{r + 1}" for r in range(len(centres))]
        majority = np.full(len(centres), "")
        if info.target.kind == "classes":
            classes = info.target.names
            counts = metrics.contingency_matrix(
                clusters, labels(evaluated.split), len(centres), len(classes)
            )
            order, majority = _by_majority_class(counts, classes)
            counts, centres, clusters = counts[order], centres[order], np.argsort(order)[clusters]
            path = evaluated.contingency("clustering")
            write_contingency(path, counts, names, classes, corner="cluster\\true")
            results |= _purities(counts, names, classes)
        self._write_points(evaluated, points, clusters, centres)
        self._write_centres(evaluated, clusters, centres, majority)
        return evaluated.results(results, notes)

    def _cluster(
        self, context: EvaluationContext, points: Array, notes: list[str]
    ) -> tuple[Array, Array]:
        """Centres (k, d) of the training split, and the nearest one (n,) of each point."""
        from sklearn.cluster import KMeans

        train = latents(context, self.node, context.dataset.train)
        k = self.k or context.dataset.info.target.size
        if k > len(train):
            raise DataError(f"clustering: {k} clusters of {len(train)} training samples")
        seed = random_state(context, "clustering", self.node)
        with deterministic(notes):
            kmeans = KMeans(k, n_init=self.n_init, random_state=seed).fit(train)
            return kmeans.cluster_centers_, kmeans.predict(points)

    def _write_points(
        self, evaluated: EvaluatedSplit, points: Array, clusters: Array, centres: Array
    ) -> None:
        """Write the points of a node with two values, which can be drawn in the plane."""
        if points.shape[1] != 2:
            return
        target = evaluated.context.dataset.info.target
        has_classes = target.kind == "classes"
        write_arrays(
            evaluated.plot("clusters", "npz"),
            place=np.array(self.node),
            points=points.astype(np.float32),
            labels=labels(evaluated.split) if has_classes else np.zeros(len(points), np.int64),
            clusters=clusters,
            centres=centres.astype(np.float32),
            names=np.array(target.names if has_classes else ("sample",)),
        )

    def _write_centres(
        self, evaluated: EvaluatedSplit, clusters: Array, centres: Array, majority: Array
    ) -> None:
        """Write the centres as images, where the inputs are images and the node can be decoded."""
        context = evaluated.context
        if context.dataset.info.image is None:
            return
        z = centres.astype(np.float32)
        if self.node != "x":
            decode = context.decoder(self.node) if context.task == "reconstruction" else None
            if decode is None:
                return
            z = decode(z.reshape(-1, *context.network.shapes[self.node]))
        sizes = np.bincount(clusters, minlength=len(centres))
        images = sample_images(z, context.dataset.info)
        path = evaluated.plot("cluster_centres", "npz")
        write_arrays(path, images=images, names=majority, sizes=sizes)


def _by_majority_class(counts: Array, classes: tuple[str, ...]) -> tuple[Array, Array]:
    """The order of the clusters by their most frequent class, the largest first; these classes."""
    occupied = counts.sum(axis=1) > 0
    majority = np.where(occupied, counts.argmax(axis=1), len(classes))
    order = np.lexsort((-counts.max(axis=1), majority))
    return order, np.array([*classes, ""])[majority[order]]


def _purities(counts: Array, names: list[str], classes: tuple[str, ...]) -> dict[str, Any]:
    by_cluster = metrics.cluster_purity(counts)
    by_class = zip(metrics.class_purity(counts), metrics.main_cluster_purity(counts), strict=True)
    clusters = {
        name: {
            "class": classes[int(row.argmax())] if row.sum() else None,
            "purity": value,
            "samples": int(row.sum()),
        }
        for name, row, value in zip(names, counts, by_cluster, strict=True)
    }
    return {
        "purity": metrics.purity(counts),
        "median_purity": np.nanmedian(by_cluster),
        "lowest_purity": np.nanmin(by_cluster),
        "nmi": metrics.nmi(counts),
        "ari": metrics.ari(counts),
        "classes": {
            name: {"purity": value, "main_cluster_purity": main}
            for name, (value, main) in zip(classes, by_class, strict=True)
        },
        "clusters": clusters,
    }
