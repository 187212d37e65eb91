"""Writes the report of claims: the page, the Markdown, and the verdicts as JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from ldl.compile import ClaimedMetric
from ldl.control_characters import escape_controls
from ldl.errors import LdlError
from ldl.report import wording
from ldl.report.claim_files import ClaimFile, Profile
from ldl.report.claims_markdown import claims_markdown
from ldl.report.claims_page import claims_page
from ldl.report.number_format import format_duration
from ldl.report.reproduce import ClaimCase, Reproduction
from ldl.report.run_index import IndexedRun
from ldl.runs import read_json, to_json, write_bytes, write_text

PLOT_CACHE: Final = ".pictures"
JSON_KEYS: Final = {"comparison": "sense", "other_measured": "theirs"}


def report_name(profile: Profile, seed_offset: int, complete: bool) -> str:
    """The name of a report's files: `report`, and what distinguishes another one from it."""
    suffixes = {
        profile: profile != "faithful", f"seeds-{seed_offset}": seed_offset, "part": not complete,
    }  # fmt: skip
    return "-".join(["report", *(suffix for suffix, applies in suffixes.items() if applies)])


def report_paths(root: Path, name: str) -> dict[str, Path]:
    """The files of a report by suffix: html, md, json."""
    return {suffix: root / f"{name}.{suffix}" for suffix in ("html", "md", "json")}


def fingerprint(
    claim_files: Sequence[ClaimFile],
    runs: Mapping[str, IndexedRun],
    *others: Any,
) -> str:
    """SHA-256 over all that determines a report: claims, runs, others, the code that writes it."""
    content: list[Any] = [repr(others)]
    for file in claim_files:
        finished = [
            (job.key, runs[job.key].run.name, repr(runs[job.key].status))
            for job in file.jobs
            if job.key in runs
        ]
        content.append((repr(file), finished))
    texts = list(_source_texts(files("ldl.report")))
    return hashlib.sha256(repr((content, texts)).encode()).hexdigest()


def _source_texts(folder: Traversable) -> list[str]:
    """The modules, templates and assets of a package, by name."""
    texts: list[str] = []
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.is_dir():
            texts += _source_texts(path)
        elif path.name.endswith((".py", ".html", ".css", ".js")):
            texts.append(path.read_text("utf-8"))
    return texts


def read_published(root: Path, name: str, fingerprint: str) -> dict[str, Any] | None:
    """The verdicts of the report of this name in `root`, if it has the same fingerprint."""
    paths = report_paths(root, name)
    if not all(path.exists() for path in paths.values()):
        return None
    try:
        verdicts: dict[str, Any] = read_json(paths["json"])
        return verdicts if verdicts["made_of"] == fingerprint else None
    except (LdlError, KeyError, TypeError):
        return None


def publish(reproduction: Reproduction, root: Path, name: str, fingerprint: str) -> dict[str, Any]:
    """Write the three files of a report; returns the content of the JSON file."""
    paths = report_paths(root, name)
    root.mkdir(parents=True, exist_ok=True)
    made_with = report_environment(reproduction)
    write_text(paths["html"], claims_page(reproduction, root / PLOT_CACHE, made_with))
    write_text(paths["md"], escape_controls(claims_markdown(reproduction, root, made_with)))
    verdicts = {"made_of": fingerprint, **as_data(reproduction)}
    write_bytes(paths["json"], to_json(verdicts))
    return verdicts


def as_data(reproduction: Reproduction) -> dict[str, Any]:
    """The verdicts as plain data."""
    return {
        "summary": wording.tally_line(reproduction),
        "tally": reproduction.tally,
        "profile": reproduction.profile,
        "times": [
            {
                "profile": time.profile,
                "runs": time.jobs,
                "done": time.done,
                "seconds": time.seconds,
                "measured_seconds": time.measured,
            }
            for time in reproduction.times
        ],
        "seed_offsets": {
            str(moved.offset): {
                "compared": len(moved.compared(reproduction.results)),
                "differing": {
                    result.id: verdict for result, verdict in moved.differing(reproduction.results)
                },
            }
            for moved in reproduction.offsets
        },
        "claims": [
            {
                "id": result.id,
                "what": result.experiment,
                "verdict": result.verdict,
                "cases": [_case_data(case) for case in (*result.cases, *result.uncounted)],
            }
            for result in reproduction.results
        ],
    }


def _case_data(case: ClaimCase) -> dict[str, Any]:
    """A case as plain data. Some keys keep former names, because scripts read them."""
    return {
        "file": case.file.path.name,
        "case": case.claim.case,
        "counted": case.claim.counted,
        "verdict": case.verdict,
        "trouble": wording.problems(case),
        "seconds": case.seconds,
        "runs": [run.run.name for run in case.runs],
        "setup": [asdict(setting) for setting in case.file.setup],
        "figures": [
            {
                **_metric_data(result.metric),
                "verdict": result.verdict,
                "values": list(result.values),
                "mean": result.mean,
                "spread": result.std,
                "against": list(result.other_values),
                "interval": result.interval,
                "p": result.p,
            }
            for result in case.metrics
        ],
    }


def _metric_data(metric: ClaimedMetric) -> dict[str, Any]:
    """The settings that the claim gives; renamed ones keep their keys in report.json."""
    settings = asdict(metric).items()
    return {JSON_KEYS.get(k, k): v for k, v in settings if v not in (None, "", 0.0)}


def report_environment(reproduction: Reproduction) -> dict[str, str]:
    """The versions and the machine of the first run, and the time of all; {} if unknown."""
    runs = reproduction.runs
    if not runs:
        return {}
    try:
        record = read_json(runs[0].run.environment)
        versions, processor = record["versions"], record["processor"]
        total = format_duration(sum(run.status.seconds for run in runs))
        return {
            "ldl": versions["ldl"],
            "Python": versions["python"],
            "NumPy": versions["numpy"],
            "system": record["system"],
            "processor": f"{processor['model']}, {processor['usable']} cores",
            "runs": f"{len(runs)}, together {total}",
        }
    except (LdlError, KeyError, TypeError):
        return {}
