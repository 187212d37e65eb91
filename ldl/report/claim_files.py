"""The configurations of a folder with claims: their jobs, or why they cannot run."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from ldl.compile import Claim
from ldl.compile.claim import FILE_COMPARISONS
from ldl.config import KeyPath, render
from ldl.config.suggest import spelling_hint
from ldl.cycles import closed_cycle
from ldl.data import list_sources
from ldl.data.sources import DERIVED_FROM
from ldl.errors import ConfigError, LdlError, Problem, UsageError
from ldl.execute import REGISTRIES, PreparedExperiment, prepare
from ldl.report.jobs import Job, jobs_of
from ldl.report.setup import ReportedSetting, compare_setup

Profile = Literal["faithful", "full", "quick"]
TITLES_FILE: Final = "report.toml"
NEEDS_NO_FILES: Final = ("embedded", "generated", "yours")  # states of a data source
Prepared = PreparedExperiment | LdlError
_Variant = tuple[PreparedExperiment, tuple[ReportedSetting, ...]]


@dataclass(frozen=True)
class SourceDocument:
    """A document that makes claims; `claims` is their number."""

    letter: str
    title: str
    about: str = ""
    claims: int = 0


@dataclass(frozen=True)
class ReportTitles:
    """report.toml: the title of the page, and the documents by their letters."""

    title: str = "Claims, redone"
    about: str = ""
    sources: Mapping[str, SourceDocument] = field(default_factory=dict)


@dataclass(frozen=True)
class ClaimFile:
    """A configuration with a claim: its jobs, or the problem because of which it has none."""

    stem: str
    path: Path
    claim: Claim | None = None
    texts: Mapping[str, str] = field(default_factory=dict)  # by file name: itself, what it extends
    overrides: tuple[str, ...] = ()  # of the profile
    setup: tuple[ReportedSetting, ...] = ()
    printed: tuple[str, ...] = ()  # the claimed value of each metric as the file writes it
    jobs: tuple[Job, ...] = ()
    problem: str = ""
    broken: bool = False  # whether the problem is an error in the file itself


def read_report_titles(folder: Path) -> ReportTitles:
    """`report.toml` of the folder, or the defaults. Raises UsageError where it is invalid."""
    path = folder / TITLES_FILE
    if not path.exists():
        return ReportTitles()
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        documents = table.pop("sources", {}).items()
        sources = {letter: SourceDocument(letter, **values) for letter, values in documents}
        return ReportTitles(**table, sources=sources)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: {error}") from error


class ClaimFolder:
    """The configurations of a folder that make a claim, read once for all profiles.

    `only` selects by id, file or letter of a document; files that the selected ones are compared
    with or start from are added. A file that cannot be read is listed with its problem. Raises
    UsageError where no file makes a claim.
    """

    def __init__(self, folder: Path, only: Sequence[str] = ()) -> None:
        self.folder = folder
        files = {path.stem: _try_prepare(path) for path in sorted(folder.glob("*.yaml"))}
        self.prepared = {
            stem: prepared
            for stem, prepared in files.items()
            if isinstance(prepared, LdlError) or claim_of(prepared) is not None
        }
        if not self.prepared:
            raise UsageError(f"{folder} holds no configuration with a claim")
        if only:
            self.prepared = _with_references(self.prepared, _selected(self.prepared, only))
        self.missing_data = _missing_data()
        self._variants: dict[tuple[str, ...], _Variant | LdlError] = {}

    def files(self, profile: Profile, seed_offset: int = 0) -> list[ClaimFile]:
        """The files with their jobs in a profile, in the order of their ids.

        Seeds count from that of the file plus `seed_offset`.
        """
        planner = _JobPlanner(self, profile, seed_offset)
        stems = sorted(self.prepared, key=lambda stem: sort_key(self.prepared[stem], stem))
        return [planner.file(stem) for stem in stems]

    def variant(self, stem: str, overrides: Sequence[str]) -> _Variant | LdlError:
        """A file with overrides, beside the setup that its claim reports, or its error."""
        key = (stem, *overrides)
        if key not in self._variants:
            prepared = self.prepared[stem]
            if overrides:
                prepared = _try_prepare(self.folder / f"{stem}.yaml", overrides)
            self._variants[key] = _with_setup(prepared)
        return self._variants[key]


def _try_prepare(path: Path, overrides: Sequence[str] = ()) -> Prepared:
    """The prepared experiment of a file, or the error that it raises."""
    try:
        return prepare(path, overrides)
    except LdlError as error:
        return error


def _with_setup(prepared: Prepared) -> _Variant | LdlError:
    """A prepared file beside the setup that its claim reports, or the error of either."""
    if isinstance(prepared, LdlError):
        return prepared
    try:
        return prepared, compare_setup(prepared)
    except LdlError as error:
        return error


def claim_of(prepared: Prepared) -> Claim | None:
    """The claim of a file; None where it could not be read."""
    return None if isinstance(prepared, LdlError) else prepared.experiment.config.claim


def sort_key(prepared: Prepared, stem: str) -> tuple[str, int, int, str]:
    """Sorts by document, number, counted before uncounted, then file name."""
    claim = claim_of(prepared)
    letter, number = split_id(claim.id if claim else stem)
    return letter, number, 0 if claim is None or claim.counted else 1, stem


def split_id(name: str) -> tuple[str, int]:
    """The letter and the number of an id or file stem: a12 or a12-name → ("a", 12)."""
    letters = name[: len(name) - len(name.lstrip("abcdefghijklmnopqrstuvwxyz"))]
    digits = name[len(letters) :].partition("-")[0]
    return letters, int(digits) if digits.isdecimal() else 0


def _selected(files: Mapping[str, Prepared], only: Sequence[str]) -> set[str]:
    """The files named by their stem, their claim's id, or their document's letter."""
    ids = {
        stem: claim.id if (claim := claim_of(prepared)) else stem.partition("-")[0]
        for stem, prepared in files.items()
    }
    selected: set[str] = set()
    for name in only:
        matches = {stem for stem, id_ in ids.items() if name in (stem, id_, split_id(id_)[0])}
        if not matches:
            names = dict.fromkeys(claim.id for p in files.values() if (claim := claim_of(p)))
            raise UsageError(f"no claim or file is called {name}; there are {', '.join(names)}")
        selected |= matches
    return selected


def _with_references(files: Mapping[str, Prepared], selected: set[str]) -> dict[str, Prepared]:
    """The selected files and those that they are compared with or start from."""
    queue, reached = list(selected), set()
    while queue:
        stem = queue.pop()
        if stem not in reached and stem in files:
            reached.add(stem)
            queue += _references(claim_of(files[stem]))
    return {stem: prepared for stem, prepared in files.items() if stem in reached}


def _references(claim: Claim | None) -> list[str]:
    """The other files that a claim names."""
    names = [metric.other for metric in claim.metrics] + [claim.after] if claim else []
    return [name for name in names if name is not None]


def _missing_data() -> dict[str, str]:
    """By data set that needs files: how to get the missing ones, "" where none is missing."""
    data_sets = {}
    for source in list_sources():
        if source.state in NEEDS_NO_FILES:
            continue
        needed = DERIVED_FROM.get(source.name, source.name)
        hint = f"`ldl data fetch {needed}` downloads it; or set LDL_DATA_DIR to its folder"
        is_available = source.state == "found"
        data_sets[source.name] = "" if is_available else f"{needed} is missing: {hint}"
    return data_sets


class _JobPlanner:
    """Plans the jobs of each file once, those of a pretrained run before those that need it."""

    def __init__(self, folder: ClaimFolder, profile: Profile, seed_offset: int) -> None:
        self.folder, self.prepared, self.profile = folder, folder.prepared, profile
        self.seed_offset = seed_offset
        self.planned: dict[str, ClaimFile] = {}

    def file(self, stem: str) -> ClaimFile:
        """The file with its jobs or its problem."""
        if stem not in self.planned:
            self.planned[stem] = self._plan(stem)
        return self.planned[stem]

    def _plan(self, stem: str) -> ClaimFile:
        prepared, path = self.prepared[stem], self.folder.folder / f"{stem}.yaml"
        if isinstance(prepared, LdlError):
            return ClaimFile(stem, path, problem=_message(prepared), broken=True)
        claim = prepared.experiment.config.claim
        assert claim is not None
        printed = printed_values(prepared)
        file = ClaimFile(stem, path, claim, prepared.loaded.sources, printed=printed)
        if problems := _reference_problems(stem, prepared, self.prepared):
            return replace(file, problem=render(ConfigError(problems)), broken=True)
        problem = self._skip_reason(prepared, claim)
        pretrained = self.file(claim.after) if claim.after and not problem else None
        if pretrained is not None and pretrained.problem:
            problem = f"it starts from {claim.after}, which cannot run: {pretrained.problem}"
        if problem:
            return replace(file, problem=problem)
        shortened = {"faithful": None, "full": claim.full, "quick": claim.quick}
        overrides = list(shortened[self.profile] or [])
        variant = self.folder.variant(stem, overrides)
        if isinstance(variant, LdlError):
            return replace(file, problem=_message(variant), broken=True)
        changed, setup = variant
        first = changed.experiment.config.seed + self.seed_offset
        one_seed = overrides and self.profile == "quick"
        seeds = range(first, first + (1 if one_seed else claim.seeds))
        jobs = jobs_of(path, changed, seeds, overrides, pretrained.jobs if pretrained else ())
        return replace(file, overrides=tuple(overrides), setup=setup, jobs=jobs)

    def _skip_reason(self, prepared: PreparedExperiment, claim: Claim) -> str:
        """Why a valid file does not run: its data is missing, or the quick profile omits it."""
        source = type(prepared.experiment.config.data.source)
        name = next(key for key, cls in REGISTRIES["source"].items() if cls is source)
        if self.profile == "quick" and name in self.folder.missing_data:
            return f"the quick profile leaves it out, for it needs {name}"
        if self.profile == "quick" and claim.quick is None:
            return "the quick profile leaves it out"
        return self.folder.missing_data.get(name, "")


def printed_values(prepared: PreparedExperiment) -> tuple[str, ...]:
    """The claimed value of each metric as the file writes it, with all digits: 0.80, not 0.8."""
    claim, texts = prepared.experiment.config.claim, []
    for i, metric in enumerate(claim.metrics if claim else ()):
        mark = prepared.loaded.marks.get(("claim", "metrics", i, "claimed"))
        text = f"{metric.claimed:.15g}" if metric.is_number else str(metric.claimed or "")
        if mark is not None and metric.is_number:
            line = prepared.loaded.sources[mark.file].split("\n")[mark.line - 1]
            text = line[mark.column - 1 : mark.column - 1 + mark.width].strip()
        texts.append(text)
    return tuple(texts)


def _message(error: LdlError) -> str:
    """The message of an error; for a ConfigError, all problems with their positions."""
    return render(error) if isinstance(error, ConfigError) else str(error)


def _reference_problems(
    stem: str, prepared: PreparedExperiment, files: Mapping[str, Prepared]
) -> list[Problem]:
    """The wrong references of a claim, where they are written.

    They lead to a file that does not exist, to the metric itself, or with `after` in a circle.
    """
    loaded, problems = prepared.loaded, list[Problem]()
    claim = prepared.experiment.config.claim
    assert claim is not None
    references: list[tuple[KeyPath, str | None]] = [(("claim", "after"), claim.after)]
    for i, metric in enumerate(claim.metrics):
        key = next((key for key in FILE_COMPARISONS if getattr(metric, key)), "")
        path: KeyPath = ("claim", "metrics", i, key)
        references.append((path, metric.other))
        if metric.other == stem and metric.other_measured in (None, metric.measured):
            message = "compares a metric with itself"
            hint = "name another file, or another path as `other_measured`"
            problems.append(loaded.problem(path, message, hint))
    for path, name in references:
        if name is not None and name not in files:
            message = f"names the file {name}, which is not there"
            problems.append(loaded.problem(path, message, spelling_hint(name, files, "there are")))
    if cycle := _cycle(stem, claim, files):
        message = f"`after` goes in a circle: {' → '.join(cycle)}"
        problems.append(loaded.problem(("claim", "after"), message))
    return problems


def _cycle(stem: str, claim: Claim, files: Mapping[str, Prepared]) -> list[str]:
    """The files of a circle of `after` that begins at this file; empty without one."""
    chain = [stem]
    while claim.after is not None and claim.after in files:
        if cycle := closed_cycle(chain, claim.after):
            return cycle
        chain.append(claim.after)
        next_claim = claim_of(files[claim.after])
        if next_claim is None:
            break
        claim = next_claim
    return []
