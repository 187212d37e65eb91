"""Plots of a run: read the data files of its folder, compute nothing, draw a PNG beside each.

An evaluation names its files KIND[-SPLIT][-NUMBER]: the split is `test` if none is named, and the
number counts evaluations of one kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ldl.data.npz import read_arrays, read_headers
from ldl.errors import LdlError, RunFolderError
from ldl.folder_files import matching_files, remove_file
from ldl.plots import (
    baseline_plots,
    contingency_plot,
    cross_validation_plot,
    decision_regions_plot,
    embedding_plots,
    epoch_plots,
    image_plots,
    layer_plots,
    noise_sweep_plots,
    regression_plot,
    style,
)
from ldl.plots.plot_table import PlotTable, read_plot_table
from ldl.runs import RunFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw"]

_READ_ERRORS = (LdlError, OSError, ValueError, LookupError)  # LookupError: an array is missing
_RUN_NAME = re.compile(r"\d{8}T\d{6}Z-(?P<name>.+)-[0-9a-f]{6,}(-\d+)?")
_EPOCH_PLOTS = {
    "loss": epoch_plots.loss_plot,
    "metrics": epoch_plots.metrics_plot,
    "optimizer": epoch_plots.optimizer_plot,
}
_TABLE_PLOTS: dict[str, Callable[[PlotTable, str], Figure | None]] = {
    "fit": regression_plot.regression_plot,
    "noise_sweep": noise_sweep_plots.noise_sweep_plot,
    "baselines": baseline_plots.baselines_plot,
    "folds": cross_validation_plot.folds_plot,
}
_ARRAY_PLOTS: dict[str, Callable[[dict[str, Any], str], Figure | None]] = {
    "mistakes": image_plots.misclassified_plot,
    "reconstruction": image_plots.reconstruction_plot,
    "denoising": image_plots.denoising_plot,
    "decision_regions": decision_regions_plot.decision_regions_plot,
    "clusters": embedding_plots.clusters_plot,
    "cluster_centres": image_plots.cluster_centres_plot,
    "compression": image_plots.compression_plot,
    "tsne": embedding_plots.tsne_plot,
    "pca": embedding_plots.pca_plot,
    "noise_sheet": noise_sweep_plots.noise_images_plot,
    "baseline_regions": baseline_plots.baseline_regions_plot,
    "filters": layer_plots.filters_plot,
    "activations": layer_plots.activations_plot,
}
_CONTINGENCY_TITLES = {
    "original": "Contingency matrix, original samples",
    "noisy": "Contingency matrix, noisy samples",
    "denoised": "Contingency matrix, denoised samples",
    "clustering": "Contingency matrix, clusters and classes",
    "latent_classifier": "Contingency matrix, classifier of codes",
}
_WITHOUT_SPLIT = ("filters", "folds", "tsne", "pca")  # these do not show a single split


class PlotTask(NamedTuple):
    """A plot to draw: the file it is read from, the PNG, and a function that makes the figure."""

    source: Path
    target: Path
    make: Callable[[], Figure | None]


def draw(folder: Path) -> list[Path]:
    """Draw every plot that the run folder has data for, and return the PNGs.

    A plot whose data is empty is deleted. Raises RunFolderError, after everything else is drawn,
    with the name of each data file that cannot be read.
    """
    drawn, errors, cause = [], [], None
    with style.drawing_style():
        for task in _plot_tasks(folder):
            try:
                figure = task.make()
            except _READ_ERRORS as error:
                errors.append(f"{task.source.relative_to(folder)} cannot be drawn: {error}")
                cause = error
                continue
            if figure is None:
                remove_file(task.target)
            else:
                drawn.append(style.save_png(figure, task.target))
    if errors:
        raise RunFolderError("; ".join(dict.fromkeys(errors))) from cause
    return drawn


def _plot_tasks(folder: Path) -> Iterator[PlotTask]:
    run = style.shorten(run_name(folder), 40)
    plots, metrics = folder / "plots", folder / "metrics.csv"
    if metrics.exists():
        read = cache(partial(epoch_plots.read_metric_columns, metrics))
        for name, plot in _EPOCH_PLOTS.items():
            make = partial(_epoch_figure, plot, read, run, _best_epoch(folder))
            yield PlotTask(metrics, plots / f"{name}.png", make)
    matrices = matching_files(folder / "contingency", "*.csv")
    for path in [*matrices, *matching_files(plots, "*.*")]:
        kind, _, ending = path.stem.partition("-")
        text = subtitle(run, kind, ending)
        target = path.with_suffix(".png")
        if path.parent != plots:
            yield PlotTask(path, target, partial(_contingency_figure, path, kind, text))
        elif path.suffix == ".csv" and kind in _TABLE_PLOTS:
            yield PlotTask(path, target, partial(_table_figure, path, kind, text))
        elif path.suffix == ".npz" and kind in _ARRAY_PLOTS:
            yield PlotTask(path, target, partial(_array_figure, path, kind, text))


def _epoch_figure(
    plot: Callable[[dict[str, Any], str, int | None], Figure | None],
    read: Callable[[], dict[str, Any]],
    run: str,
    best: int | None,
) -> Figure | None:
    columns = read()
    return plot(columns, run, best) if columns else None


def _contingency_figure(path: Path, kind: str, text: str) -> Figure:
    title = _CONTINGENCY_TITLES.get(kind, "Contingency matrix")
    return contingency_plot.contingency_plot(read_plot_table(path), title, text)


def _table_figure(path: Path, kind: str, text: str) -> Figure | None:
    return _TABLE_PLOTS[kind](read_plot_table(path), text)


def _array_figure(path: Path, kind: str, text: str) -> Figure | None:
    data = read_arrays(path, [*read_headers(path)])
    return _ARRAY_PLOTS[kind](data, text)


def run_name(folder: Path) -> str:
    """The NAME of a folder called STAMP-NAME-HASH, else the folder's whole name."""
    match = _RUN_NAME.fullmatch(folder.name)
    return match["name"] if match else folder.name


def subtitle(run: str, kind: str, ending: str) -> str:
    """The run, the split and the number of a plot, from the ending of its file's name.

    The ending is empty, `train`, `2` or `train-2`.
    """
    split, _, number = ending.partition("-")
    if split.isdecimal():
        split, number = "", split
    parts = [run]
    if kind not in _WITHOUT_SPLIT:
        parts.append(f"{split or 'test'} split")
    return " · ".join([*parts, f"no. {number}"] if number else parts)


def _best_epoch(folder: Path) -> int | None:
    """The best epoch that the run's status names, if any."""
    try:
        return (RunFolder(folder).read_status().best or {}).get("epoch")
    except RunFolderError:
        return None
