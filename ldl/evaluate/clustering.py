"""Which classes a network's inner values fall into by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.errors import DataError
from ldl.evaluate.codes import codes, random_state, repeatable
from ldl.evaluate.context import Context, Judged, PartName, Task, judge, labels, number
from ldl.evaluate.files import write_arrays, write_contingency
from ldl.evaluate.network import NetworkInfo, SettingProblem, unknown_place
from ldl.evaluate.pictures import images
from ldl.fields import Doc, Size

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo


@dataclass(frozen=True)
class Clustering:
    """min over μ of Σₙ minᵣ ‖zₙ − μᵣ‖²: k-means on the values z (n, d) of one place, μ (k, d).

    The centres are fitted on the training part: k-means++, the best of `n_init` starts, Lloyd's
    rounds. Each judged sample belongs to the nearest centre, and with classes the clusters are held
    against them: `purity` is the share of samples in whose cluster their class is the commonest,
    with that of each cluster, and of each class over the clusters that go by its name; normalised
    mutual information (arithmetic mean) and adjusted Rand index. `inertia` is the mean square
    distance of a judged sample from its centre. Clusters are numbered by their commonest class.
    Leaves `contingency/clustering.csv`, rows clusters, columns classes; `plots/clusters.npz` where
    d is 2; `plots/cluster_centres.npz`, what the decoder makes of the centres, for images.
    Source: Lloyd, Least squares quantization in PCM, 1982; Arthur and Vassilvitskii, k-means++,
    2007; scikit-learn's KMeans.
    """

    place: Annotated[str, Doc("the name of a value: a layer's, `code`, or an input's")] = "code"
    k: Annotated[Size | None, Doc("null: as many as there are classes")] = None
    n_init: Size = 10
    part: PartName = "test"

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Needs classes, or to be told how many clusters; and a sample for each."""
        if self.k is None and info.target.kind != "classes":
            return "clustering: the data has no classes to count: say how many clusters with `k`"
        return None

    def size_problem(self, info: DatasetInfo, sizes: Mapping[str, int]) -> str | None:
        """Needs a training sample a cluster."""
        k = self.k or info.target.size
        train = sizes["train"]
        return f"clustering: {k} clusters of {train} training samples" if k > train else None

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """Needs the place."""
        return unknown_place(self.place, network)

    def run(self, context: Context) -> dict[str, Any]:
        """Purities, NMI and ARI where there are classes; the inertia."""
        judged = judge(self, context, self.part)
        notes, info = list(judged.notes), context.dataset.info
        points = codes(context, self.place, judged.part)
        centres, assigned = self._cluster(context, points, notes)
        results = {
            "part": judged.name,
            "samples": judged.samples,
            "place": self.place,
            "k": len(centres),
            "inertia": number(float(np.square(points - centres[assigned]).sum(axis=1).mean())),
        }
        names = [f"c{r + 1}" for r in range(len(centres))]
        called = np.full(len(centres), "")
        if info.target.kind == "classes":
            classes = info.target.names
            counts = metrics.contingency(assigned, labels(judged.part), len(centres), len(classes))
            order, called = _named(counts, classes)
            counts, centres, assigned = counts[order], centres[order], np.argsort(order)[assigned]
            file = judged.matrix("clustering")
            write_contingency(file, counts, names, classes, corner="cluster\\true")
            results |= _purities(counts, names, classes)
        self._write(judged, points, assigned, centres, called)
        return results | {"notes": notes}

    def _cluster(self, context: Context, points: Array, notes: list[str]) -> tuple[Array, Array]:
        """Centres (k, d) of the training part, and the nearest one (n,) of each point."""
        from sklearn.cluster import KMeans

        train = codes(context, self.place, context.dataset.train)
        k = self.k or context.dataset.info.target.size
        if k > len(train):
            raise DataError(f"clustering: {k} clusters of {len(train)} training samples")
        seed = random_state(context, "clustering", self.place)
        with repeatable(notes):
            means = KMeans(k, n_init=self.n_init, random_state=seed).fit(train)
            return means.cluster_centers_, means.predict(points)

    def _write(
        self, judged: Judged, points: Array, assigned: Array, centres: Array, called: Array
    ) -> None:
        """The plane of a code of two numbers; the centres as pictures."""
        context, info = judged.context, judged.context.dataset.info
        known = info.target.kind == "classes"
        if points.shape[1] == 2:
            write_arrays(
                judged.plot("clusters", "npz"),
                place=np.array(self.place),
                points=points.astype(np.float32),
                labels=labels(judged.part) if known else np.zeros(len(points), np.int64),
                clusters=assigned,
                centres=centres.astype(np.float32),
                names=np.array(info.target.names if known else ("sample",)),
            )
        drawn = self._decoded(context, centres)
        if drawn is not None:
            sizes = np.bincount(assigned, minlength=len(centres))
            file = judged.plot("cluster_centres", "npz")
            write_arrays(file, images=images(drawn, info), names=called, sizes=sizes)

    def _decoded(self, context: Context, centres: Array) -> Array | None:
        """The centres as pictures: of inputs they are some themselves, else the decoder's."""
        z = centres.astype(np.float32)
        if context.dataset.info.image is None:
            return None
        if self.place == "x":
            return z
        decode = context.decoder(self.place) if context.task == "reconstruction" else None
        return (
            None if decode is None else decode(z.reshape(-1, *context.network.shapes[self.place]))
        )


def _named(counts: Array, classes: tuple[str, ...]) -> tuple[Array, Array]:
    """The clusters by their commonest class, the purest of one class first; and those classes."""
    held = counts.sum(axis=1) > 0
    commonest = np.where(held, counts.argmax(axis=1), len(classes))
    order = np.lexsort((-counts.max(axis=1), commonest))
    return order, np.array([*classes, ""])[commonest[order]]


def _purities(counts: Array, names: list[str], classes: tuple[str, ...]) -> dict[str, Any]:
    by_cluster, by_class = metrics.cluster_purity(counts), metrics.class_purity(counts)
    clusters = {
        name: {
            "class": classes[int(row.argmax())] if row.sum() else None,
            "purity": number(value),
            "samples": int(row.sum()),
        }
        for name, row, value in zip(names, counts, by_cluster, strict=True)
    }
    return {
        "purity": number(metrics.purity(counts)),
        "median_purity": number(np.nanmedian(by_cluster)),
        "lowest_purity": number(np.nanmin(by_cluster)),
        "nmi": number(metrics.nmi(counts)),
        "ari": number(metrics.ari(counts)),
        "classes": {
            name: {"purity": number(value)} for name, value in zip(classes, by_class, strict=True)
        },
        "clusters": clusters,
    }
