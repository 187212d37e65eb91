"""The plots of a run: which are shown, and how they are reduced."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from ldl.report.plot_files import MAX_WIDTH, PlotFile, png_size, reduced_png, select_plots

from .helpers import make_run


def png(path: Path, width: int = 1200, height: int = 300) -> None:
    """Write a PNG with a gradient."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(path)


def test_selected_plots(tmp_path: Path) -> None:
    """The plots that a claim names, in its order; by default all but the optimizer's."""
    run = make_run(tmp_path)
    for name in ("plots/loss", "plots/optimizer", "plots/denoising", "contingency/noisy"):
        png(run.path / f"{name}.png", 8, 8)
    assert [p.name for p in select_plots(run, None)] == [
        "plots/loss", "plots/denoising", "contingency/noisy",
    ]  # fmt: skip
    selected = select_plots(run, ["contingency/*", "optimizer", "plots/loss", "nothing"])
    assert [p.name for p in selected] == ["contingency/noisy", "plots/optimizer", "plots/loss"]
    assert selected[0].title == "Contingency matrix, noisy"


def test_reduced_plots(tmp_path: Path) -> None:
    """Reduced once and cached; the size is read from the PNG."""
    png(tmp_path / "x.png")
    plot, cache = PlotFile(tmp_path / "x.png", "plots/x"), tmp_path / "cache"
    data = reduced_png(plot, cache)
    assert png_size(data) == (MAX_WIDTH, 190) == Image.open(io.BytesIO(data)).size
    assert len(data) <= (tmp_path / "x.png").stat().st_size
    (kept,) = cache.iterdir()
    kept.write_bytes(b"kept")
    assert reduced_png(plot, cache) == b"kept"
