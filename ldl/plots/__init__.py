"""Pictures of a run: reads the files of its folder, computes nothing, draws a PNG beside each.

Every file that an evaluation leaves has a kind, its name up to the first hyphen; what follows is
the part that was judged, the test part where nothing does, and a number where an evaluation stands
in the list again.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ldl.errors import RunFolderError
from ldl.plots import curves, levels, matrices, planes, points, sheets, style, tiles
from ldl.runs import RunFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw"]

# KeyError: an array is missing; BadZipFile, EOFError: the file was cut short or damaged.
_UNREADABLE = (RunFolderError, OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile)
_RUN = re.compile(r"\d{8}T\d{6}Z-(?P<name>.+)-[0-9a-f]{6,}(-\d+)?")
_MATRICES = {
    "original": "Contingency on original samples",
    "noisy": "Contingency on noisy samples",
    "denoised": "Contingency on denoised samples",
    "clustering": "Clusters against classes",
    "latent_classifier": "Contingency of the classifier of codes",
}


def draw(folder: Path) -> list[Path]:
    """Draws all that the run folder has data for, and returns the PNGs.

    What is missing is passed over; a picture whose data has become empty goes. Raises
    RunFolderError, after all else is drawn, naming each file that is there and cannot be read.
    """
    from matplotlib import rc_context

    drawn, faults = [], []
    with rc_context(style.RC), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the run's folder has it in full.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        for source, target, make in _tasks(folder):
            try:
                figure = make()
            except _UNREADABLE as error:
                faults.append(f"{source.relative_to(folder)} cannot be drawn: {error}")
                continue
            if figure is None:
                target.unlink(missing_ok=True)
            else:
                drawn.append(style.save(figure, target))
    if faults:
        raise RunFolderError("; ".join(dict.fromkeys(faults)))
    return drawn


def run_name(folder: Path) -> str:
    """The NAME of a folder called STAMP-NAME-HASH, else all of what it is called."""
    found = _RUN.fullmatch(folder.name)
    return found["name"] if found else folder.name


_Task = tuple[Path, Path, Callable[[], "Figure | None"]]


def _tasks(folder: Path) -> Iterator[_Task]:
    """What there is to draw: the file it is read from, the PNG, and what makes the figure."""
    run, plots, table = style.short(run_name(folder), 40), folder / "plots", folder / "metrics.csv"
    if table.exists():
        columns = cache(partial(curves.read, table))
        for name, by_epoch in _BY_EPOCH.items():
            drawn = partial(_by_epoch, by_epoch, columns, run, _best_epoch(folder))
            yield table, plots / f"{name}.png", drawn
    for path in sorted([*folder.glob("contingency/*.csv"), *plots.glob("*.*")]):
        kind, _, ending = path.stem.partition("-")
        make = _contingency if path.parent != plots else _FIGURES.get((kind, path.suffix))
        if make:
            yield path, path.with_suffix(".png"), partial(make, path, subtitle(run, kind, ending))


def subtitle(run: str, kind: str, ending: str) -> str:
    """The run, and the part that `ending` names: `train`, `train-2`, `2`, or nothing for test."""
    part, _, number = ending.partition("-")
    if part.isdecimal():
        part, number = "", part
    said = [run]
    if kind not in _PARTLESS:
        said.append(f"{part or 'test'} part")
    return " · ".join([*said, f"no. {number}"] if number else said)


def _by_epoch(
    make: Callable[[curves.Columns, str, int | None], Figure | None],
    read: Callable[[], curves.Columns],
    run: str,
    best: int | None,
) -> Figure | None:
    columns = read()
    return make(columns, run, best) if columns else None


def _best_epoch(folder: Path) -> int | None:
    """What the run says it is; None where it says nothing."""
    try:
        return (RunFolder(folder).read_status().best or {}).get("epoch")
    except RunFolderError:
        return None


def _contingency(path: Path, subtitle: str) -> Figure:
    title = _MATRICES.get(path.stem.partition("-")[0], "Contingency")
    return matrices.contingency(matrices.read(path), title, subtitle)


def _arrays(path: Path) -> dict[str, Any]:
    # Opened here: when its archive is damaged, NumPy leaves a file that it opened itself open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return dict(archive)


def _reconstruction(path: Path, subtitle: str) -> Figure | None:
    return sheets.rows(_arrays(path), ("original", "reconstruction"), "Reconstructions", subtitle)


def _denoising(path: Path, subtitle: str) -> Figure | None:
    return sheets.rows(_arrays(path), ("original", "noisy", "denoised"), "Denoising", subtitle)


_PARTLESS = ("filters", "folds", "tsne", "pca")  # what says itself which samples it shows
_BY_EPOCH = {"loss": curves.loss, "metrics": curves.metrics, "optimizer": curves.steps}
_FIGURES: dict[tuple[str, str], Callable[[Path, str], Figure | None]] = {
    ("mistakes", ".npz"): lambda path, run: sheets.mistakes(_arrays(path), run),
    ("reconstruction", ".npz"): _reconstruction,
    ("denoising", ".npz"): _denoising,
    ("decision_regions", ".npz"): lambda path, run: points.regions(_arrays(path), run),
    ("fit", ".csv"): lambda path, run: points.fit(points.read_fit(path), run),
    ("clusters", ".npz"): lambda path, run: planes.clusters(_arrays(path), run),
    ("cluster_centres", ".npz"): lambda path, run: tiles.centres(_arrays(path), run),
    ("compression", ".npz"): lambda path, run: tiles.compression(_arrays(path), run),
    ("tsne", ".npz"): lambda path, run: planes.layout(
        _arrays(path), run, "t-SNE", "t-SNE dimension"
    ),
    ("pca", ".npz"): lambda path, run: planes.layout(
        _arrays(path), run, "Principal components", "principal component"
    ),
    ("noise_sweep", ".csv"): lambda path, run: levels.noise(levels.read(path), run),
    ("noise_sheet", ".npz"): lambda path, run: tiles.noise_levels(_arrays(path), run),
    ("baselines", ".csv"): lambda path, run: levels.baselines(levels.read(path), run),
    ("baseline_regions", ".npz"): lambda path, run: planes.baselines(_arrays(path), run),
    ("folds", ".csv"): lambda path, run: levels.folds(levels.read(path), run),
    ("filters", ".npz"): lambda path, run: tiles.filters(_arrays(path), run),
    ("activations", ".npz"): lambda path, run: tiles.activations(_arrays(path), run),
}
