"""A grid's folder as planning and running leave it, without any training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ldl.grid.grid_plan import GridPlan
from ldl.grid.objective import Objective
from ldl.grid.trial import Trial, TrialOutcome, TrialStatus
from ldl.grid.trial_store import write_plan

from .running import Given

LOSS = Objective("validation.loss", "min", column="validation_loss")


def made(
    folder: Path,
    settings: Sequence[Mapping[str, Any]],
    figures: Sequence[Sequence[float | str | None]],
    objective: Objective = LOSS,
    seconds: float = 1.0,
) -> Path:
    """Settings and their objectives, one a seed; a text is another ending, None: it waits."""
    keys = tuple(dict.fromkeys(key for values in settings for key in values))
    plan = GridPlan("made", objective, len(figures[0]), keys, "ab" * 32, "", Given())
    folder.mkdir(parents=True, exist_ok=True)
    about = {"format": 1, "name": "made", "objective": objective.to_dict(), "keys": list(keys)}
    (folder / "grid.json").write_text(json.dumps(about))
    trials = []
    for number, (values, own) in enumerate(zip(settings, figures, strict=True), 1):
        for seed, figure in enumerate(own):
            id_ = f"{number:08x}{seed:08x}"
            trials.append(Trial(id_, f"{number:016x}", number, seed, dict(values), ""))
            if figure is not None:
                _end(folder, id_, figure, seconds)
    write_plan(folder, plan, trials)
    return folder


def _end(folder: Path, id_: str, figure: float | str, seconds: float) -> None:
    place = folder / "trials" / id_
    place.mkdir(parents=True, exist_ok=True)
    status: TrialStatus = "completed" if isinstance(figure, float) else figure  # type: ignore[assignment]
    value = figure if isinstance(figure, float) else None
    outcome = TrialOutcome(id_, status, "", value, 3, seconds, 1, "here:1")
    (place / "trial.json").write_text(json.dumps(outcome.to_dict()))
    level = value or 1.0
    lines = [f"{epoch},{level + 1 / epoch},{level + 2 / epoch}" for epoch in (1, 2, 3)]
    head = "epoch,train_loss,validation_loss"
    (place / "metrics.csv").write_text("\n".join([head, *lines, ""]))
