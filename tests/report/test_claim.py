"""The section `claim` of a configuration: its grammar, its mistakes, what it does not change."""

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
    found = loads(f"{EXPERIMENT}claim:\n{text}", "x.yaml", Config, REGISTRIES).value.claim
    assert found is not None
    return found


def problems(figure: str) -> list[str]:
    """What is wrong with a claim of one figure."""
    with pytest.raises(ConfigError) as caught:
        claim(f"  id: a1\n  what: x\n  figures:\n    - {figure}\n")
    return [problem.message for problem in caught.value.problems]


def test_a_whole_claim() -> None:
    """Every key, and numbers and words as they are written."""
    found = claim(
        "  id: a5\n  what: denoising\n  case: first\n  where: section 5\n  outcome: readable\n"
        "  because: another split\n  time: 49 s\n  seeds: 3\n  shows: [loss]\n  quick: []\n"
        "  figures:\n    - {name: one, measured: a.b, claimed: 1}\n"
        '    - {name: two, measured: c, claimed: "< 0.01", at_most: 0.01}\n'
    )
    one, two = found.figures
    assert (one.claimed, one.is_number, two.claimed, two.is_number) == (1.0, True, "< 0.01", False)
    assert found.counted and found.seeds == 3 and found.quick == []


@pytest.mark.parametrize(
    "figure",
    [
        "{name: x, measured: y, claimed: 0.5}",
        "{name: x, measured: y, claimed: 0.5, sense: at_most, within: 0.1}",
        "{name: x, measured: y, claimed: 0.5, sense: near, within: 0.1}",
        "{name: x, measured: y, at_least: 1, at_most: 2}",
        "{name: x, measured: y, claimed: 0.5, at_least: 0.4}",
        "{name: x, measured: y, less_than: other, theirs: z, by: 0.1}",
        "{name: x, measured: y, sense: shown}",
        "{name: x, measured: y, minus: z, same_as: other}",
    ],
)
def test_what_judges_a_figure(figure: str) -> None:
    """One way each, and all of them are ways."""
    assert claim(f"  id: a1\n  what: x\n  figures:\n    - {figure}\n").figures


@pytest.mark.parametrize(
    ("figure", "word"),
    [
        ("{name: x, measured: y}", "claimed: is no number"),
        ("{name: x, measured: y, claimed: good}", "claimed: is no number"),
        ("{name: x, measured: y, claimed: good, sense: near}", "claimed: is no number"),
        ("{name: x, measured: y, claimed: 1, sense: near, at_least: 1}", "choose one"),
        ("{name: x, measured: y, less_than: a, greater_than: b}", "choose one"),
        ("{name: x, measured: y, less_than: a, sense: shown}", "choose one"),
        ("{name: x, measured: y, claimed: 1, by: 2}", "needs less_than"),
        ("{name: x, measured: y, claimed: 1, theirs: z}", "needs less_than"),
        ("{name: x, measured: y, claimed: 1, within: -1}", "at least 0"),
        ("{name: x, claimed: 1}", "needs `measured`"),
        ("{name: x, measured: y, claimed: 1, sens: near}", "unknown key `sens`"),
    ],
)
def test_mistakes_in_a_figure(figure: str, word: str) -> None:
    """One message each, and it says what is wrong."""
    (message,) = problems(figure)
    assert word in message


def test_a_mistake_has_its_place(tmp_path: Path) -> None:
    """Line and column, as everywhere in the language."""
    file = tmp_path / "x.yaml"
    file.write_text(f"{EXPERIMENT}claim: {{id: 5a, what: x}}\n")
    with pytest.raises(ConfigError) as caught:
        prepare(file)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (3, 13) and "5a" in problem.message


def test_a_fault_and_evidence_do_not_go_together() -> None:
    """Either the file repeats a mistake, or it explains one."""
    with pytest.raises(SettingError):
        Claim(id="a1", what="x", fault="twice", evidence="longer")
    assert not Claim(id="a1", what="x", fault="twice").counted
    assert not Claim(id="a1", what="x", evidence="longer").counted


def test_a_claim_is_inherited_key_by_key(tmp_path: Path) -> None:
    """`fault: null` takes one back; lists are replaced."""
    (tmp_path / "base.yaml").write_text(
        f"{EXPERIMENT}claim:\n  id: a1\n  what: x\n  fault: twice\n"
        "  figures: [{name: x, measured: y, claimed: 1}]\n"
    )
    over = "extends: base.yaml\nclaim: {fault: null, figures: [{name: z, measured: y, claimed: 2}]}"
    (tmp_path / "over.yaml").write_text(over)
    found = prepare(tmp_path / "over.yaml").experiment.config.claim
    assert found is not None and found.counted and found.what == "x"
    assert [figure.name for figure in found.figures] == ["z"]


def test_the_file_that_judges() -> None:
    """Whichever of the three names it; none where numbers do."""
    assert ClaimedMetric(name="gap", measured="a", minus="b", at_most=1.0).other is None
    assert ClaimedMetric(name="x", measured="a", same_as="e4").other == "e4"
