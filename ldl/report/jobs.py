"""The jobs of a report: a run for each file and seed, named by its content key."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import ldl
from ldl.compile import Config
from ldl.data import split_sizes
from ldl.execute import PreparedExperiment
from ldl.execute.transfer import pretrained_digest

STEP_SECONDS: Final = 1e-4  # of a step besides its multiply-adds
EPOCH_SECONDS: Final = 1e-3  # of an epoch besides its steps
SPEED: Final = 2e10  # multiply-adds a second, for an estimate of how long a run takes


@dataclass(frozen=True)
class Job:
    """One run: a file with one seed. `split_seed` differs only where pretrained weights need it."""

    stem: str
    seed: int
    split_seed: int
    key: str
    path: Path
    overrides: tuple[str, ...]
    draws_plots: bool
    estimated_seconds: float
    after: str | None = None  # the key of the job whose weights it starts from


def jobs_of(
    path: Path,
    prepared: PreparedExperiment,
    seeds: range,
    overrides: Sequence[str],
    pretrained: Sequence[Job],
) -> tuple[Job, ...]:
    """A job for each seed, which draws the split too; the first one draws plots.

    Those that start from the weights of `pretrained` have its splits.

    Each has one thread, unless the file says otherwise: the runs share the cores.
    """
    config = prepared.experiment.config
    threads = [] if config.train.threads else ["train.threads=1"]
    jobs = []
    for i, seed in enumerate(seeds):
        before = pretrained[min(i, len(pretrained) - 1)] if pretrained else None
        split_seed = before.split_seed if before else seed
        jobs.append(
            Job(
                stem=path.stem,
                seed=seed,
                split_seed=split_seed,
                key=_key(prepared, seed, split_seed, before),
                path=path,
                overrides=(*overrides, *threads, f"seed={seed}", f"data.split.seed={split_seed}"),
                draws_plots=i == 0,
                estimated_seconds=_estimate_seconds(prepared),
                after=before.key if before else None,
            )
        )
    return tuple(jobs)


def _key(prepared: PreparedExperiment, seed: int, split_seed: int, before: Job | None) -> str:
    """SHA-256 of the configuration without its claim, the data, the version, pretrained weights."""
    config = prepared.experiment.config
    config = replace(config, seed=seed, data=config.data.with_split_seed(split_seed), claim=None)
    unclaimed = replace(prepared, experiment=replace(prepared.experiment, config=config))
    pretrained = before.key if before else pretrained_digest(config.pretrained)
    parts = [unclaimed.key_text, _data_digest(config), ldl.__version__, pretrained]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _data_digest(config: Config) -> str:
    """A text that changes when the user's data files do: SHA-256, or a folder's names and sizes.

    Catalogued data sets are checked against their own SHA-256 when they are read.
    """
    digests: list[str] = []
    for field in fields(config.data.source):
        value: Any = getattr(config.data.source, field.name)
        path = Path(value) if isinstance(value, str) else Path()
        if not path.is_absolute():
            continue
        if path.is_file():
            digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
        elif path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file())
            digests += [f"{p.relative_to(path)} {p.stat().st_size}" for p in files]
    return "\n".join(digests)


def _estimate_seconds(prepared: PreparedExperiment) -> float:
    """Seconds of training, from the network's cost; runs that are there correct it."""
    experiment = prepared.experiment
    cost = sum(plan.multiply_adds for plan in experiment.graph.plans.values())
    samples = split_sizes(experiment.config.data.split, experiment.info).train
    steps = math.ceil(samples / max(experiment.batch_size, 1))
    epochs = experiment.config.train.epochs
    return epochs * (3 * cost * samples / SPEED + steps * STEP_SECONDS + EPOCH_SECONDS)
