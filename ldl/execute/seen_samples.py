"""The samples that pretrained weights have seen, and those of them that a run is evaluated on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from ldl.arrays import Array
from ldl.compile import Config, PathProblem
from ldl.data import Dataset
from ldl.data.npz import read_arrays, read_headers
from ldl.errors import ConfigError, LdlError, RunFolderError
from ldl.evaluate import Evaluation
from ldl.execute.data_checks import sample_counts
from ldl.execute.transfer import INITIAL_WEIGHTS_FILE
from ldl.runs import RunFolder, load_tensors, read_mapping
from ldl.runs.evaluation_counts import SPLIT_FILE

SEEN_SAMPLES_FILE: Final = "start_samples.safetensors"  # beside a run's pretrained weights
INPUTS_DIGEST_KEY: Final = "inputs_sha256"  # in environment.json
UNKNOWN: Final = "unknown"
NO_ROWS: Final[Array] = np.empty(0, np.int64)
UNKNOWN_TEXT: Final = (
    "the splits of a pretrained run cannot be read: its weights may know the test samples"
)
HINT: Final = "or write `start_from: {run: …, allow_overlap: true}`; every result then says so"


@dataclass(frozen=True)
class SeenSamples:
    """Sample indices that weights were trained on, or their epoch chosen by, by SHA-256.

    It is that of the inputs, so that other targets make no difference; of old runs that of all the
    data. `unknown` says that the weights depend on a run whose splits cannot be read.
    """

    trained: Mapping[str, Array] = field(default_factory=dict)
    chosen_by: Mapping[str, Array] = field(default_factory=dict)
    unknown: bool = False

    def union(self, other: SeenSamples) -> SeenSamples:
        """What either of the two has seen."""
        return SeenSamples(
            _union(self.trained, other.trained),
            _union(self.chosen_by, other.chosen_by),
            self.unknown or other.unknown,
        )

    def arrays(self) -> dict[str, Array]:
        """The content as arrays by name, for a file; empty where nothing was seen."""
        arrays = {f"trained {digest}": rows for digest, rows in self.trained.items()}
        arrays |= {f"chosen_by {digest}": rows for digest, rows in self.chosen_by.items()}
        return arrays | ({UNKNOWN: np.ones(1, np.int64)} if self.unknown else {})

    @staticmethod
    def from_arrays(arrays: Mapping[str, Array]) -> SeenSamples:
        """The inverse of `arrays`."""
        groups: dict[str, dict[str, Array]] = {"trained": {}, "chosen_by": {}}
        for name, rows in arrays.items():
            kind, _, digest = name.partition(" ")
            if kind in groups:
                groups[kind][digest] = rows
        return SeenSamples(**groups, unknown=UNKNOWN in arrays)

    def overlap(self, dataset: Dataset) -> dict[str, int]:
        """How many samples of the test and validation splits were seen, by split; zeros left out.

        The validation split may be the one that the pretrained weights' epoch was chosen by, for
        here it chooses an epoch again.
        """
        trained = _rows(self.trained, dataset)
        seen = np.union1d(trained, _rows(self.chosen_by, dataset))
        counts = {
            "test": _common(dataset, ("test",), seen),
            "validation": _common(dataset, ("validation",), trained),
        }
        return {name: count for name, count in counts.items() if count}

    def divided_overlap(self, dataset: Dataset, evaluation: Evaluation) -> int:
        """How many of the samples that an evaluation divides anew were seen."""
        seen = np.union1d(_rows(self.trained, dataset), _rows(self.chosen_by, dataset))
        return _common(dataset, evaluation.divided_splits(), seen)


NOTHING_SEEN: Final = SeenSamples()


def _union(a: Mapping[str, Array], b: Mapping[str, Array]) -> dict[str, Array]:
    return {key: np.union1d(a.get(key, NO_ROWS), b.get(key, NO_ROWS)) for key in {**a, **b}}


def _rows(by_digest: Mapping[str, Array], dataset: Dataset) -> Array:
    digests = (dataset.inputs_sha256, dataset.sha256)
    return np.union1d(*(by_digest.get(digest, NO_ROWS) for digest in digests))


def _common(dataset: Dataset, names: Sequence[str], seen: Array) -> int:
    """How many samples of these splits are among `seen`."""
    splits = [getattr(dataset, name) for name in names]
    rows = [split.sample_indices for split in splits if split is not None]
    return sum(int(np.isin(r, seen).sum()) for r in rows if r is not None)


def seen_by(run: RunFolder) -> SeenSamples:
    """What the trained weights of a run have seen, with what they started from."""
    return _seen_by(run, ())


def seen_at_start(run: RunFolder) -> SeenSamples:
    """What the pretrained weights that a run started from have seen; nothing without such."""
    return _seen_at_start(run, ())


def _seen_by(run: RunFolder, later: tuple[Path, ...]) -> SeenSamples:
    """`seen_by`; `later` are the runs that started from this one."""
    return _own_samples(run).union(_seen_at_start(run, later))


def _own_samples(run: RunFolder) -> SeenSamples:
    try:
        environment = read_mapping(run.environment)
        digest = str(environment.get(INPUTS_DIGEST_KEY) or environment["data_sha256"])
        arrays = read_arrays(run.path / SPLIT_FILE, [*read_headers(run.path / SPLIT_FILE)])
        trained = np.unique(arrays["train"])
        chosen_by = np.unique(arrays["validation"]) if "validation" in arrays else NO_ROWS
        return SeenSamples({digest: trained}, {digest: chosen_by})
    except (LdlError, LookupError, TypeError):
        return SeenSamples(unknown=True)


def _seen_at_start(run: RunFolder, later: tuple[Path, ...]) -> SeenSamples:
    if not (run.path / INITIAL_WEIGHTS_FILE).exists():
        return NOTHING_SEEN
    file = run.path / SEEN_SAMPLES_FILE
    try:
        if file.exists():
            return SeenSamples.from_arrays(load_tensors(file)[0])
        return _pretrained_samples(run, later)  # of a run from before the file was written
    except (ConfigError, RunFolderError, OSError):
        return SeenSamples(unknown=True)


def _pretrained_samples(run: RunFolder, later: tuple[Path, ...]) -> SeenSamples:
    from ldl.config import read

    tree = read(run.config).tree.value
    setting = tree["start_from"].value if isinstance(tree, dict) and "start_from" in tree else None
    path = (run.path / setting).resolve() if isinstance(setting, str) else run.path
    known = (*later, run.path.resolve())
    return SeenSamples(unknown=True) if path in known else _seen_by(RunFolder(path), known)


def overlap_problems(config: Config, dataset: Dataset, seen: SeenSamples) -> Iterator[PathProblem]:
    """Pretrained weights that know samples on which a run is evaluated, unless that is allowed."""
    if config.pretrained is None or config.pretrained.allow_overlap:
        return
    counts, run = seen.overlap(dataset), config.pretrained.run
    if counts:
        yield (
            ("start_from",),
            f"{sample_counts(counts, dataset)} were used to train {run}: figures on them would be "
            f"too good\nuse the `data.split` of that run, {HINT}",
        )
    yield from divided_problems(config, config.evaluate or [], dataset, seen)


def divided_problems(
    config: Config, evaluations: Sequence[Evaluation], dataset: Dataset, seen: SeenSamples
) -> Iterator[PathProblem]:
    """Evaluations that would start trainings from weights that know what they evaluate on."""
    if config.pretrained is None or config.pretrained.allow_overlap:
        return
    for i, evaluation in enumerate(evaluations):
        count = seen.divided_overlap(dataset, evaluation)
        if count:
            yield ("evaluate", i), f"{_divided_text(count)}\nleave it out, {HINT}"


def overlap_warnings(seen: SeenSamples) -> list[str]:
    """A warning where it is not known what the pretrained weights have seen."""
    return [f"start_from: {UNKNOWN_TEXT}"] if seen.unknown else []


def _divided_text(count: int) -> str:
    return f"the folds hold {count:,} samples that were used to train the pretrained weights"


def with_overlap(
    result: dict[str, Any], evaluation: Evaluation, dataset: Dataset, seen: SeenSamples
) -> dict[str, Any]:
    """A result, with a count and a note where the pretrained weights know, or may know, samples."""
    counts, notes = seen.overlap(dataset), []
    if counts:
        text = sample_counts(counts, dataset)
        notes.append(f"{text} were used to train the weights that this run started from")
    divided = seen.divided_overlap(dataset, evaluation)
    if divided:
        counts["folds"] = divided
        notes.append(_divided_text(divided))
    if seen.unknown:
        notes.append(UNKNOWN_TEXT)
    if not notes:
        return result
    return {**result, "seen_samples": counts, "notes": [*result.get("notes", []), *notes]}
