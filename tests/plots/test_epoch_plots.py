"""Curves by epoch: lines, labels, marks, and unusual tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.errors import RunFolderError
from ldl.plots import epoch_plots

EPOCHS = np.arange(1.0, 41.0)


def columns(**more: Any) -> epoch_plots.MetricColumns:
    """Forty epochs, best at the thirtieth."""
    validation = 1 + np.abs(EPOCHS - 30) / 10
    return {"epoch": EPOCHS, "train_loss": 2 - EPOCHS / 100, "validation_loss": validation, **more}


def texts(figure: Any) -> list[str]:
    """The title and the subtitle."""
    return [text.get_text() for text in figure.texts]


def legend(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def read(tmp_path: Path, text: str) -> epoch_plots.MetricColumns:
    path = tmp_path / "metrics.csv"
    path.write_text(text, encoding="utf-8")
    return epoch_plots.read_metric_columns(path)


def test_empty_and_infinite_cells_are_nan(tmp_path: Path) -> None:
    table = read(tmp_path, "epoch,train_loss,validation_loss\n1,2.5,\n2,nan,inf\n3,1,0.5\n4,0.")
    np.testing.assert_array_equal(table["epoch"], [1, 2, 3])
    np.testing.assert_array_equal(table["train_loss"], [2.5, np.nan, 1])
    np.testing.assert_array_equal(table["validation_loss"], [np.nan, np.nan, 0.5])
    assert read(tmp_path, "epoch,train_loss\n") == read(tmp_path, "") == {}
    with pytest.raises(RunFolderError):
        read(tmp_path, "epoch,train_loss\n1,what\n")


def test_loss_names_the_run_and_marks_the_best_epoch() -> None:
    figure: Any = epoch_plots.loss_plot(columns(), "denoise")
    assert texts(figure) == ["Loss by epoch", "denoise · 40 epochs · lowest validation loss 1"]
    (axes,) = figure.axes
    assert legend(axes) == ["training", "validation", "best epoch, 30"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss")
    train, validation, line, point = axes.lines
    np.testing.assert_array_equal(train.get_ydata(), columns()["train_loss"])
    assert train.get_color() != validation.get_color()
    assert line.get_xdata()[0] == 30 and point.get_data()[1] == [1.0]


def test_loss_over_a_decade_is_on_a_logarithmic_scale_and_says_so() -> None:
    figure: Any = epoch_plots.loss_plot(columns(train_loss=100.0**-EPOCHS), "run")
    assert figure.axes[0].get_yscale() == "log"
    assert figure.axes[0].get_ylabel() == "loss (logarithmic scale)"
    figure = epoch_plots.loss_plot(columns(train_loss=-EPOCHS), "run")
    assert figure.axes[0].get_yscale() == "linear"


def test_loss_without_validation_marks_nothing() -> None:
    table = columns(validation_loss=np.full(40, np.nan))
    figure: Any = epoch_plots.loss_plot(table, "run")
    assert legend(figure.axes[0]) == ["training"] and len(figure.axes[0].lines) == 1
    assert texts(figure)[1] == "run · 40 epochs"


def test_a_single_epoch_has_a_marker() -> None:
    table = {name: column[:1] for name, column in columns().items()}
    figure: Any = epoch_plots.loss_plot(table, "run")
    assert figure.axes[0].lines[0].get_marker() == "o"
    assert "1 epoch " in texts(figure)[1] + " "
    assert figure.axes[0].get_xticks().tolist() == [1]


def test_lines_bridge_missing_values() -> None:
    every_other = np.where(EPOCHS % 2 == 0, 1.0, np.nan)
    figure: Any = epoch_plots.loss_plot(columns(validation_loss=every_other), "run")
    assert figure.axes[0].lines[1].get_xdata().tolist() == EPOCHS[1::2].tolist()


def test_no_finite_value_draws_nothing() -> None:
    empty = {"epoch": EPOCHS, "train_loss": np.full(40, np.nan)}
    assert epoch_plots.loss_plot(empty, "run") is None
    assert epoch_plots.metrics_plot(columns(), "run") is None
    assert epoch_plots.optimizer_plot(columns(), "run") is None


def test_each_metric_has_a_panel() -> None:
    share = EPOCHS / 40
    one: Any = epoch_plots.metrics_plot(
        columns(train_accuracy=share, validation_accuracy=share), "run"
    )
    assert texts(one)[0] == "Accuracy by epoch" and len(one.axes) == 1
    names = ("accuracy", "f1", "log_loss", "r2")
    four: Any = epoch_plots.metrics_plot(
        columns(**{f"validation_{name}": share for name in names}), "run"
    )
    labels = [axes.get_ylabel() for axes in four.axes]
    assert labels == ["accuracy", "F₁", "log loss (nats, log.)", "r2"]
    boxes = [axes.get_position() for axes in four.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_the_best_epoch_is_that_of_the_run() -> None:
    """The run may monitor another metric than the validation loss."""
    table = {**columns(), "validation_loss": np.abs(EPOCHS - 9) + 1.0}
    for best, expected in ((None, 9), (17, 17)):
        figure: Any = epoch_plots.loss_plot(table, "run", best)
        (line,) = [x for x in figure.axes[0].lines if str(x.get_label()).startswith("best")]
        assert line.get_label() == f"best epoch, {expected}" and line.get_xdata()[0] == expected
        assert texts(figure)[1].endswith("lowest validation loss 1")


def test_learning_rate_and_gradient_norm_and_a_constant_above_0() -> None:
    table = columns(learning_rate=np.full(40, 0.01), gradient_norm=10.0 ** -(EPOCHS / 10))
    figure: Any = epoch_plots.optimizer_plot(table, "run")
    rate, norm = figure.axes
    assert (rate.get_ylabel(), norm.get_ylabel()) == ("learning rate", "gradient norm (log.)")
    assert rate.get_ylim()[0] == 0 and norm.get_yscale() == "log"
    assert norm.get_xlabel() == "epoch" and rate.get_xlabel() == ""
    only: Any = epoch_plots.optimizer_plot(columns(gradient_norm=EPOCHS), "run")
    assert texts(only)[0] == "Gradient norm by epoch" and len(only.axes) == 1
