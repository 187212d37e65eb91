"""The verdicts once more with all seeds moved, from the runs that are there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ldl.report.claim_files import ClaimFolder, Profile, ReportTitles
from ldl.report.reproduce import SeedOffset, evaluate_claims
from ldl.report.run_index import IndexedRun
from ldl.report.verdicts import Verdict


def read_seed_offsets(
    folder: ClaimFolder, profile: Profile, root: Path, runs: Mapping[str, IndexedRun]
) -> tuple[SeedOffset, ...]:
    """A SeedOffset for each offset of which `root` holds a report.

    The verdicts are made anew from the runs, so that a file that has changed since counts as not
    tried.
    """
    matches = (
        re.fullmatch(r"report.*-seeds-([0-9]+).*\.json", path.name) for path in root.glob("*")
    )
    offsets = sorted({int(match[1]) for match in matches if match})
    return tuple(SeedOffset(offset, _verdicts(folder, profile, offset, runs)) for offset in offsets)


def _verdicts(
    folder: ClaimFolder, profile: Profile, offset: int, runs: Mapping[str, IndexedRun]
) -> dict[str, Verdict]:
    results = evaluate_claims(folder.files(profile, offset), runs, ReportTitles(), complete=False)
    return {result.id: result.verdict for result in results}
