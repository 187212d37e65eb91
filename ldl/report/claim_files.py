"""What a folder of claims asks for: which experiments, with which seeds, and what cannot run."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from ldl.compile import Claim
from ldl.config import render
from ldl.data import list_sources
from ldl.data.catalogue import DERIVED_FROM
from ldl.errors import ConfigError, LdlError, UsageError
from ldl.execute import REGISTRIES, PreparedExperiment, prepare
from ldl.report.jobs import Job, jobs_of

Profile = Literal["full", "quick"]
TITLES: Final = "report.toml"
AT_HAND: Final = ("embedded", "generated")


@dataclass(frozen=True)
class Source:
    """A document whose claims are held against our figures; `claims` is how many it makes."""

    letter: str
    title: str
    about: str = ""
    claims: int = 0


@dataclass(frozen=True)
class ReportTitles:
    """report.toml: what the page is called, and the documents."""

    title: str = "Claims, redone"
    about: str = ""
    sources: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True)
class ClaimFile:
    """One file: its claim and its jobs, or why there are none."""

    stem: str
    path: Path
    claim: Claim | None = None
    texts: Mapping[str, str] = field(default_factory=dict)  # file name -> text, itself first
    overrides: tuple[str, ...] = ()  # of the quick profile
    jobs: tuple[Job, ...] = ()
    problem: str = ""  # why it cannot run
    broken: bool = False  # whether the file itself is at fault


def read_report_titles(folder: Path) -> ReportTitles:
    """`report.toml` of the folder, or what stands for it. Raises UsageError where it is unsound."""
    path = folder / TITLES
    if not path.exists():
        return ReportTitles()
    try:
        found = tomllib.loads(path.read_text("utf-8"))
        sources = {key: Source(key, **each) for key, each in found.pop("sources", {}).items()}
        return ReportTitles(**found, sources=sources)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: {error}") from error


def read_claim_files(
    folder: Path, profile: Profile = "full", only: Sequence[str] = (), seed_offset: int = 0
) -> list[ClaimFile]:
    """The entries of all configurations with a claim in the folder, in the order of their ids.

    With `only`, those of these ids or files, and what they are judged by or go on from. Seeds
    count from that of the file, plus `seed_offset`. A file that cannot be read is an entry with a
    problem. Raises UsageError where nothing is found.
    """
    paths = sorted(folder.glob("*.yaml"))
    prepared = {path.stem: _read(path) for path in paths}
    chosen = {
        stem: found
        for stem, found in prepared.items()
        if isinstance(found, LdlError) or found.experiment.config.claim is not None
    }
    if not chosen:
        raise UsageError(f"{folder} holds no configuration with a claim")
    if only:
        chosen = _needed(chosen, _wanted(chosen, only))
    planner = _Planner(folder, chosen, profile, _missing_sets(), seed_offset)
    order = sorted(chosen, key=lambda stem: order_of(chosen[stem], stem))
    return [planner.entry(stem) for stem in order]


Found = Mapping[str, PreparedExperiment | LdlError]


def _read(path: Path, overrides: Sequence[str] = ()) -> PreparedExperiment | LdlError:
    try:
        return prepare(path, overrides)
    except LdlError as error:
        return error


def claim_of(found: PreparedExperiment | LdlError) -> Claim | None:
    """The claim of a file that could be read."""
    return None if isinstance(found, LdlError) else found.experiment.config.claim


def order_of(found: PreparedExperiment | LdlError, stem: str) -> tuple[str, int, int, str]:
    """By document, number, counted before shown, then by file name."""
    claim = claim_of(found)
    letters, number = split_id(claim.id if claim else stem)
    return letters, number, 0 if claim is None or claim.counted else 1, stem


def split_id(name: str) -> tuple[str, int]:
    """a12 or a12-what → ("a", 12)."""
    letters = name[: len(name) - len(name.lstrip("abcdefghijklmnopqrstuvwxyz"))]
    digits = name[len(letters) :].partition("-")[0]
    return letters, int(digits) if digits.isdecimal() else 0


def _wanted(found: Found, only: Sequence[str]) -> set[str]:
    """The files that are named by themselves, by their id, or by their document's letter."""
    wanted: set[str] = set()
    for word in only:
        hits = set()
        for stem, each in found.items():
            claim = claim_of(each)
            own = claim.id if claim else stem.partition("-")[0]
            if word in (stem, own, split_id(own)[0]):
                hits.add(stem)
        if not hits:
            ids = dict.fromkeys(claim.id for each in found.values() if (claim := claim_of(each)))
            raise UsageError(f"no claim or file is called {word}; there are {', '.join(ids)}")
        wanted |= hits
    return wanted


