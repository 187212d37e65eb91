"""Plots of a grid: content, labels, no overlaps."""

from __future__ import annotations

import json
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.config.emit import flow
from ldl.errors import RunFolderError
from ldl.evaluate.result_files import write_table
from ldl.plots.grid_heat_map import heat_map_plot
from ldl.plots.grid_loss_plot import grid_loss_plot
from ldl.plots.grid_objective_plot import objective_plot
from ldl.plots.grid_plot_data import read_grid_data
from ldl.plots.grid_plots import draw_grid, has_plots
from ldl.plots.parallel_coordinates import parallel_coordinates_plot
from ldl.plots.plot_table import read_plot_table

from .figures import assert_apart, assert_inside

KEYS: dict[str, list[Any]] = {
    "optimizer.sgd.learning_rate": [0.001, 0.01, 0.1],
    "network.encoder.mlp.units": [[64, 32], [32, 16, 2]],
    "loss": [{"mse": "sum"}, {"bce": "sum"}],
    "train.epochs": [10],
}


def folder_of(path: Path, keys: dict[str, list[Any]], seeds: int = 2) -> Path:
    """A grid of all combinations; the last setting has diverged."""
    settings = list(product(*keys.values()))
    rows, plan = [], []
    for number, values in enumerate(settings, 1):
        cells = [value if isinstance(value, str) else flow(value) for value in values]
        diverged = number == len(settings) > 1
        statistics = ["", ""] if diverged else [0.1 * number, 0.01 if seeds > 1 else ""]
        count = 0 if diverged else seeds
        rows.append([number, *cells, *statistics, count, 3, 0.5, "completed"])
        for seed in range(seeds):
            name = f"{number}-{seed}"
            plan.append([number, "s", seed, name, *cells])
            if not diverged:
                level = 0.1 * number + 0.02 * seed
                losses = [(epoch, level, level + 2 / epoch) for epoch in (1, 2, 3)]
                trial = path / "trials" / name
                trial.mkdir(parents=True)
                header = ["epoch", "train_loss", "validation_loss"]
                write_table(trial / "metrics.csv", header, [list(row) for row in losses])
    ends = ["mean", "sd", "seeds", "epochs", "seconds", "status"]
    write_table(path / "results.csv", ["number", *keys, *ends], sorted(rows, key=_mean))
    write_table(path / "plan.csv", ["number", "setting", "seed", "id", *keys], plan)
    objective = {"name": "validation.loss", "goal": "min"}
    about = {"name": "example", "objective": objective, "keys": list(keys)}
    (path / "grid.json").write_text(json.dumps(about))
    return path


def _mean(row: Any) -> float:
    return float(row[-6] or "inf")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path, KEYS)


def test_all_plots_are_drawn(folder: Path) -> None:
    assert not has_plots(folder)
    names = sorted(path.name for path in draw_grid(folder))
    assert names == ["heat.png", "loss.png", "objective.png", "parallel.png"]
    assert has_plots(folder)


def test_a_panel_per_key_with_several_values(folder: Path) -> None:
    figure: Any = objective_plot(read_grid_data(folder))
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "optimizer.sgd.learning_rate (log. scale)", "network.encoder.mlp.units", "loss",
    ]  # fmt: skip
    rates, units, _ = figure.axes
    assert rates.get_xscale() == "log" and units.get_xscale() == "linear"
    assert [label.get_text() for label in units.get_xticklabels()] == ["[64, 32]", "[32, 16, 2]"]
    assert len(rates.lines[0].get_xdata()) == 11  # settings with an objective
    assert "1 more without a value" in figure.texts[1].get_text()
    best = next(line for line in rates.lines if line.get_label() == "best setting")
    assert best.get_xdata()[0] == 0.001 and best.get_ydata()[0] == pytest.approx(0.1)
    assert_inside(figure)
    assert_apart(figure)


def test_the_heat_map_has_the_two_keys_that_explain_most(folder: Path) -> None:
    figure: Any = heat_map_plot(read_grid_data(folder))
    axes = figure.axes[0]
    assert axes.get_xlabel() == "optimizer.sgd.learning_rate"
    assert axes.get_ylabel() == "network.encoder.mlp.units"
    means = np.asarray(axes.images[0].get_array())
    assert means.shape == (2, 3) and means[0, 0] == pytest.approx(0.15)
    assert_inside(figure)
    assert_apart(figure)


