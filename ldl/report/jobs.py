"""A run for each file and seed, known by a key that changes with all that its result depends on."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from ldl import __version__
from ldl.compile import Config
from ldl.data import split_sizes
from ldl.execute import PreparedExperiment
from ldl.execute.transfer import pretrained_digest

SPEED: Final = 2e10  # multiply-adds a second, for a first guess of how long a run takes


@dataclass(frozen=True)
class Job:
    """One run: a file with one seed."""

    stem: str
    seed: int
    key: str
    path: Path
    overrides: tuple[str, ...]
    pictures: bool
    guess: float  # seconds
    after: str | None = None  # the key of the job whose weights it starts from


def jobs_of(
    path: Path,
    prepared: PreparedExperiment,
    seeds: range,
    overrides: Sequence[str],
    before: Sequence[Job],
) -> tuple[Job, ...]:
    """A job a seed; pictures of the first. `before` are those whose weights they start from.

    One thread each, unless the file says otherwise: the runs share the cores.
    """
    config = prepared.experiment.config
    changes = [*overrides, *([] if config.train.threads else ["train.threads=1"])]
    jobs = []
    for i, seed in enumerate(seeds):
        donor = before[min(i, len(before) - 1)].key if before else None
        jobs.append(
            Job(
                stem=path.stem,
                seed=seed,
                key=_key(prepared, seed, donor),
                path=path,
                overrides=(*changes, f"seed={seed}"),
                pictures=i == 0,
                guess=_guess(prepared),
                after=donor,
            )
        )
    return tuple(jobs)


def _key(prepared: PreparedExperiment, seed: int, donor: str | None) -> str:
    """SHA-256 over the resolved configuration without its claim, the data's files, the version."""
    config = replace(prepared.experiment.config, seed=seed, claim=None)
    bare = replace(prepared, experiment=replace(prepared.experiment, config=config))
    start = donor or pretrained_digest(config.start_from)
    parts = [bare.key_text, data_mark(config), __version__, start]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def data_mark(config: Config) -> str:
    """What changes when the user's own data files do: a file's SHA-256, a folder's names and sizes.

    The known data sets are checked against their own SHA-256 when they are read.
    """
    marks: list[str] = []
    for each in fields(config.data.source):
        value: Any = getattr(config.data.source, each.name)
        path = Path(value) if isinstance(value, str) else Path()
        if not path.is_absolute():
            continue
        if path.is_file():
            marks.append(hashlib.sha256(path.read_bytes()).hexdigest())
        elif path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.is_file())
            marks += [f"{p.relative_to(path)} {p.stat().st_size}" for p in found]
    return "\n".join(marks)


def _guess(prepared: PreparedExperiment) -> float:
    """Seconds that a run may take, from the network's cost; only to begin with the longest."""
    experiment = prepared.experiment
    cost = sum(plan.multiply_adds for plan in experiment.graph.plans.values())
    samples = split_sizes(experiment.config.data.split, experiment.info).train
    steps = math.ceil(samples / max(experiment.batch_size, 1))
    epochs = experiment.config.train.epochs
    return 1.0 + epochs * (3 * cost * samples / SPEED + steps * 1e-4)
