"""`python -m benchmarks.scaling`: how time and memory of a training step grow with its work.

Step time against batch size, width and depth, and memory against batch size, of ldl and PyTorch
eager on two threads, written to `out/scaling.png` and `.json`. A dotted line grows like the work:
in proportion to the batch and the depth, and to the square of the width.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.clean_process import run_in_clean_process
from benchmarks.implementations import EAGER, IMPLEMENTATIONS, LDL
from benchmarks.tasks import Layers, Task, mlp
from benchmarks.timing import QUICK, TimingBudget, time_task

NAMES = (LDL, EAGER)
COLOURS = {LDL: "#1f77b4", EAGER: "#ee4c2c"}
BUDGET = TimingBudget(5, 0.03, 1)


@dataclass(frozen=True)
class Series:
    """Tasks that differ in one number x; their work is proportional to x to the power `power`."""

    name: str
    unit: str
    fixed: str
    points: tuple[tuple[int, Task], ...]
    power: int


def dense(batch: int, width: int, depth: int) -> Task:
    """An autoencoder of `depth` layers of `width` with tanh between them, trained by Adam."""
    layers: Layers = mlp(*(width for _ in range(depth)), activation="tanh")
    name = f"{depth} × {width}"
    return Task(name, layers, (width,), batch, "adam", "mse", batches=2)


SERIES = (
    Series("batch", "samples per step", "4 layers of 256",
           tuple((n, dense(n, 256, 4)) for n in (4, 16, 64, 256, 1024, 4096, 16384)), 1),
    Series("width", "units per layer", "4 layers, batch 64",
           tuple((n, dense(64, n, 4)) for n in (16, 32, 64, 128, 256, 512, 1024, 2048)), 2),
    Series("depth", "layers", "width 64, batch 64",
           tuple((n, dense(64, 64, n)) for n in (1, 2, 4, 8, 16, 32, 64)), 1),
)  # fmt: skip


def measure(series: Series, budget: TimingBudget) -> list[dict[str, Any]]:
    """The measurements of both implementations at each point."""
    points: list[dict[str, Any]] = []
    for x, task in series.points:
        print(f"{series.name} {x} …", file=sys.stderr)
        row = time_task(task, NAMES, budget, 1.0)
        values = {name: asdict(measurement) for name, measurement in row.measurements.items()}
        work = {"multiply-adds": row.multiply_adds, "weights": row.weights}
        points.append({"x": x, **work, "sides": values})
    return points


def slope(xs: list[float], ys: list[float]) -> float:
    """The exponent of y = c·xᵃ over the larger half of the points (least squares of logarithms)."""
    import numpy as np

    half = len(xs) // 2
    return float(np.polyfit(np.log(xs[half:]), np.log(ys[half:]), 1)[0])


def known_values(
    points: list[dict[str, Any]], name: str, key: str
) -> tuple[list[float], list[float]]:
    """x and the measured values, where they are known and above 0."""
    pairs = [(p["x"], p["sides"][name][key]) for p in points if p["sides"][name][key]]
    return [x for x, _ in pairs], [y for _, y in pairs]


def plot(results: dict[str, list[dict[str, Any]]]) -> None:
    """Write four panels, all axes logarithmic."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from benchmarks.output_files import plot_path

    figure = Figure(figsize=(10, 8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2).flat
    for series, axes in zip(SERIES, panels, strict=False):
        panel(axes, series, results[series.name], "seconds", 1e3, "ms per training step")
        axes.set_title(f"step time by {series.name} ({series.fixed})")
    batch = SERIES[0]
    last = figure.axes[-1]
    panel(last, batch, results[batch.name], "memory", 1e-6, "peak memory without libraries, MB")
    last.set_title(f"memory by {batch.name} ({batch.fixed})")
    figure.suptitle("Cost of a training step on 2 cores: fully connected, tanh, Adam")
    figure.savefig(plot_path("scaling"), dpi=120)


def panel(axes: Any, series: Series, points: list[Any], key: str, scale: float, unit: str) -> None:
    """A line per implementation, and a dotted line that grows like the work."""
    for name in NAMES:
        x, y = known_values(points, name, key)
        label = f"{IMPLEMENTATIONS[name].label} (slope {slope(x, y):.2f})" if len(x) > 3 else name
        axes.plot(x, [v * scale for v in y], "o-", color=COLOURS[name], label=label)
    x, y = known_values(points, LDL, key)
    reference = [y[-1] * scale * (v / x[-1]) ** series.power for v in x]
    axes.plot(x, reference, ":", color="0.4", label=f"slope {series.power}")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.5 * min(min(known_values(points, s, key)[1]) for s in NAMES) * scale)
    axes.set_xlabel(f"{series.name}, {series.unit}")
    axes.set_ylabel(unit)
    axes.grid(True, which="major", color="0.9")
    axes.legend(fontsize=8)


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """Milliseconds and megabytes at every point, in Markdown."""
    from benchmarks.tables import markdown

    head = [
        "",
        "x",
        *(f"{IMPLEMENTATIONS[s].label} {unit}" for unit in ("ms", "MB") for s in NAMES),
    ]
    body = [
        [
            name,
            str(point["x"]),
            *(format_scaled(point["sides"][s]["seconds"], 1e3) for s in NAMES),
            *(format_scaled(point["sides"][s]["memory"], 1e-6) for s in NAMES),
        ]
        for name, points in results.items()
        for point in points
    ]
    return markdown([head, *body]) + "\n"


def format_scaled(value: float | None, scale: float) -> str:
    """The value times `scale` with three decimals; empty where it is None."""
    return "" if value is None else f"{value * scale:.3f}"


def main() -> None:
    """Measure, print, and write a JSON file, a table and a plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a smoke test: few and short rounds")
    options = parser.parse_args()
    run_in_clean_process("benchmarks.scaling", sys.argv[1:])
    from benchmarks.output_files import write_results

    budget = QUICK if options.quick else BUDGET
    results = {series.name: measure(series, budget) for series in SERIES}
    text = table(results)
    print(text)
    write_results("scaling", {"series": results}, text)
    plot(results)


if __name__ == "__main__":
    main()
