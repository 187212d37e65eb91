"""A network's inner values laid out in the plane."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.data.split import random_split
from ldl.evaluate.codes import codes, generator, random_state, repeatable
from ldl.evaluate.context import Context, PartName, Task, judge, labels, number
from ldl.evaluate.files import write_arrays
from ldl.evaluate.network import NetworkInfo, SettingProblem, unknown_place
from ldl.fields import Doc, Positive, Size

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo, Split

NEIGHBOURS = 5
FEWEST = 4  # points


@dataclass(frozen=True)
class Embedding:
    """t-SNE: y (n, 2) least in Σ p·ln(p/q), p neighbourhoods among z (n, d), q among y; and PCA.

    Points are the values of one place, of the training part and of the judged part, at most
    `samples` of each, in the classes' proportions. t-SNE lays both parts out together, since it
    cannot place a sample later; principal components are fitted on the training part. Where there
    are classes, `neighbours` is the share of a part's points whose class is the commonest among
    their five nearest ones of that part, and `overlap` the two classes most often taken for one
    another so. `kl_divergence` is what t-SNE has made least, `variance` the share that the two
    components hold.
    Leaves `plots/tsne.npz` and `plots/pca.npz`.
    Source: van der Maaten and Hinton, Visualizing Data using t-SNE, 2008, by Barnes and Hut's
    approximation (van der Maaten, 2014) from the PCA, as scikit-learn has it.
    """

    place: str = "code"
    samples: Annotated[Size, Doc("of either part, at most; t-SNE's time grows with n·ln n")] = 1000
    perplexity: Annotated[
        Positive, Doc("about how many neighbours count; at most a third of the points")
    ] = 30.0
    part: PartName = "test"

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Judges any data and task."""
        return None

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """Needs the place, and two numbers there."""
        unknown = unknown_place(self.place, network)
        if not unknown and prod(network.shapes[self.place]) < 2:
            return [("place", f"embedding needs two numbers at least; {self.place} has one")]
        return unknown

    def run(self, context: Context) -> dict[str, Any]:
        """How well neighbours in the plane agree, and what the two layouts could keep."""
        judged = judge(self, context, self.part)
        notes, parts = list(judged.notes), {"training": context.dataset.train}
        if judged.name != "train":
            parts[judged.name] = judged.part
        chosen = {name: self._chosen(context, name, part) for name, part in parts.items()}
        points = [codes(context, self.place, part, chosen[n]) for n, part in parts.items()]
        everything = np.concatenate(points)
        if len(everything) < FEWEST or len(points[0]) < 2 or np.ptp(everything, axis=0).max() == 0:
            notes.append("too few samples, or all the same: nothing is laid out")
            return {"part": judged.name, "samples": len(everything), "notes": notes}
        target = context.dataset.info.target
        known = target.kind == "classes"
        tags = {n: labels(p)[chosen[n]] if known else None for n, p in parts.items()}
        results: dict[str, Any] = {}
        for name, layout in (("tsne", self._tsne), ("pca", _pca)):
            planes, figures = layout(context, points, notes)
            laid = dict(zip(parts, planes, strict=True))
            figures |= _agreements(laid, tags, target.names) if known else {}
            results[name] = figures
            arrays = _arrays(context, laid, tags)
            write_arrays(judged.plot(name, "npz"), place=np.array(self.place), **arrays)
        counts = {name: len(rows) for name, rows in chosen.items()}
        head = {"part": judged.name, "samples": len(points[-1]), "place": self.place}
        units = {"kl_divergence": "nats"}
        return {**head, "points": counts, **results, "units": units, "notes": notes}

    def _chosen(self, context: Context, name: str, part: Split) -> Array:
        """The rows that are shown, in order."""
        if len(part) <= self.samples:
            return np.arange(len(part))
        known = context.dataset.info.target.kind == "classes"
        rng = generator(context, "embedding", name)
        (rows,) = random_split(len(part), [self.samples], labels(part) if known else None, rng)
        return np.sort(rows)

    def _tsne(
        self, context: Context, points: list[Array], notes: list[str]
    ) -> tuple[list[Array], dict[str, Any]]:
        from sklearn.manifold import TSNE

        both = np.concatenate(points)
        perplexity = min(self.perplexity, (len(both) - 1) / 3)
        seed = random_state(context, "embedding", self.place)
        with repeatable(notes):
            tsne = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
            plane = tsne.fit_transform(both)
        figures = {"kl_divergence": number(tsne.kl_divergence_), "perplexity": perplexity}
        return np.split(plane, np.cumsum([len(p) for p in points])[:-1]), figures


def _pca(
    context: Context, points: list[Array], notes: list[str]
) -> tuple[list[Array], dict[str, Any]]:
    from sklearn.decomposition import PCA

    with repeatable(notes):
        pca = PCA(2, svd_solver="full").fit(points[0])
        planes = [pca.transform(z) for z in points]
    return planes, {"variance": number(float(pca.explained_variance_ratio_.sum()))}


def _agreements(
    laid: dict[str, Array], tags: dict[str, Any], names: tuple[str, ...]
) -> dict[str, Any]:
    """By part, how often a point's neighbours are of its class, and which classes meet most."""
    found = {part: _agreement(plane, tags[part], names) for part, plane in laid.items()}
    return {
        "neighbours": {part: share for part, (share, _) in found.items()},
        "overlap": {part: pair for part, (_, pair) in found.items()},
    }


def _agreement(
    plane: Array, tags: Array, names: tuple[str, ...]
) -> tuple[float | None, list[str] | None]:
    from scipy.spatial import cKDTree

    near = min(NEIGHBOURS, len(plane) - 1)
    if near < 1:
        return None, None
    found = cKDTree(plane).query(plane, near + 1)[1]
    own = found == np.arange(len(plane))[:, None]
    own[~own.any(axis=1), -1] = True  # among equal points its own may not be found
    others = tags[found[~own].reshape(len(plane), near)]
    votes = np.stack([(others == c).sum(axis=1) for c in range(len(names))], axis=1)
    counts = metrics.contingency(tags, votes.argmax(axis=1), len(names))
    taken = counts + counts.T
    np.fill_diagonal(taken, 0)
    pair = sorted(map(int, np.unravel_index(taken.argmax(), taken.shape)))
    share = float(np.trace(counts) / counts.sum())
    return share, [names[i] for i in pair] if taken.any() else None


def _arrays(context: Context, laid: dict[str, Array], tags: dict[str, Any]) -> dict[str, Array]:
    target = context.dataset.info.target
    known = target.kind == "classes"
    zeros = np.concatenate([np.full(len(plane), i) for i, plane in enumerate(laid.values())])
    return {
        "points": np.concatenate(list(laid.values())).astype(np.float32),
        "labels": np.concatenate(list(tags.values())) if known else np.zeros_like(zeros),
        "part": zeros,
        "parts": np.array(list(laid)),
        "names": np.array(target.names if known else ("sample",)),
    }
