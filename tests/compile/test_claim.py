"""The section `claim` of a configuration: its grammar, its errors, its inheritance."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldl.compile import Claim, ClaimedMetric, Config
from ldl.config import loads
from ldl.errors import ConfigError, SettingError
from ldl.execute import REGISTRIES, prepare

EXPERIMENT = """\
data: {source: iris}
network: [linear]
"""


def claim(text: str) -> Claim:
    """The claim of a configuration."""
    parsed = loads(f"{EXPERIMENT}claim:\n{text}", "x.yaml", Config, REGISTRIES).value.claim
    assert parsed is not None
    return parsed


def problems(metric: str) -> list[str]:
    """The messages about a claim with this metric."""
    with pytest.raises(ConfigError) as caught:
        claim(f"  id: a1\n  what: x\n  metrics:\n    - {metric}\n")
    return [problem.message for problem in caught.value.problems]


def test_a_whole_claim() -> None:
    """Every key; a claimed value may be a number or text."""
    parsed = claim(
        "  id: a5\n  what: denoising\n  case: first\n  where: section 5\n  outcome: readable\n"
        "  because: another split\n  time: 49 s\n  seeds: 3\n  plots: [loss]\n  quick: []\n"
        "  metrics:\n    - {name: one, measured: a.b, claimed: 1}\n"
        '    - {name: two, measured: c, claimed: "< 0.01", at_most: 0.01}\n'
    )
    one, two = parsed.metrics
    assert (one.claimed, one.is_number, two.claimed, two.is_number) == (1.0, True, "< 0.01", False)
    assert parsed.counted and parsed.seeds == 3 and parsed.quick == []


@pytest.mark.parametrize(
    "metric",
    [
        "{name: x, measured: y, claimed: 0.5}",
        "{name: x, measured: y, claimed: 0.5, comparison: at_most, within: 0.1}",
        "{name: x, measured: y, claimed: 0.5, comparison: near, within: 0.1}",
        "{name: x, measured: y, at_least: 1, at_most: 2}",
        "{name: x, measured: y, claimed: 0.5, at_least: 0.4}",
        "{name: x, measured: y, less_than: other, other_measured: z, by: 0.1}",
        "{name: x, measured: y, comparison: not_judged}",
        "{name: x, measured: y, minus: z, same_as: other}",
    ],
)
def test_conditions_of_a_metric(metric: str) -> None:
    """Each condition is accepted."""
    assert claim(f"  id: a1\n  what: x\n  metrics:\n    - {metric}\n").metrics


@pytest.mark.parametrize(
    ("metric", "word"),
    [
        ("{name: x, measured: y}", "claimed: is no number"),
        ("{name: x, measured: y, claimed: good}", "claimed: is no number"),
        ("{name: x, measured: y, claimed: good, comparison: near}", "claimed: is no number"),
        ("{name: x, measured: y, claimed: 1, comparison: near, at_least: 1}", "choose one"),
        ("{name: x, measured: y, less_than: a, greater_than: b}", "choose one"),
        ("{name: x, measured: y, less_than: a, comparison: not_judged}", "choose one"),
        ("{name: x, measured: y, claimed: 1, by: 2}", "needs less_than"),
        ("{name: x, measured: y, claimed: 1, other_measured: z}", "needs less_than"),
        ("{name: x, measured: y, claimed: 1, within: -1}", "at least 0"),
        ("{name: x, claimed: 1}", "needs `measured`"),
        ("{name: x, measured: y, claimed: 1, sens: near}", "unknown key `sens`"),
    ],
)
def test_errors_in_a_metric(metric: str, word: str) -> None:
    """Each error has one message."""
    (message,) = problems(metric)
    assert word in message


def test_an_error_has_a_position(tmp_path: Path) -> None:
    """An invalid id is reported with line and column."""
    file = tmp_path / "x.yaml"
    file.write_text(f"{EXPERIMENT}claim: {{id: 5a, what: x}}\n")
    with pytest.raises(ConfigError) as caught:
        prepare(file)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (3, 13) and "5a" in problem.message


def test_fault_and_evidence_exclude_each_other() -> None:
    """A file has one or the other, and is not counted."""
    with pytest.raises(SettingError):
        Claim(id="a1", what="x", fault="twice", evidence="longer")
    assert not Claim(id="a1", what="x", fault="twice").counted
    assert not Claim(id="a1", what="x", evidence="longer").counted


def test_a_claim_is_inherited_by_key(tmp_path: Path) -> None:
    """`fault: null` removes one; lists are replaced."""
    (tmp_path / "base.yaml").write_text(
        f"{EXPERIMENT}claim:\n  id: a1\n  what: x\n  fault: twice\n"
        "  metrics: [{name: x, measured: y, claimed: 1}]\n"
    )
    over = "extends: base.yaml\nclaim: {fault: null, metrics: [{name: z, measured: y, claimed: 2}]}"
    (tmp_path / "over.yaml").write_text(over)
    parsed = prepare(tmp_path / "over.yaml").experiment.config.claim
    assert parsed is not None and parsed.counted and parsed.what == "x"
    assert [metric.name for metric in parsed.metrics] == ["z"]


def test_the_file_it_is_compared_with() -> None:
    """The file named by less_than, greater_than or same_as; None for bounds."""
    assert ClaimedMetric(name="gap", measured="a", minus="b", at_most=1.0).other is None
    assert ClaimedMetric(name="x", measured="a", same_as="e4").other == "e4"


def test_former_names_are_accepted() -> None:
    """`figures`, `sense`, `theirs` and `shows`; `sense: shown` is `comparison: not_judged`."""
    parsed = claim(
        "  id: a1\n  what: x\n  shows: [loss]\n  figures:\n"
        "    - {name: x, measured: y, sense: shown}\n"
        "    - {name: x, measured: y, same_as: a2, theirs: z}\n"
    )
    first, second = parsed.metrics
    assert parsed.plots == ["loss"]
    assert (first.comparison, second.other_measured) == ("not_judged", "z")
