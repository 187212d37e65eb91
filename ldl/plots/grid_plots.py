"""All plots of a grid, from results.csv, plan.csv, grid.json and the trials' metrics.csv."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ldl.errors import RunFolderError
from ldl.folder_files import remove_file
from ldl.plots import style
from ldl.plots.grid_heat_map import heat_map_plot
from ldl.plots.grid_loss_plot import grid_loss_plot
from ldl.plots.grid_objective_plot import objective_plot
from ldl.plots.grid_plot_data import GridPlotData, read_grid_data
from ldl.plots.parallel_coordinates import parallel_coordinates_plot
from ldl.plots.plot_table import read_plot_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAST_PLOT = "loss.png"  # drawn last: if it is there, all are
_PLOTS: dict[str, Callable[[GridPlotData], Figure | None]] = {
    "objective.png": objective_plot,
    "heat.png": heat_map_plot,
    "parallel.png": parallel_coordinates_plot,
}


def has_plots(folder: Path) -> bool:
    """Whether a grid's plots have been drawn."""
    return (folder / "plots" / LAST_PLOT).exists()


def draw_grid(folder: Path) -> list[Path]:
    """Draw every plot that the grid has data for, delete the others, and return the PNGs.

    Raises RunFolderError where a file is damaged.
    """
    paths = []
    with style.drawing_style():
        try:
            results = read_plot_table(folder / "results.csv")
            plan = read_plot_table(folder / "plan.csv")
            data = read_grid_data(folder)
            for name, plot in _PLOTS.items():
                figure, path = plot(data), folder / "plots" / name
                remove_file(path)
                if figure is not None:
                    paths.append(style.save_png(figure, path))
            subtitle = f"{data.subtitle} · best by {data.objective}"
            figure = grid_loss_plot(folder, results, plan, subtitle)
            if figure is not None:
                paths.append(style.save_png(figure, folder / "plots" / LAST_PLOT))
        except (OSError, ValueError, LookupError) as error:
            raise RunFolderError(f"{folder} cannot be drawn: {error}") from error
    return paths
