"""The report of claims as Markdown; its plots are the runs' own, by relative links."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ldl.report import setup_wording, wording
from ldl.report.page import SIGNS
from ldl.report.plot_files import select_plots
from ldl.report.reproduce import ClaimCase, ClaimResult, Reproduction
from ldl.report.verdicts import JUDGED

SPECIAL: Final = re.compile(r"(`[^`|<>]+`)|([\\`*_\[\]<>|#])")  # code stays as it is


def claims_markdown(
    reproduction: Reproduction, folder: Path, environment: Mapping[str, str]
) -> str:
    """The text of report.md in `folder`, from which links to plots are relative."""
    titles = reproduction.titles
    blocks = [f"# {escaped(titles.title)}", escaped(titles.about)]
    if reproduction.profile in wording.SHORTENED:
        blocks.append(f"**{wording.SHORTENED[reproduction.profile]}**")
    rows = [_signed(row) for row in wording.summary_rows(reproduction.results)]
    summary = _table(wording.SUMMARY_COLUMNS, rows)
    blocks += ["## Summary", f"{wording.tally_line(reproduction)}."]
    blocks += [*map(escaped, wording.offset_lines(reproduction)), summary]
    blocks += ["How long it takes, by profile:", *_list(wording.time_lines(reproduction))]
    blocks += ["### How verdicts are made", *_list(wording.RULES)]
    for document, claims in reproduction.documents:
        blocks += [f"## {document.letter}. {escaped(document.title)}", escaped(document.about)]
        for result in claims:
            blocks += _claim(result, folder, reproduction)
    if environment:
        items = environment.items()
        blocks += ["## Made with", *(f"- {escaped(k)}: {escaped(v)}" for k, v in items)]
    return "\n\n".join(filter(None, blocks)).replace("\n\n- ", "\n- ") + "\n"


def escaped(text: str) -> str:
    """Text on one line whose characters are not taken for Markdown or HTML; `code` stays code."""
    return SPECIAL.sub(lambda match: match[1] or f"\\{match[2]}", " ".join(text.split()))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _list(lines: Sequence[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _verdict(verdict: str) -> str:
    return f"{SIGNS[verdict]} {verdict}" if verdict in JUDGED else verdict


def _signed(row: Sequence[str]) -> list[str]:
    """A row of a table whose last cell is a verdict."""
    return [*row[:-1], _verdict(row[-1])]


def _claim(result: ClaimResult, folder: Path, reproduction: Reproduction) -> list[str]:
    counts = wording.counts(result)
    shared = wording.shared_texts(result)
    blocks = [f"### {result.id} {escaped(result.experiment)}"]
    blocks.append(f"**{_verdict(result.verdict)}**" + (f", {counts}" if counts else ""))
    blocks += [escaped(wording.moved_verdicts(result, reproduction)), *_statement(shared)]
    for case in result.cases:
        blocks += _case(case, folder, len(result.cases) > 1, shared)
    for case in result.uncounted:
        text = escaped(case.claim.fault or case.claim.evidence or "")
        blocks += [f"#### {wording.uncounted_title(case)}", text]
        blocks += _case(case, folder, False, shared)
    command = wording.command(result, reproduction)
    return [*blocks, f"Again: `{command}`" if command else ""]


def _statement(texts: Mapping[str, str]) -> list[str]:
    """The claim in words, why measured values may differ, and its page and time in the report."""
    because = f"Why the measured values may differ: {escaped(texts['because'])}"
    return [
        f"> {escaped(texts['outcome'])}" if texts["outcome"] else "",
        because if texts["because"] else "",
        f"Why the opposite is measured: {escaped(texts['cause'])}" if texts["cause"] else "",
        _facts({"in the report": texts["where"], "reported time": texts["time"]}),
    ]


def _facts(facts: Mapping[str, str]) -> str:
    return "; ".join(f"{key}: {escaped(text)}" for key, text in facts.items() if text)


def _case(case: ClaimCase, folder: Path, titled: bool, shared: Mapping[str, str]) -> list[str]:
    claim = case.claim
    name = escaped(claim.case or case.file.stem)
    blocks = [f"#### {name}: {_verdict(case.verdict)}"] if titled else []
    blocks += _statement(wording.specific_texts(case, shared))
    if claim.metrics:
        rows = [_signed(row) for row in wording.metric_rows(case)]
        blocks.append(_table(wording.METRIC_COLUMNS, rows))
    if differences := setup_wording.setup_rows(case):
        blocks.append(_table(setup_wording.SETUP_COLUMNS, differences))
    if same := setup_wording.same_settings(case):
        blocks.append(f"As reported: {escaped(same)}.")
    blocks += [escaped(text) for text in (wording.seed_note(case), *wording.problems(case))]
    facts = {
        "measured time": wording.run_time(case),
        "seeds": wording.seeds(case),
        "configuration": case.file.path.name,
    }
    return [*blocks, _facts(facts), *_plots(case, folder)]


def _plots(case: ClaimCase, folder: Path) -> list[str]:
    """A link to each plot of the first seed."""
    if not case.runs:
        return []
    experiment = escaped(case.claim.what)
    return [
        f"![{escaped(plot.title)}: {experiment}]({quote(os.path.relpath(plot.path, folder))})"
        for plot in select_plots(case.runs[0].run, case.claim.plots)
    ]
