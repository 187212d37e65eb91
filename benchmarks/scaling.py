"""`python -m benchmarks.scaling`: does a step's cost grow as its work does?

Step time against batch size, width and depth, and memory against batch size, of ldl and PyTorch
eager on two threads, as `out/scaling.png` and `.json`. A dotted line shows what grows just as the
work: time and memory in proportion to the batch and the depth, and to the square of the width.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.clean import run_clean
from benchmarks.contenders import CONTENDERS, EAGER, OURS
from benchmarks.race import QUICK, Pace, race
from benchmarks.tasks import Layers, Task, mlp

SIDES = (OURS, EAGER)
COLOURS = {OURS: "#1f77b4", EAGER: "#ee4c2c"}
PACE = Pace(5, 0.03, 1)


@dataclass(frozen=True)
class Series:
    """Tasks that differ in one number `x`, and the power of it with which their work grows."""

    name: str
    unit: str
    fixed: str
    points: tuple[tuple[int, Task], ...]
    power: int


def dense(batch: int, width: int, depth: int) -> Task:
    """`depth` layers of `width` with tanh between them, learning their inputs by Adam."""
    layers: Layers = mlp(*(width for _ in range(depth)), activation="tanh")
    name = f"{depth} × {width}"
    return Task(name, layers, (width,), batch, "adam", "mse", batches=2)


SERIES = (
    Series("batch", "samples a step", "4 layers of 256",
           tuple((n, dense(n, 256, 4)) for n in (4, 16, 64, 256, 1024, 4096, 16384)), 1),
    Series("width", "units a layer", "4 layers, batch 64",
           tuple((n, dense(64, n, 4)) for n in (16, 32, 64, 128, 256, 512, 1024, 2048)), 2),
    Series("depth", "layers", "width 64, batch 64",
           tuple((n, dense(64, 64, n)) for n in (1, 2, 4, 8, 16, 32, 64)), 1),
)  # fmt: skip


def measure(series: Series, pace: Pace) -> list[dict[str, Any]]:
    """Both sides' figures at each point."""
    found = []
    for x, task in series.points:
        print(f"{series.name} {x} …", file=sys.stderr)
        row = race(task, SIDES, pace, 1.0)
        sides = {name: asdict(figures) for name, figures in row.figures.items()}
        found.append({"x": x, "multiply-adds": row.work, "weights": row.weights, "sides": sides})
    return found


def slope(xs: list[float], ys: list[float]) -> float:
    """The power with which y grows over the larger half of the points (least squares of logs)."""
    import numpy as np

    half = len(xs) // 2
    return float(np.polyfit(np.log(xs[half:]), np.log(ys[half:]), 1)[0])


def values(points: list[dict[str, Any]], side: str, key: str) -> tuple[list[float], list[float]]:
    """x and a figure, where it is known and above 0."""
    pairs = [(p["x"], p["sides"][side][key]) for p in points if p["sides"][side][key]]
    return [x for x, _ in pairs], [y for _, y in pairs]


def plot(found: dict[str, list[dict[str, Any]]]) -> None:
    """Four panels, both axes logarithmic."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from benchmarks.out import picture

    figure = Figure(figsize=(10, 8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2).flat
    for series, axes in zip(SERIES, panels, strict=False):
        panel(axes, series, found[series.name], "seconds", 1e3, "ms a training step")
        axes.set_title(f"step time by {series.name} ({series.fixed})")
    batch = SERIES[0]
    last = figure.axes[-1]
    panel(last, batch, found[batch.name], "memory", 1e-6, "peak memory without libraries, MB")
    last.set_title(f"memory by {batch.name} ({batch.fixed})")
    figure.suptitle("Cost of a training step on 2 cores: fully connected, tanh, Adam")
    figure.savefig(picture("scaling"), dpi=120)


def panel(axes: Any, series: Series, points: list[Any], key: str, scale: float, unit: str) -> None:
    """Both sides' lines, and what grows as the work does through our last point."""
    for side in SIDES:
        x, y = values(points, side, key)
        told = f"{CONTENDERS[side].label} (slope {slope(x, y):.2f})" if len(x) > 3 else side
        axes.plot(x, [v * scale for v in y], "o-", color=COLOURS[side], label=told)
    x, y = values(points, OURS, key)
    reference = [y[-1] * scale * (v / x[-1]) ** series.power for v in x]
    axes.plot(x, reference, ":", color="0.4", label=f"slope {series.power}")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.5 * min(min(values(points, s, key)[1]) for s in SIDES) * scale)
    axes.set_xlabel(f"{series.name}, {series.unit}")
    axes.set_ylabel(unit)
    axes.grid(True, which="major", color="0.9")
    axes.legend(fontsize=8)


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """Milliseconds and megabytes at every point, in Markdown."""
    from benchmarks.tables import markdown

    head = ["", "x", *(f"{CONTENDERS[s].label} {unit}" for unit in ("ms", "MB") for s in SIDES)]
    body = [
        [
            name,
            str(point["x"]),
            *(shown(point["sides"][s]["seconds"], 1e3) for s in SIDES),
            *(shown(point["sides"][s]["memory"], 1e-6) for s in SIDES),
        ]
        for name, points in found.items()
        for point in points
    ]
    return markdown([head, *body]) + "\n"


def shown(value: float | None, scale: float) -> str:
    """Three places, or nothing."""
    return "" if value is None else f"{value * scale:.3f}"


def main() -> None:
    """Measure, print, and write a JSON file, a table and a plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a smoke test: few and short rounds")
    options = parser.parse_args()
    run_clean("benchmarks.scaling", sys.argv[1:])
    from benchmarks.out import write

    pace = QUICK if options.quick else PACE
    found = {series.name: measure(series, pace) for series in SERIES}
    text = table(found)
    print(text)
    write("scaling", {"series": found}, text)
    plot(found)


if __name__ == "__main__":
    main()
