"""Trials without a plan, a search that asks for them, and the files that a grid leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ldl.execute.preparation import prepare_text
from ldl.grid.grid_plan import GridOptions, GridPlan, GridProgress, GridSummary
from ldl.grid.objective import Objective
from ldl.grid.run import run_grid
from ldl.grid.trial import Trial, TrialOutcome

LOSS = Objective("validation.loss", "min", column="validation_loss")
MSE = Objective("validation.reconstruction.mse", "min", evaluation="reconstruction", metric="mse")
TWO_JOBS = GridOptions(jobs=2)
TEXT = """\
name: small
seed: SEED
data: {source: digits, scale: minmax, split: {train: 200, validation: 50, test: 50}}
network: {encoder: [{linear: 16}, tanh], decoder: mirror}
loss: bce
optimizer: {sgd: {learning_rate: RATE, momentum: 0.9}}
train: {epochs: EPOCHS, batch_size: 32, checkpoint_seconds: 0}
"""


def trial(
    rate: float = 0.1, epochs: int = 2, seed: int = 0, after: Trial | None = None, text: str = TEXT
) -> Trial:
    """A trial of the configuration `text`, resolved where it is sound."""
    text = text.replace("RATE", str(rate)).replace("EPOCHS", str(epochs))
    yaml = prepare_text(text.replace("SEED", str(seed)), "small.yaml").yaml
    return as_trial(yaml, rate, epochs, seed, after)


def as_trial(
    yaml: str, rate: float = 0.1, epochs: int = 2, seed: int = 0, after: Trial | None = None
) -> Trial:
    """A trial with any text as its configuration."""
    id = hashlib.sha256(yaml.encode()).hexdigest()[:16]
    values = {"optimizer.sgd.learning_rate": rate, "train.epochs": epochs}
    return Trial(id, id, 1, seed, values, yaml, after.id if after else None)


def trials(count: int, epochs: int = 2) -> list[Trial]:
    """`count` trials, each with its own learning rate."""
    return [trial(round(0.05 + 0.01 * i, 4), epochs) for i in range(count)]


class FixedSearch:
    """A search that asks for the given trials at once, or round by round."""

    def __init__(self, *rounds: Sequence[Trial]) -> None:
        self.rounds = list(rounds)
        self.open: set[str] = set()

    def ask(self, finished: Sequence[TrialOutcome]) -> list[Trial]:
        """The next round when the one before has ended."""
        self.open -= {outcome.id for outcome in finished}
        if self.open or not self.rounds:
            return []
        trials = list(self.rounds.pop(0))
        self.open = {trial.id for trial in trials}
        return trials


class RecordedEvents:
    """Records the events of a grid."""

    def __init__(self) -> None:
        self.last: GridProgress | None = None
        self.outcomes: dict[str, TrialOutcome] = {}
        self.notes: list[str] = []

    def progress(self, now: GridProgress) -> None:
        """Record the last progress."""
        self.last = now

    def ended(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Record an outcome; each comes once."""
        assert trial.id not in self.outcomes
        self.outcomes[trial.id] = outcome

    def note(self, text: str) -> None:
        """Record a note."""
        self.notes.append(text)


def plan_of(
    *rounds: Sequence[Trial], objective: Objective = LOSS, keep_checkpoints: bool = False
) -> GridPlan:
    """A plan of the given trials."""
    keys = ("optimizer.sgd.learning_rate", "train.epochs")
    return GridPlan(
        "small",
        objective,
        1,
        keys,
        "ab" * 32,
        "",
        FixedSearch(*rounds),
        keep_checkpoints=keep_checkpoints,
    )


def run_all(
    folder: Path,
    *rounds: Sequence[Trial],
    options: GridOptions = TWO_JOBS,
    objective: Objective = LOSS,
    keep_checkpoints: bool = False,
) -> tuple[GridSummary, RecordedEvents]:
    """Run trials in a folder: the summary, and the recorded events."""
    events = RecordedEvents()
    folder.mkdir(exist_ok=True)
    return run_grid(
        plan_of(*rounds, objective=objective, keep_checkpoints=keep_checkpoints),
        folder,
        options,
        events,
    ), events


def weights(folder: Path) -> dict[str, str]:
    """The SHA-256 of each trial's weights."""
    files = sorted(folder.glob("trials/*/model.safetensors"))
    return {file.parent.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def entries(folder: Path) -> dict[str, bytes]:
    """The content of each trial.json."""
    return {file.parent.name: file.read_bytes() for file in folder.glob("trials/*/trial.json")}


def leases(folder: Path) -> list[str]:
    """The trials that have a lease."""
    return [file.name for file in (folder / "claims").iterdir() if file.name[0] != "."]
