"""The shipped claims: every number and statement of the documents has a metric, or a reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ldl.compile import ClaimedMetric
from ldl.report.claim_files import ClaimFile, ClaimFolder

FOLDER = Path(__file__).parents[2] / "configs" / "reports"
REPORTED = yaml.load(
    re.sub(r"\b(\d+)e-", r"\1.0e-", (Path(__file__).parent / "claimed_numbers.yaml").read_text()),
    yaml.SafeLoader,
)
NUMBER = re.compile(r"\d+(?:\.\d+)?")


@cache
def files() -> list[ClaimFile]:
    """The files of the faithful profile."""
    return ClaimFolder(FOLDER).files("faithful")


def cases(name: str) -> list[ClaimFile]:
    """The files of one claim."""
    return [file for file in files() if file.claim is not None and file.claim.id == name]


def metrics(name: str) -> list[ClaimedMetric]:
    """The metrics of all files of a claim."""
    return [metric for file in cases(name) if file.claim for metric in file.claim.metrics]


def numbers(value: Any) -> Iterator[float]:
    """All numbers in a reported value."""
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers(item)


def test_every_claim_is_listed() -> None:
    """The documents make 12, 12, 11, 2 and 12 claims; no file makes another one."""
    counts = {"a": 12, "b": 12, "c": 11, "d": 2, "e": 12}
    names = {f"{letter}{i + 1}" for letter, count in counts.items() for i in range(count)}
    assert set(REPORTED) == names == {file.claim.id for file in files() if file.claim}


@pytest.mark.parametrize("name", REPORTED)
def test_every_number_and_statement_has_a_metric(name: str) -> None:
    """As often as it is reported, in the claimed values of the claim's metrics."""
    reported = REPORTED[name]["claimed"]
    claimed: Counter[float] = Counter()
    texts = []
    for metric in metrics(name):
        text = "" if metric.claimed is None else str(metric.claimed)
        texts.append(text)
        claimed.update(map(float, NUMBER.findall(text)))
    wanted = Counter(float(value) for value in reported if not isinstance(value, str))
    words = Counter(value for value in reported if isinstance(value, str))
    missing = [*(wanted - claimed)]
    lacking = [word for word, count in words.items() if sum(word in t for t in texts) < count]
    assert not missing and not lacking, f"{name} lacks {missing} {lacking} among {texts}"


@pytest.mark.parametrize("name", [name for name in REPORTED if "setup" in REPORTED[name]])
def test_the_reported_setup_is_given(name: str) -> None:
    """Every number of it stands in the `setup` of some file of the claim."""
    given = {
        number
        for file in cases(name)
        for setting in file.setup
        for number in numbers(setting.reported)
    }
    missing = {float(value) for value in REPORTED[name]["setup"]} - given
    assert not missing, f"{name} lacks {missing}"


def test_the_shipped_claims_are_sound() -> None:
    """They are valid and named for their ids; what differs or is not judged has a reason.

    A reason for what does not differ is out of date.
    """
    problems = [f"{file.stem}: {problem}" for file in files() for problem in faults(file)]
    assert not problems, "\n".join(problems)


def faults(file: ClaimFile) -> Iterator[str]:
    """What is wrong with a file."""
    if file.broken or file.claim is None:
        yield file.problem
        return
    if not file.stem.startswith(file.claim.id):
        yield f"is not named for {file.claim.id}"
    if not file.claim.counted:
        return
    if not file.claim.metrics:
        yield "names no metric"
    for setting in file.setup:
        if setting.differs and not setting.because:
            yield f"{setting.path} differs: {setting.reported} reported, here {setting.ours}"
        elif setting.because and not setting.differs:
            yield f"{setting.path} does not differ, but says why"
    for metric in file.claim.metrics:
        if metric.is_not_judged and not metric.reason:
            yield f"{metric.name} is not judged, and no reason says why"
