"""Writes the reproduced report: the page, the Markdown, and the verdicts for programs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from ldl.errors import LdlError
from ldl.report import wording
from ldl.report.claim_files import ClaimFile, Profile, ReportTitles
from ldl.report.claims_markdown import claims_markdown
from ldl.report.claims_page import claims_page, total_time
from ldl.report.reproduce import Case, Reproduction
from ldl.report.run_index import IndexedRun
from ldl.runs import read_json, to_json, write_bytes, write_text

PICTURES: Final = ".pictures"


def report_name(profile: Profile, seed_offset: int, complete: bool) -> str:
    """What a report is called: one of other runs than the whole report's does not replace that."""
    parts = {"quick": profile == "quick", f"seeds-{seed_offset}": seed_offset, "part": not complete}
    return "-".join(["report", *(part for part, has in parts.items() if has)])


def report_paths(root: Path, name: str) -> dict[str, Path]:
    """Where a report lies, by suffix."""
    return {suffix: root / f"{name}.{suffix}" for suffix in ("html", "md", "json")}


def fingerprint(
    entries: Sequence[ClaimFile],
    known: Mapping[str, IndexedRun],
    titles: ReportTitles,
    complete: bool,
) -> str:
    """SHA-256 over all that the report is made of: claims, runs, and the code that writes it."""
    parts: list[Any] = [repr(titles), complete]
    for entry in entries:
        runs = [
            (job.key, known[job.key].run.name, repr(known[job.key].status))
            for job in entry.jobs
            if job.key in known
        ]
        parts.append((repr(entry), runs))
    own = sorted(files("ldl.report").iterdir(), key=lambda path: path.name)
    texts = [path.read_text("utf-8") for path in own if path.name.endswith(".py")]
    assets = files("ldl.report") / "assets"
    texts += [(assets / name).read_text("utf-8") for name in ("page.css", "page.js")]
    return hashlib.sha256(repr((parts, texts)).encode()).hexdigest()


def read_published(root: Path, name: str, mark: str) -> dict[str, Any] | None:
    """The verdicts of the report that lies there, if it was made of the same."""
    places = report_paths(root, name)
    if not all(path.exists() for path in places.values()):
        return None
    try:
        found: dict[str, Any] = read_json(places["json"])
        return found if found["made_of"] == mark else None
    except (LdlError, KeyError, TypeError):
        return None


def publish(reproduction: Reproduction, root: Path, name: str, mark: str) -> dict[str, Any]:
    """Write the three files; gives what is in the third."""
    places = report_paths(root, name)
    root.mkdir(parents=True, exist_ok=True)
    found = environment(reproduction)
    write_text(places["html"], claims_page(reproduction, root / PICTURES, found))
    write_text(places["md"], claims_markdown(reproduction, root, found))
    verdicts = {"made_of": mark, **as_data(reproduction)}
    write_bytes(places["json"], to_json(verdicts))
    return verdicts


def as_data(reproduction: Reproduction) -> dict[str, Any]:
    """The verdicts as plain data."""
    return {
        "summary": wording.tally(reproduction),
        "tally": reproduction.tally,
        "claims": [
            {
                "id": result.id,
                "what": result.what,
                "verdict": result.verdict,
                "cases": [_case(case) for case in (*result.cases, *result.asides)],
            }
            for result in reproduction.results
        ],
    }


def _case(case: Case) -> dict[str, Any]:
    return {
        "file": case.entry.path.name,
        "case": case.claim.case,
        "counted": case.claim.counted,
        "verdict": case.verdict,
        "trouble": wording.trouble(case),
        "seconds": case.seconds,
        "runs": [each.run.name for each in case.runs],
        "figures": [
            {
                **{k: v for k, v in asdict(each.figure).items() if v not in (None, "", 0.0)},
                "verdict": each.verdict,
                "values": list(each.values),
                "mean": each.mean,
                "spread": each.spread,
                "against": list(each.theirs),
            }
            for each in case.figures
        ],
    }


def environment(reproduction: Reproduction) -> dict[str, str]:
    """What the runs were made with, as the first of them says."""
    runs = [
        each.run
        for result in reproduction.results
        for case in (*result.cases, *result.asides)
        for each in case.runs
    ]
    if not runs:
        return {}
    try:
        found = read_json(runs[0].environment)
        versions, processor = found["versions"], found["processor"]
        return {
            "ldl": versions["ldl"],
            "Python": versions["python"],
            "NumPy": versions["numpy"],
            "system": found["system"],
            "processor": f"{processor['model']}, {processor['usable']} cores",
            "runs": f"{len({run.path for run in runs})}, together {total_time(reproduction)}",
        }
    except (LdlError, KeyError, TypeError):
        return {}