def data_of(path: Path, rows: list[tuple[str, str, str, float]]) -> Any:
    """The data of a grid with an optimizer, a momentum, a rate per row; the best first."""
    path.mkdir()
    keys = ["optimizer", "optimizer.sgd.momentum", "rate"]
    ends = ["mean", "sd", "seeds", "epochs", "seconds", "status"]
    table = [[i, *row, "", 1, 3, 0.5, "completed"] for i, row in enumerate(rows, 1)]
    write_table(path / "results.csv", ["number", *keys, *ends], table)
    objective = {"name": "validation.loss", "goal": "min"}
    about = {"name": "example", "objective": objective, "keys": keys}
    (path / "grid.json").write_text(json.dumps(about))
    return read_grid_data(path)


def test_a_winner_that_is_not_on_the_map(tmp_path: Path) -> None:
    """No cell is framed, and rows and columns without a setting are left out."""
    sgd = "{sgd: {nesterov: true}}"
    rows = [("adam", "", "0.000316227766017", 0.1)]
    rows += [(sgd, m, r, i + 1.0) for i, (m, r) in enumerate(product("01", ("0.01", "0.1")))]
    figure: Any = heat_map_plot(data_of(tmp_path / "a", rows))
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0.01", "0.1"]
    assert np.isfinite(np.asarray(axes.images[0].get_array())).all() and not axes.lines
    assert any("not on this map" in text.get_text() for text in axes.texts)
    assert_inside(figure)
    assert_apart(figure)
    figure = heat_map_plot(data_of(tmp_path / "b", [*rows[1:], rows[0]]))
    (frame,) = figure.axes[0].lines
    assert np.mean(frame.get_xdata()[:4]) == np.mean(frame.get_ydata()[:4]) == 0


def test_labels_are_short_and_inside_the_figure(tmp_path: Path) -> None:
    """Four digits, choices by name; the legend names the best setting."""
    sgd = "{sgd: {nesterov: true}}"
    rows = [("", "0", "0.000316227766017", 0.1), (sgd, "1", "0.0316227766017", 0.2)]
    data = data_of(tmp_path / "a", [*rows, ("adam", "", "0.1", 0.3)])
    labels = [key.labels for key in data.keys]
    assert labels == [["sgd", "adam"], ["0", "1"], ["0.0003162", "0.03162", "0.1"]]
    figure: Any = parallel_coordinates_plot(data)
    assert_inside(figure)
    assert_apart(figure)
    figure = objective_plot(data)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["a setting", "best setting", "mean ± s.d. over settings"]


def test_a_key_with_a_single_value(tmp_path: Path) -> None:
    """Some settings lack the key: no warning of equal limits."""
    rows = [("adam", "", "0.1", 0.1), ("sgd", "0.9", "0.1", 0.1), ("sgd", "0.9", "", 0.1)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure: Any = objective_plot(data_of(tmp_path / "a", rows))
    assert figure.axes[1].get_xlim()[0] < 0.9 < figure.axes[1].get_xlim()[1]


def test_lines_through_three_keys_or_more(folder: Path, tmp_path: Path) -> None:
    figure: Any = parallel_coordinates_plot(read_grid_data(folder))
    (lines,) = figure.axes[0].collections
    assert len(lines.get_segments()) == 10  # and the best in front
    two = {key: KEYS[key] for key in list(KEYS)[:2]}
    assert parallel_coordinates_plot(read_grid_data(folder_of(tmp_path / "two", two))) is None


def test_each_loss_function_has_a_panel(folder: Path) -> None:
    table, plan = read_plot_table(folder / "results.csv"), read_plot_table(folder / "plan.csv")
    figure: Any = grid_loss_plot(folder, table, plan, "example")
    assert [axes.get_ylabel().split(" (")[0] for axes in figure.axes] == ["loss mse", "loss bce"]
    front = figure.axes[0].lines[0]
    np.testing.assert_allclose(front.get_ydata(), [2.11, 1.11, 0.11 + 2 / 3])
    assert_inside(figure)
    assert_apart(figure)


def test_one_setting_and_one_seed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"train.epochs": [3]}, seeds=1)
    assert [path.name for path in draw_grid(folder)] == ["loss.png"]


def test_no_setting_with_an_objective(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"train.epochs": [3, 4]})
    table = (folder / "results.csv").read_text().splitlines()
    (folder / "results.csv").write_text(f"{table[0]}\n{table[-1]}\n")
    (folder / "plots").mkdir()
    (folder / "plots" / "heat.png").write_text("of an earlier state")
    assert draw_grid(folder) == []
    assert not (folder / "plots" / "heat.png").exists()


def test_a_damaged_table_is_named(folder: Path) -> None:
    (folder / "results.csv").write_text("number,mean\n1\n")
    with pytest.raises(RunFolderError, match="cannot be drawn"):
        draw_grid(folder)
