"""Claims in words: conditions, the metric of a claim in the summary, code in Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ldl.compile import Claim, ClaimedMetric
from ldl.report import wording
from ldl.report.claim_files import ClaimFile, ReportTitles
from ldl.report.claims_markdown import escaped
from ldl.report.reproduce import ClaimCase, ClaimResult, Reproduction
from ldl.report.verdicts import MetricVerdict, Verdict, combined_verdict


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"claimed": 0.8}, "at least the claimed number"),
        ({"claimed": 0.8, "comparison": "at_most"}, "at most the claimed number"),
        (
            {"claimed": 0.8, "comparison": "near", "within": 0.1},
            "equal to the claimed number, ± 0.1 as stated",
        ),
        ({"same_as": "b1", "within": 0.1}, "the same as b1 (within 0.1)"),
        ({"less_than": "b1", "by": 0.2}, "less than b1 by 0.2"),
        (
            {"at_least": 0.1, "at_most": 0.2, "minus": "r.w"},
            "at least 0.1 and at most 0.2, of the value minus r.w",
        ),
        ({"comparison": "not_judged"}, "not judged: no reason is given"),
        ({"comparison": "not_judged", "reason": "unclear"}, "not judged: unclear"),
    ],
)
def test_conditions(settings: dict[str, Any], expected: str) -> None:
    """With the tolerance, and with what is subtracted."""
    assert wording.condition(ClaimedMetric(name="f", measured="r.v", **settings)) == expected


@pytest.mark.parametrize(
    ("verdicts", "shown"),
    [
        (["reproduced", "consistent with", "not reproduced", "not reproduced"], 2),
        (["consistent with", "not measured"], 1),
        (["reproduced", "exceeded"], 0),
    ],
)
def test_the_summary_shows_the_metric_that_decides(verdicts: list[Verdict], shown: int) -> None:
    """The first with the worst verdict, which is that of the claim."""
    metrics = tuple(
        MetricVerdict(ClaimedMetric(name=f"m{i}", measured="r.v", claimed=1.0), verdict, (1.0,))
        for i, verdict in enumerate(verdicts)
    )
    file = ClaimFile("a1", Path("a1.yaml"), Claim(id="a1", what="x"))
    result = ClaimResult("a1", (ClaimCase(file, (), metrics, combined_verdict(metrics)),))
    assert wording.headline(result)[0].startswith(f"m{shown}:")
    line = wording.tally_line(Reproduction(ReportTitles(), "faithful", (result,)))
    assert line.startswith("1 claim: 1 ")


def test_code_in_markdown() -> None:
    """It stays as it is; other special characters are escaped, single backticks too."""
    assert escaped("a_b `train_loss[0]` *x* `") == r"a\_b `train_loss[0]` \*x\* \`"
    assert escaped("`a|b`") == r"\`a\|b\`"  # would end the cell of a table
