"""Checks of finished figures, and tables to draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ldl.evaluate.result_files import write_table
from ldl.plots.plot_table import PlotTable, read_plot_table


def assert_inside(figure: Any) -> None:
    """Labels, texts and legends lie within the figure; legends and labels off its titles."""
    figure.canvas.draw()
    for axes in figure.axes:
        legend = axes.get_legend()
        texts = [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        if axes.images:  # other axes have ticks beyond their limits, which are not drawn
            texts += [*axes.get_xticklabels(), *axes.get_yticklabels()]
        for artist in [*([legend] if legend else []), *(t for t in texts if t.get_text())]:
            box = artist.get_window_extent()
            assert box.x0 >= 0 and box.x1 <= figure.bbox.x1, artist
            assert box.y0 >= 0 and box.y1 <= figure.bbox.y1, artist
            assert not any(box.overlaps(title.get_window_extent()) for title in figure.texts)


def assert_apart(figure: Any) -> None:
    """No panel of the figure overlaps another one."""
    figure.canvas.draw()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def legend_texts(axes: Any) -> list[str]:
    """The labels of the legend of some axes."""
    return [text.get_text() for text in axes.get_legend().get_texts()]


def table(tmp_path: Path, header: list[str], rows: list[list[object]]) -> PlotTable:
    """A table as an evaluation writes it."""
    write_table(tmp_path / "table.csv", header, rows)
    return read_plot_table(tmp_path / "table.csv")
