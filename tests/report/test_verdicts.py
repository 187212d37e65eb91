"""Verdicts: on a metric, and of several together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ldl.compile import ClaimedMetric
from ldl.report.run_metrics import RunMetrics
from ldl.report.verdicts import MetricVerdict, Verdict, combined_verdict, metric_verdict

from .helpers import make_run


def facts(tmp_path: Path, *values: float, name: str = "x") -> list[RunMetrics]:
    """The metrics of a run for each value."""
    result = []
    for i, value in enumerate(values):
        folder = f"20261120T09150{i}Z-{name}-3f9a1c"
        result.append(
            RunMetrics(make_run(tmp_path, {"r": {"v": value, "w": 10 * value}}, name=folder))
        )
    return result


def verdict(tmp_path: Path, values: Sequence[float], **settings: Any) -> Verdict:
    """The verdict on a metric with these settings."""
    metric = ClaimedMetric(name="f", measured="r.v", **settings)
    return metric_verdict(metric, facts(tmp_path, *values), lambda stem: "not there").verdict


@pytest.mark.parametrize(
    ("values", "settings", "expected"),
    [
        ([0.82], {"claimed": 0.82}, "met"),
        ([0.85], {"claimed": 0.82}, "exceeded"),
        ([0.81], {"claimed": 0.82}, "not met"),
        ([0.81], {"claimed": 0.82, "within": 0.02}, "met"),
        ([0.80, 0.90], {"claimed": 0.82}, "met"),  # better, but by less than the deviation
        ([0.84, 0.86], {"claimed": 0.82}, "exceeded"),
        ([0.1, 0.2, 0.3], {"claimed": 0.2}, "met"),  # a mean of binary fractions
        ([4.0], {"claimed": 4.3, "comparison": "at_most"}, "exceeded"),
        ([4.3], {"claimed": 4.3, "comparison": "at_most"}, "met"),
        ([4.4], {"claimed": 4.3, "comparison": "at_most"}, "not met"),
        ([40.0], {"claimed": 40.0, "comparison": "near"}, "met"),
        ([41.0], {"claimed": 40.0, "comparison": "near"}, "not met"),
        ([41.0], {"claimed": 40.0, "comparison": "near", "within": 1.0}, "met"),
        ([0.995], {"claimed": "> 0.99", "at_least": 0.99}, "met"),
        ([0.985], {"claimed": "> 0.99", "at_least": 0.99}, "not met"),
        ([0.005], {"claimed": "< 0.01", "at_most": 0.01}, "met"),
        ([0.5], {"at_least": 0.4, "at_most": 0.6}, "met"),
        ([0.7], {"at_least": 0.4, "at_most": 0.6}, "not met"),
        ([0.5], {"claimed": 0.4, "at_most": 0.6}, "met"),
        ([0.3], {"claimed": 0.4, "at_most": 0.6}, "exceeded"),
        ([7.0], {"comparison": "not_judged"}, "not judged"),
        ([], {"claimed": 1.0}, "not run"),
    ],
)
def test_against_numbers(
    values: list[float], settings: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    """The mean decides; what beats the claimed number by more than the deviation exceeds it."""
    assert verdict(tmp_path, values, **settings) == expected


@pytest.mark.parametrize(
    ("settings", "other_values", "expected"),
    [
        ({"less_than": "b"}, [2.0], "met"),
        ({"less_than": "b"}, [1.0], "not met"),
        ({"less_than": "b"}, [0.5], "not met"),
        ({"greater_than": "b"}, [0.5], "met"),
        ({"greater_than": "b", "by": 0.6}, [0.5], "not met"),
        ({"greater_than": "b", "by": 0.4}, [0.5], "met"),
        ({"greater_than": "b", "other_measured": "r.w"}, [0.5], "not met"),
        ({"same_as": "b"}, [1.0], "met"),
        ({"same_as": "b"}, [1.0 + 1e-12], "not met"),
        ({"same_as": "b", "within": 1e-9}, [1.0 + 1e-12], "met"),
        ({"same_as": "b"}, [1.0, 1.0], "not met"),
    ],
)
def test_against_another_file(
    settings: dict[str, Any], other_values: list[float], expected: str, tmp_path: Path
) -> None:
    """Compared by means; `same_as` value by value, bit for bit without `within`."""
    metric = ClaimedMetric(name="f", measured="r.v", **settings)
    other = facts(tmp_path / "b", *other_values)
    result = metric_verdict(
        metric, facts(tmp_path, 1.0), lambda stem: other if stem == "b" else stem
    )
    assert result.verdict == expected and len(result.other_values) == len(other_values)


def test_minus_is_subtracted_from_both(tmp_path: Path) -> None:
    """`minus` is subtracted in both files."""
    metric = ClaimedMetric(name="f", measured="r.w", minus="r.v", less_than="b")
    result = metric_verdict(metric, facts(tmp_path, 1.0), lambda stem: facts(tmp_path / "b", 2.0))
    assert (result.values, result.other_values, result.verdict) == ((9.0,), (18.0,), "met")


def test_a_missing_value_is_never_met(tmp_path: Path) -> None:
    """Missing in this file or in the other: both have a reason."""
    own = facts(tmp_path, 1.0)
    result = metric_verdict(
        ClaimedMetric(name="f", measured="r.x", claimed=0.0), own, lambda stem: ""
    )
    assert result.verdict == "not measured" and "r.v" in result.valid_paths
    metric = ClaimedMetric(name="f", measured="r.v", less_than="b")
    result = metric_verdict(metric, own, lambda stem: "mnist is not at hand")
    assert result.verdict == "not measured" and "mnist is not at hand" in result.reason
    metric = ClaimedMetric(name="f", measured="r.v", less_than="b", other_measured="r.x")
    result = metric_verdict(metric, own, lambda stem: own)
    assert result.verdict == "not measured" and result.reason.startswith("in b: ")
    metric = ClaimedMetric(
        name="f", measured="metrics.l.until:0", minus="metrics.l.until:0", claimed=0.0
    )
    never = RunMetrics(make_run(tmp_path / "c", {}, {"epoch": [1], "l": [1.0]}))
    result = metric_verdict(metric, [never], lambda stem: "")
    assert result.verdict == "not measured" and "never reached" in result.reason


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["met", "met"], "met"),
        (["met", "exceeded"], "met"),
        (["exceeded", "exceeded"], "exceeded"),
        (["exceeded", "not met"], "not met"),
        (["not met", "not measured"], "not measured"),
        (["not run", "met"], "not run"),
        (["not judged", "met"], "met"),
        (["not judged"], "not measured"),
        ([], "not measured"),
        (["shortened", "met"], "shortened"),
    ],
)
def test_the_worst_verdict_counts(verdicts: list[Verdict], expected: str) -> None:
    """Without a judged metric \"not measured\"; exceeded only if every claimed number is."""
    metric = ClaimedMetric(name="f", measured="r.v", claimed=1.0)
    assert combined_verdict([MetricVerdict(metric, verdict) for verdict in verdicts]) == expected


def test_what_cannot_be_bettered_holds_nothing_back() -> None:
    """Bounds, other files and targets can only be met."""
    exceeded = MetricVerdict(ClaimedMetric(name="f", measured="r.v", claimed=1.0), "exceeded")
    for settings in ({"at_least": 1.0}, {"less_than": "b"}, {"claimed": 2.0, "comparison": "near"}):
        other = MetricVerdict(ClaimedMetric(name="f", measured="r.v", **settings), "met")  # type: ignore[arg-type]
        assert combined_verdict([exceeded, other]) == "exceeded"
        assert combined_verdict([other]) == "met"


def test_mean_and_deviation(tmp_path: Path) -> None:
    """The deviation has n − 1, and is None for a single run."""
    metric = ClaimedMetric(name="f", measured="r.v", claimed=1.0)
    result = metric_verdict(metric, facts(tmp_path, 1.0, 3.0), lambda stem: "")
    assert result.mean == 2.0 and result.std == pytest.approx(2**0.5)
    assert metric_verdict(metric, facts(tmp_path / "one", 1.0), lambda stem: "").std is None
