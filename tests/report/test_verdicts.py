"""Verdicts: on a metric, and of several together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ldl.compile import ClaimedMetric
from ldl.report.run_metrics import RunMetrics
from ldl.report.verdicts import (
    MetricVerdict,
    Verdict,
    combined_verdict,
    half_unit,
    metric_verdict,
    seeds_wanted,
)

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


def fixed(values: Sequence[float]) -> Any:
    """Runs in which every path leads to these values."""
    return [SimpleNamespace(measure=lambda path, value=value: value) for value in values]


def verdict(tmp_path: Path, values: Sequence[float], **settings: Any) -> Verdict:
    """The verdict on a metric with these settings."""
    metric = ClaimedMetric(name="f", measured="r.v", **settings)
    return metric_verdict(metric, facts(tmp_path, *values), lambda stem: "not there").verdict


@pytest.mark.parametrize(
    ("values", "settings", "expected"),
    [
        # One claimed number, by the interval for a further run, 0.82 ± t(0.975)·s·√(1 + 1/n).
        ([0.81, 0.82, 0.83], {"claimed": 0.82}, "reproduced"),
        ([0.81, 0.82, 0.83], {"claimed": 0.86}, "reproduced"),  # 0.0497 above, the interval's end
        ([0.81, 0.82, 0.83], {"claimed": 0.88}, "not reproduced"),
        ([0.81, 0.82, 0.83], {"claimed": 0.88, "within": 0.06}, "reproduced"),
        ([0.81, 0.82, 0.83], {"claimed": 0.79}, "reproduced"),  # t = 2.17 below t(0.95, 2) = 2.92
        ([0.81, 0.82, 0.83], {"claimed": 0.77}, "exceeded"),
        ([0.81, 0.82, 0.83], {"claimed": 0.77, "comparison": "near"}, "reproduced"),
        ([0.81, 0.82, 0.83], {"claimed": 0.7, "comparison": "near"}, "not reproduced"),
        ([0.81, 0.82, 0.83], {"claimed": 0.7, "comparison": "at_most"}, "not reproduced"),
        ([0.81, 0.82, 0.83], {"claimed": 0.95, "comparison": "at_most"}, "exceeded"),
        ([0.81, 0.82, 0.83], {"claimed": 0.88, "cause": "seen"}, "refuted"),
        ([0.81, 0.82, 0.83], {"claimed": 0.7, "comparison": "near", "cause": "seen"}, "refuted"),
        ([0.8] * 3, {"claimed": 0.7}, "exceeded"),  # no seed changes it
        ([0.1, 0.2, 0.3], {"claimed": 0.2}, "reproduced"),  # a mean of binary fractions
        # Fewer than three seeds agree or do not, and prove nothing.
        ([0.82], {"claimed": 0.82}, "consistent with"),
        ([0.99], {"claimed": 0.82}, "consistent with"),
        ([0.99, 0.991], {"claimed": 0.82}, "consistent with"),
        ([0.81], {"claimed": 0.82}, "not reproduced"),
        ([0.815], {"claimed": 0.82}, "consistent with"),  # 0.815 is printed as 0.82
        ([0.81], {"claimed": 0.82, "cause": "seen"}, "not reproduced"),
        ([41.0], {"claimed": 40.0, "comparison": "near"}, "not reproduced"),
        ([41.0], {"claimed": 40.0, "comparison": "near", "within": 1.0}, "consistent with"),
        # Limits, by the one-sided t-test of the mean.
        ([0.995, 0.996, 0.997], {"claimed": "> 0.99", "at_least": 0.99}, "reproduced"),
        ([0.985, 0.99, 1.0], {"claimed": "> 0.99", "at_least": 0.99}, "consistent with"),
        ([0.97, 0.99, 1.0], {"claimed": "> 0.99", "at_least": 0.99}, "not reproduced"),
        ([0.97, 0.99, 1.0], {"at_least": 0.99, "cause": "seen"}, "not reproduced"),
        ([0.97, 0.971, 0.972], {"at_least": 0.99, "cause": "seen"}, "refuted"),
        ([0.97, 0.971, 0.972], {"at_least": 0.99}, "not reproduced"),
        ([0.995], {"claimed": "> 0.99", "at_least": 0.99}, "consistent with"),
        ([0.985], {"claimed": "> 0.99", "at_least": 0.99}, "not reproduced"),
        ([0.5, 0.5, 0.5], {"at_least": 0.5, "at_most": 0.6}, "reproduced"),
        ([0.5, 0.51, 0.52], {"at_least": 0.4, "at_most": 0.6}, "reproduced"),
        ([0.7, 0.71, 0.72], {"at_least": 0.4, "at_most": 0.6}, "not reproduced"),
        ([0.3, 0.3, 0.3], {"claimed": 0.4, "at_most": 0.6}, "reproduced"),
        ([7.0], {"comparison": "not_judged"}, "not judged"),
        ([], {"claimed": 1.0}, "not run"),
    ],
)
def test_against_numbers(
    values: list[float], settings: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    """The interval for a further run and the one-sided tests decide, from three seeds on."""
    assert verdict(tmp_path, values, **settings) == expected


@pytest.mark.parametrize(
    ("values", "comparison", "expected"),
    [
        ([10, math.inf, 12], "at_most", "not reproduced"),
        ([math.inf] * 3, "at_most", "not reproduced"),
        ([math.inf] * 3, "at_least", "reproduced"),
        ([10, 11, math.inf], "at_least", "not reproduced"),
        ([math.inf], "near", "not reproduced"),
    ],
)
def test_an_epoch_that_is_never_reached(
    values: list[float], comparison: str, expected: str
) -> None:
    """Infinite values are compared one by one."""
    metric = ClaimedMetric(name="f", measured="r.v", claimed=20.0, comparison=comparison)  # type: ignore[arg-type]
    assert metric_verdict(metric, fixed(values), lambda stem: "").verdict == expected


def test_an_epoch_that_no_run_of_two_files_reaches() -> None:
    """No difference is measured."""
    metric = ClaimedMetric(name="f", measured="r.v", less_than="b")
    never = fixed([math.inf] * 3)
    assert metric_verdict(metric, never, lambda stem: never).verdict == "not reproduced"


@pytest.mark.parametrize(
    ("settings", "other_values", "expected"),
    [
        ({"less_than": "b"}, [2.0, 2.1, 2.2], "reproduced"),
        ({"less_than": "b"}, [0.9, 1.2, 1.3], "not reproduced"),  # p = 0.14
        ({"less_than": "b"}, [0.5, 0.6, 0.7], "not reproduced"),
        ({"less_than": "b", "cause": "seen"}, [0.5, 0.6, 0.7], "refuted"),
        ({"less_than": "b", "cause": "seen"}, [0.9, 1.2, 1.3], "not reproduced"),
        ({"greater_than": "b"}, [0.5, 0.51, 0.52], "reproduced"),
        ({"greater_than": "b", "by": 0.6}, [0.5, 0.51, 0.52], "not reproduced"),
        ({"greater_than": "b", "by": 0.4}, [0.5, 0.51, 0.52], "reproduced"),
        ({"greater_than": "b", "by": 0.6, "cause": "seen"}, [0.5] * 3, "not reproduced"),
        ({"greater_than": "b", "other_measured": "r.w"}, [0.5, 0.51, 0.52], "not reproduced"),
        ({"less_than": "b"}, [2.0], "consistent with"),
        ({"less_than": "b"}, [0.5], "not reproduced"),
        ({"less_than": "b", "cause": "seen"}, [0.5], "not reproduced"),
        ({"same_as": "b"}, [1.0, 1.0, 1.0], "reproduced"),
        ({"same_as": "b"}, [1.0, 1.0, 1.0 + 1e-12], "not reproduced"),
        ({"same_as": "b", "within": 1e-9}, [1.0, 1.0, 1.0 + 1e-12], "reproduced"),
        ({"same_as": "b"}, [1.0, 1.0], "consistent with"),  # two of three pairs
        ({"same_as": "b", "within": 0.1}, [1.05], "consistent with"),
        ({"same_as": "b", "within": 0.1}, [1.0, 1.2], "not reproduced"),
    ],
)
def test_against_another_file(
    settings: dict[str, Any], other_values: list[float], expected: str, tmp_path: Path
) -> None:
    """By the paired one-sided test; `same_as` value by value, bit for bit without `within`."""
    metric = ClaimedMetric(name="f", measured="r.v", **settings)
    other = facts(tmp_path / "b", *other_values)
    result = metric_verdict(
        metric, facts(tmp_path, 1.0, 1.0, 1.0), lambda stem: other if stem == "b" else stem
    )
    assert result.verdict == expected and len(result.other_values) == len(other_values)


def test_what_follows_from_the_network_needs_one_seed() -> None:
    """Parameters, outputs and receptive fields: equal or not; with a cause also refuted."""
    for claimed, cause, expected in (
        (435536.0, "", "reproduced"),
        (435537.0, "", "not reproduced"),
        (435537.0, "miscounted", "refuted"),
    ):
        metric = ClaimedMetric(
            name="f", measured="parameters", claimed=claimed, comparison="near", cause=cause
        )
        assert metric_verdict(metric, fixed([435536]), lambda stem: "").verdict == expected


def test_the_cause_of_the_claim_counts_for_its_limits_alone() -> None:
    """A number that differs is refuted only where the metric itself has the cause."""
    limit = ClaimedMetric(name="f", measured="r.v", at_least=0.9)
    number = ClaimedMetric(name="f", measured="r.v", claimed=0.9)
    values = fixed([0.5, 0.51, 0.52])
    assert metric_verdict(limit, values, lambda stem: "", cause="seen").verdict == "refuted"
    assert metric_verdict(number, values, lambda stem: "", cause="seen").verdict == "not reproduced"


def test_the_digits_that_are_printed_count() -> None:
    """0.8 may be 0.84 rounded; 0.80 may not."""
    metric = ClaimedMetric(name="f", measured="r.v", claimed=0.8)
    for printed, expected in (("0.8", "consistent with"), ("0.80", "not reproduced")):
        result = metric_verdict(metric, fixed([0.76]), lambda stem: "", printed)
        assert result.verdict == expected
    texts = ("0.80", "0.8", "150", "1e-3", "-4.32", "1_000", "> 0.97")
    assert [half_unit(text) for text in texts] == [0.005, 0.05, 0.5, 0.0005, 0.005, 0.5, 0.0]


def test_seeds_that_a_file_should_have() -> None:
    """Five under a minute, three under ten, one above."""
    assert [seeds_wanted(seconds) for seconds in (1, 59, 60, 599, 600, 9000)] == [5, 5, 3, 3, 1, 1]


def test_minus_is_subtracted_from_both(tmp_path: Path) -> None:
    """`minus` is subtracted in both files."""
    metric = ClaimedMetric(name="f", measured="r.w", minus="r.v", less_than="b")
    result = metric_verdict(metric, facts(tmp_path, 1.0), lambda stem: facts(tmp_path / "b", 2.0))
    assert (result.values, result.other_values) == ((9.0,), (18.0,))


def test_a_missing_value_has_no_verdict(tmp_path: Path) -> None:
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
        (["reproduced", "reproduced"], "reproduced"),
        (["reproduced", "exceeded"], "reproduced"),
        (["exceeded", "exceeded"], "exceeded"),
        (["exceeded", "not reproduced"], "not reproduced"),
        (["exceeded", "consistent with"], "consistent with"),
        (["refuted", "not reproduced"], "refuted"),
        (["not reproduced", "not measured"], "not measured"),
        (["not run", "reproduced"], "not run"),
        (["not judged", "reproduced"], "reproduced"),
        (["not judged"], "not judged"),
        ([], "not judged"),
        (["shortened", "reproduced"], "shortened"),
    ],
)
def test_the_worst_verdict_counts(verdicts: list[Verdict], expected: str) -> None:
    """Without a judged metric "not judged"; exceeded only if every claimed number is."""
    metric = ClaimedMetric(name="f", measured="r.v", claimed=1.0)
    assert combined_verdict([MetricVerdict(metric, verdict) for verdict in verdicts]) == expected


def test_what_cannot_be_bettered_holds_nothing_back() -> None:
    """Limits, other files, targets and what is exact can only be reproduced."""
    exceeded = MetricVerdict(ClaimedMetric(name="f", measured="r.v", claimed=1.0), "exceeded")
    for settings in ({"at_least": 1.0}, {"less_than": "b"}, {"claimed": 2.0, "comparison": "near"}):
        other = MetricVerdict(ClaimedMetric(name="f", measured="r.v", **settings), "reproduced")  # type: ignore[arg-type]
        assert combined_verdict([exceeded, other]) == "exceeded"
        assert combined_verdict([other]) == "reproduced"


def test_an_interval_of_shares_is_shown_without_what_they_cannot_be() -> None:
    """An accuracy is at most 1; the verdict takes the whole interval. A difference has no limit."""
    path = "classification.accuracy"
    for settings, is_cut in (
        ({"measured": path}, True),
        ({"measured": path, "minus": "classification.log_loss"}, False),
        ({"measured": "metrics.train_accuracy.until:0.9"}, False),
        ({"measured": "reconstruction.mse"}, False),
    ):
        metric = ClaimedMetric(name="f", claimed=1.0, **settings)  # type: ignore[arg-type]
        result = MetricVerdict(metric, "reproduced", (0.97, 1.0), interval=(0.95, 1.02))
        assert result.shown_interval == ((0.95, 1.0) if is_cut else (0.95, 1.02))


def test_mean_and_deviation(tmp_path: Path) -> None:
    """The deviation has n − 1, and is None for a single run."""
    metric = ClaimedMetric(name="f", measured="r.v", claimed=1.0)
    result = metric_verdict(metric, facts(tmp_path, 1.0, 3.0), lambda stem: "")
    assert result.mean == 2.0 and result.std == pytest.approx(2**0.5)
    assert metric_verdict(metric, facts(tmp_path / "one", 1.0), lambda stem: "").std is None
