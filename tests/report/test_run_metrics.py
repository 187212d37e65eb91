"""The metrics of a run by dotted paths."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ldl.execute import prepare, train
from ldl.report.run_metrics import NotMeasured, RunMetrics, higher_is_better
from ldl.report.run_page import run_page

from .helpers import LINE, make_run

RESULTS = {
    "classification": {
        "accuracy": 0.9,
        "classes": {"1.5 m": {"recall": 0.5}},
        "list": [1, 2, 3],
        "perfect": True,
        "nothing": None,
        "word": "good",
        "nested": [{"x": 4}],
    },
    "classification-train": {"accuracy": 0.95},
}
COLUMNS = {
    "epoch": [1, 2, 3, 4],
    "train_loss": [4.0, 2.0, 1.0, 3.0],
    "validation_accuracy": [0.1, 0.4, 0.3, 0.4],
    "gap": [None, 1.0, 2.0, None],
    "empty": [None, None, None, None],
    "seconds": [0.5, 0.5, 0.5, 0.5],
}


@pytest.fixture
def facts(tmp_path: Path) -> RunMetrics:
    """A run with results and metrics."""
    return RunMetrics(make_run(tmp_path, RESULTS, COLUMNS, best={"epoch": 3}))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("classification.accuracy", 0.9),
        ("classification-train.accuracy", 0.95),
        ("classification.classes.1.5 m.recall", 0.5),
        ("classification.list.1", 2.0),
        ("classification.nested.0.x", 4.0),
        ("classification.perfect", 1.0),
        ("metrics.train_loss.first", 4.0),
        ("metrics.train_loss.last", 3.0),
        ("metrics.train_loss.best", 1.0),
        ("metrics.validation_accuracy.best", 0.4),
        ("metrics.train_loss.min", 1.0),
        ("metrics.train_loss.max", 4.0),
        ("metrics.train_loss.kept", 1.0),
        ("metrics.train_loss.at:2", 2.0),
        ("metrics.train_loss.until:2.5", 2.0),
        ("metrics.validation_accuracy.until:0.35", 2.0),
        ("metrics.validation_accuracy.until:0.9", math.inf),
        ("metrics.train_loss.mean_abs_change", 1.5),
        ("metrics.train_loss.wobble", 1.5),
        ("metrics.gap.last", 2.0),
        ("metrics.gap.first", 1.0),
        ("epochs", 4.0),
        ("best_epoch", 3.0),
        ("seconds", 2.0),
    ],
)
def test_paths(path: str, value: float, facts: RunMetrics) -> None:
    """Results, metrics and those of the run itself."""
    assert facts.measure(path) == pytest.approx(value)


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("classification.acuracy", "there is no `classification.acuracy`"),
        ("classification", "holds several"),
        ("classification.nothing", "no number"),
        ("classification.word", "no number: good"),
        ("classification.list.9", "there is no"),
        ("metrics.train_los.last", "no column `train_los`"),
        ("metrics.train_loss", "no column"),
        ("metrics.train_loss.lst", "no `lst`"),
        ("metrics.train_loss.at:99", "no `at:99`"),
        ("metrics.train_loss.at:x", "no `at:x`"),
        ("metrics.empty.last", "no values"),
        ("", "holds several"),
    ],
)
def test_invalid_paths(path: str, word: str, facts: RunMetrics) -> None:
    """NotMeasured has the reason."""
    with pytest.raises(NotMeasured) as caught:
        facts.measure(path)
    assert word in str(caught.value)


def test_valid_paths_are_valid(facts: RunMetrics) -> None:
    """Every path that an error lists can be measured; similar ones come first."""
    with pytest.raises(NotMeasured) as caught:
        facts.measure("classification.acuracy")
    valid = [
        path
        for path in caught.value.valid_paths
        if path not in ("parameters", "samples_per_second")
    ]
    assert valid[0].startswith("classification.")
    for path in valid:
        if path != "metrics.empty.last":
            facts.measure(path)


def test_a_run_that_diverged_has_metrics_alone(tmp_path: Path) -> None:
    """A path into results.json fails with that reason."""
    facts = RunMetrics(
        make_run(tmp_path, None, {"epoch": [1], "train_loss": [9.0]}, status="diverged")
    )
    assert facts.measure("metrics.train_loss.last") == 9.0
    with pytest.raises(NotMeasured, match=r"left no results\.json"):
        facts.measure("regression.r2")


def test_the_page_names_the_weights_that_are_kept(tmp_path: Path) -> None:
    for best, expected in (
        ({"epoch": 3, "kept_epoch": 4}, "epoch 4, the last"),
        ({"epoch": 3, "kept_epoch": 4, "kept_average": 7}, "average of 7 weights"),
    ):
        run = make_run(tmp_path / str(len(best)), RESULTS, COLUMNS, best=best)
        assert expected in run_page(run)


def test_kept_epoch_is_the_last(tmp_path: Path) -> None:
    """With `keep: last`, although an earlier epoch was better."""
    facts = RunMetrics(make_run(tmp_path, RESULTS, COLUMNS, best={"epoch": 3, "kept_epoch": 4}))
    assert facts.measure("metrics.train_loss.kept") == 3.0 and facts.measure("best_epoch") == 3


def test_metrics_of_the_network(tmp_path: Path) -> None:
    """Weights in total and by layer, outputs per sample, samples per second of a real run."""
    file = tmp_path / "x.yaml"
    text = LINE.format(name="x", epochs=2).replace("[linear]", "[{linear: 3}, tanh, linear]")
    file.write_text(text)
    facts = RunMetrics(train(prepare(file), tmp_path / "runs"))
    assert facts.measure("parameters") == 1 * 3 + 3 + 3 * 1 + 1
    assert facts.measure("parameters.linear1") == 6
    assert facts.measure("parameters.tanh1") == 0
    assert facts.measure("outputs.tanh1") == 3
    assert facts.measure("samples_per_second") > 0
    with pytest.raises(NotMeasured, match="no layer `linear9`") as caught:
        facts.measure("parameters.linear9")
    assert "parameters.linear1" in caught.value.valid_paths


@pytest.mark.parametrize(
    ("column", "higher"),
    [("validation_accuracy", True), ("train_r2", True), ("train_loss", False), ("kl", False)],
)
def test_higher_is_better(column: str, higher: bool) -> None:
    """Larger is better for accuracies and the like."""
    assert higher_is_better(column) is higher
