"""What a benchmark leaves: a table on the terminal, a JSON file and a plot in `results/`."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.others import warning

if TYPE_CHECKING:
    from benchmarks.steps import Row

FOLDER = Path(__file__).parent / "results"


def table(rows: Sequence[Row]) -> str:
    """µs a step and ratios; rows that fall short of a target stand first, marked with an x."""
    head = (
        f"{'':2}{'task':26}{'batch':>6}{'':>2}{'optimizer':10}"
        f"{'ldl':>8}{'engine':>8}{'hand':>8}{'torch':>8}"
        f"{'engine/hand':>13}{'ldl/hand':>10}{'torch/ldl':>11}  PyTorch's settings"
    )
    lines = ["µs a step, medians of interleaved rounds, 2 threads", head]
    for row in rows:
        times = "".join(
            f"{row.seconds[side] * 1e6:8.0f}" for side in ("ldl", "engine", "hand", "torch")
        )
        goal = f"≤{row.task.target}" if row.task.target else ""
        lines.append(
            f"{'x ' if row.short else '  '}{row.task.name:26}{row.task.batch:>6}  "
            f"{row.task.optimizer:10}{times}{row.ratio('engine', 'hand'):8.2f} {goal:4}"
            f"{row.ratio('ldl', 'hand'):10.2f}{row.ratio('torch', 'ldl'):11.2f}  {row.settings}"
        )
    shares = [row.others for row in rows if row.others is not None]
    return "\n".join([*lines, warning(max(shares, default=None))])


def machine() -> dict[str, Any]:
    """The processor, the BLAS kernels and the versions that a figure depends on."""
    from threadpoolctl import threadpool_info

    pools = [
        {key: pool.get(key) for key in ("internal_api", "version", "architecture", "num_threads")}
        for pool in threadpool_info()
    ]
    names = ("numpy", "scipy", "torch")
    return {
        "processor": processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in names},
        "thread pools": pools,
    }


def processor() -> str:
    """The processor's name, where the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}" if names else platform.processor()


def write(name: str, rows: Sequence[dict[str, Any]]) -> Path:
    """`results/NAME.json`: the rows and the machine."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    text = json.dumps({"machine": machine(), "rows": list(rows)}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def plot(name: str, rows: Sequence[Row]) -> Path:
    """`results/NAME.png`: each side's time over the hand-planned one's, a group of bars a task."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.8 + 0.75 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    sides = {"engine": "ldl, engine alone", "ldl": "ldl train's loop", "torch": "PyTorch eager"}
    for k, (side, label) in enumerate(sides.items()):
        at = [i + 0.25 * (k - 1) for i in range(len(rows))]
        ratios = [row.ratio(side, "hand") for row in rows]
        bars = axes.barh(at, ratios, 0.25, label=label)
        axes.bar_label(bars, [f"{ratio:.2f}" for ratio in ratios], padding=2, fontsize=8)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.axvline(1.2, color="grey", linewidth=1, linestyle=":")
    names = [f"{row.task.name}\nbatch {row.task.batch}, {row.task.optimizer}" for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set_xlabel("time of a training step / time of the hand-planned NumPy step")
    axes.legend(fontsize=8)
    path = FOLDER / f"{name}.png"
    figure.savefig(path, dpi=120)
    return path