def _needed(found: Found, wanted: set[str]) -> dict[str, PreparedExperiment | LdlError]:
    """The wanted files and those whose figures or weights they need."""
    waiting, kept = list(wanted), set()
    while waiting:
        stem = waiting.pop()
        if stem in kept or stem not in found:
            continue
        kept.add(stem)
        claim = claim_of(found[stem])
        others = [f.other for f in claim.figures] + [claim.after] if claim else []
        waiting += [other for other in others if other]
    return {stem: each for stem, each in found.items() if stem in kept}


def _missing_sets() -> dict[str, str]:
    """The data sets with files of their own: what to do where one is not at hand, else ""."""
    sets = {}
    for each in list_sources():
        if each.state in (*AT_HAND, "yours"):
            continue
        needed = DERIVED_FROM.get(each.name, each.name)
        how = f"`ldl data fetch {needed}` gets it, or LDL_DATA_DIR says where it lies"
        sets[each.name] = "" if each.state == "found" else f"{needed} is not at hand: {how}"
    return sets


class _Planner:
    """Makes the entry of each file once; that of a file whose weights another needs before it."""

    def __init__(
        self,
        folder: Path,
        found: Found,
        profile: Profile,
        sets: Mapping[str, str],
        seed_offset: int,
    ) -> None:
        self.folder, self.found, self.profile, self.sets = folder, found, profile, sets
        self.seed_offset = seed_offset
        self.entries: dict[str, ClaimFile] = {}

    def entry(self, stem: str) -> ClaimFile:
        """The entry of a file."""
        if stem not in self.entries:
            self.entries[stem] = self._make(stem)
        return self.entries[stem]

    def _make(self, stem: str) -> ClaimFile:
        found, path = self.found[stem], self.folder / f"{stem}.yaml"
        if isinstance(found, LdlError):
            return ClaimFile(stem, path, problem=_told(found), broken=True)
        claim = found.experiment.config.claim
        assert claim is not None
        entry = ClaimFile(stem, path, claim, found.loaded.sources)
        fault = _reference_fault(stem, claim, self.found)
        if fault:
            return replace(entry, problem=fault, broken=True)
        reason = self._kept_from(found, claim)
        if reason:
            return replace(entry, problem=reason)
        before: tuple[Job, ...] = ()
        if claim.after:
            donor = self.entry(claim.after)
            if donor.problem:
                reason = f"it goes on from {claim.after}, which cannot run: {donor.problem}"
                return replace(entry, problem=reason)
            before = donor.jobs
        changes = list(claim.quick or []) if self.profile == "quick" else []
        ready = _read(path, changes) if changes else found
        if isinstance(ready, LdlError):
            return replace(entry, problem=_told(ready), broken=True)
        first = ready.experiment.config.seed + self.seed_offset
        seeds = range(first, first + (1 if changes else claim.seeds))
        jobs = jobs_of(path, ready, seeds, changes, before)
        return replace(entry, overrides=tuple(changes), jobs=jobs)

    def _kept_from(self, found: PreparedExperiment, claim: Claim) -> str:
        """Why a sound file does not run: its data is not at hand, or the profile leaves it out."""
        source = type(found.experiment.config.data.source)
        name = next(key for key, cls in REGISTRIES["source"].items() if cls is source)
        if self.profile == "quick" and name in self.sets:
            return f"the quick profile leaves it out, for it needs {name}"
        if self.profile == "quick" and claim.quick is None:
            return "the quick profile leaves it out"
        return self.sets.get(name, "")


def _told(error: LdlError) -> str:
    """What is wrong with a file, each mistake with its place."""
    return render(error) if isinstance(error, ConfigError) else str(error)


def _reference_fault(stem: str, claim: Claim, found: Found) -> str:
    """A file that is named and is not there, or one that waits for itself."""
    for other in [*(figure.other for figure in claim.figures), claim.after]:
        if other is not None and other not in found:
            return f"it names the file {other}, which is not there; there are {', '.join(found)}"
    seen, at = [stem], claim.after
    while at is not None and at in found:
        if at in seen:
            return f"`after` goes in a circle: {' → '.join([*seen, at])}"
        seen.append(at)
        following = claim_of(found[at])
        at = following.after if following else None
    return ""
