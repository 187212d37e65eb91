"""The plot of training steps: each peer's time over ldl's, one row of points per network."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.implementations import IMPLEMENTATIONS
from benchmarks.output_files import plot_path
from benchmarks.tables import geometric_mean, names_in
from benchmarks.timing import TaskRow

COLOURS = {
    "eager": "#ee4c2c", "compiled": "#8c2d18", "jit": "#4c72b0", "scan": "#1b3a6b",
    "sklearn": "#2ca02c",
}  # fmt: skip
MARKERS = {"eager": "o", "compiled": "s", "jit": "^", "scan": "v", "sklearn": "D"}


def plot_steps(rows: Sequence[TaskRow]) -> None:
    """Write `out/steps.png`: ratios on a logarithmic axis; right of the line ldl is faster."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    figure = Figure(figsize=(10, 1.6 + 0.36 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    labels = [row_label(row) for row in rows]
    for i in range(0, len(rows), 2):
        axes.axhspan(i - 0.5, i + 0.5, color="0.95", zorder=0)
    for name in names_in(rows, peers=True):
        points = [(ratio, i) for i, row in enumerate(rows) if (ratio := row.ratio(name))]
        mean = geometric_mean([ratio for ratio, _ in points])
        if mean is None:
            continue
        x, y = zip(*points, strict=True)
        label = f"{IMPLEMENTATIONS[name].label} (geometric mean {mean:.1f})"
        axes.plot(x, y, MARKERS[name], color=COLOURS[name], label=label, markersize=6)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("time of a training step over that of ldl (right of 1, ldl is faster)")
    axes.set_title("Training steps on 2 cores")
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.4, -0.1), ncols=3)
    figure.savefig(plot_path("steps"), dpi=120)


def row_label(row: TaskRow) -> str:
    """The network and the time of ldl."""
    seconds = row.seconds("ldl")
    return f"{row.task.title}: {seconds * 1e6:,.0f} µs" if seconds else row.task.title
