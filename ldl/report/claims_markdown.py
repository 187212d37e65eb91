"""The reproduced report as Markdown; its pictures are the runs' own, by relative links."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from ldl.report import wording
from ldl.report.claim_files import Source
from ldl.report.claims_page import METHOD
from ldl.report.plot_files import chosen
from ldl.report.reproduce import Case, Reproduction, Result

SIGNS = {"bettered": "▲ bettered", "met": "✓ met", "not met": "✗ not met", "shown": "shown"}
SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def claims_markdown(reproduction: Reproduction, folder: Path, environment: dict[str, str]) -> str:
    """The text of report.md, which lies in `folder`."""
    titles = reproduction.titles
    parts = [f"# {plain(titles.title)}", plain(titles.about)]
    if reproduction.profile == "quick":
        parts.append("**The quick profile: shortened runs on embedded data. No judgement.**")
    parts += ["## Summary", f"{wording.tally(reproduction)}.", METHOD, _summary(reproduction)]
    for letter in reproduction.letters:
        source = titles.sources.get(letter, Source(letter, f"Report {letter}"))
        parts += [f"## {letter}. {plain(source.title)}", plain(source.about)]
        for result in reproduction.of(letter):
            parts += _claim(result, folder)
    if environment:
        parts += ["## Made with", *(f"- {plain(k)}: {plain(v)}" for k, v in environment.items())]
    return "\n\n".join(filter(None, parts)).replace("\n\n- ", "\n- ") + "\n"


def plain(text: str) -> str:
    """Text whose signs are not taken for Markdown or HTML, on one line."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _summary(reproduction: Reproduction) -> str:
    rows = [
        [
            result.id,
            result.what,
            *wording.headline(result),
            SIGNS.get(result.verdict, result.verdict),
        ]
        for result in reproduction.results
    ]
    return _table(("claim", "what", "claimed", "measured", "verdict"), rows)


def _claim(result: Result, folder: Path) -> list[str]:
    verdict = SIGNS.get(result.verdict, result.verdict)
    counted = wording.counts(result)
    parts = [f"### {result.id} {plain(result.what)}"]
    parts.append(f"**{verdict}**" + (f", {counted}" if counted else ""))
    shared = wording.shared(result)
    parts += _words(shared)
    for case in result.cases:
        parts += _case(case, folder, len(result.cases) > 1, shared)
    for case in result.asides:
        title = (
            "A fault of the original, reproduced" if case.claim.fault else "An experiment on why"
        )
        what = case.claim.fault or case.claim.evidence or ""
        parts += [f"#### {title}", plain(what), *_case(case, folder, False, shared)]
    return parts


def _words(told: Mapping[str, str]) -> list[str]:
    """The claim in words, why ours may differ, where it stands, how long it took there."""
    parts = [f"> {plain(told['outcome'])}"] if "outcome" in told else []
    if "because" in told:
        parts.append(f"Why ours may differ: {plain(told['because'])}")
    places = {"in the report": told.get("where"), "their time": told.get("time")}
    listed = "; ".join(f"{key}: {plain(text)}" for key, text in places.items() if text)
    return [*parts, listed] if listed else parts


def _case(case: Case, folder: Path, titled: bool, shared: Mapping[str, str]) -> list[str]:
    claim = case.claim
    verdict = SIGNS.get(case.verdict, case.verdict)
    parts = [f"#### {plain(claim.case or case.entry.stem)}: {verdict}"] if titled else []
    parts += _words({key: text for key, text in wording.told(case).items() if key not in shared})
    if claim.figures:
        parts.append(_figures(case))
    parts += [plain(text) for text in wording.trouble(case)]
    told = {
        "our time": wording.ours_took(case),
        "seeds": wording.seeds(case),
        "configuration": case.entry.path.name,
    }
    parts.append("; ".join(f"{key}: {plain(value)}" for key, value in told.items() if value))
    return [*parts, *_pictures(case, folder)]


def _figures(case: Case) -> str:
    rows = []
    for i, figure in enumerate(case.claim.figures):
        mine = case.figures[i] if case.figures else None
        verdict = mine.verdict if mine else case.verdict
        ours = wording.measured(mine) if mine else "–"
        row = [figure.name, wording.claimed(figure), ours, wording.wanted(figure)]
        rows.append([*row, SIGNS.get(verdict, verdict)])
    return _table(("figure", "claimed", "measured", "judged by", "verdict"), rows)


def _pictures(case: Case, folder: Path) -> list[str]:
    if not case.runs:
        return []
    lines = []
    for each in chosen(case.runs[0].run, case.claim.shows):
        place = quote(os.path.relpath(each.path, folder))
        lines.append(f"![{plain(each.title)}: {plain(case.claim.what)}]({place})")
    return lines
