"""Writes a grid folder as planning and running leave it, without any training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ldl.grid.grid_plan import GridPlan
from ldl.grid.objective import Objective
from ldl.grid.trial import Trial, TrialOutcome, TrialStatus
from ldl.grid.trial_store import write_plan

from .running import FixedSearch

LOSS = Objective("validation.loss", "min", column="validation_loss")


def write_grid(
    folder: Path,
    settings: Sequence[Mapping[str, Any]],
    objectives: Sequence[Sequence[float | str | None]],
    objective: Objective = LOSS,
    seconds: float = 1.0,
) -> Path:
    """A grid of settings with an objective for each seed; a text is a status, None: it waits."""
    keys = tuple(dict.fromkeys(key for values in settings for key in values))
    plan = GridPlan("made", objective, len(objectives[0]), keys, "ab" * 32, "", FixedSearch())
    folder.mkdir(parents=True, exist_ok=True)
    about = {"format": 1, "name": "made", "objective": objective.to_dict(), "keys": list(keys)}
    (folder / "grid.json").write_text(json.dumps(about))
    trials = []
    for number, (values, own) in enumerate(zip(settings, objectives, strict=True), 1):
        for seed, result in enumerate(own):
            id = f"{number:08x}{seed:08x}"
            trials.append(Trial(id, f"{number:016x}", number, seed, dict(values), ""))
            if result is not None:
                _write_trial(folder, id, result, seconds)
    write_plan(folder, plan, trials)
    return folder


def _write_trial(folder: Path, id: str, result: float | str, seconds: float) -> None:
    run = folder / "trials" / id
    run.mkdir(parents=True, exist_ok=True)
    status: TrialStatus = "completed" if isinstance(result, float) else result  # type: ignore[assignment]
    value = result if isinstance(result, float) else None
    outcome = TrialOutcome(id, status, "", value, 3, seconds, 1, "here:1")
    (run / "trial.json").write_text(json.dumps(outcome.to_dict()))
    level = value or 1.0
    lines = [f"{epoch},{level + 1 / epoch},{level + 2 / epoch}" for epoch in (1, 2, 3)]
    head = "epoch,train_loss,validation_loss"
    (run / "metrics.csv").write_text("\n".join([head, *lines, ""]))
