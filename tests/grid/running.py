"""Trials made by hand, a search that asks for them, and what a grid leaves of them."""

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
TWO = GridOptions(jobs=2)
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
    """A trial of any text."""
    id = hashlib.sha256(yaml.encode()).hexdigest()[:16]
    values = {"optimizer.sgd.learning_rate": rate, "train.epochs": epochs}
    return Trial(id, id, 1, seed, values, yaml, after.id if after else None)


def trials(count: int, epochs: int = 2) -> list[Trial]:
    """So many with one step size each."""
    return [trial(round(0.05 + 0.01 * i, 4), epochs) for i in range(count)]


class Given:
    """A search that asks for the given trials at once, or round by round."""

    def __init__(self, *rounds: Sequence[Trial]) -> None:
        self.rounds = list(rounds)
        self.open: set[str] = set()

    def ask(self, finished: Sequence[TrialOutcome]) -> list[Trial]:
        """The next round when the one before has ended."""
        self.open -= {outcome.id for outcome in finished}
        if self.open or not self.rounds:
            return []
        asked = list(self.rounds.pop(0))
        self.open = {each.id for each in asked}
        return asked


class Seen:
    """Remembers what a grid told."""

    def __init__(self) -> None:
        self.last: GridProgress | None = None
        self.outcomes: dict[str, TrialOutcome] = {}
        self.notes: list[str] = []

    def progress(self, now: GridProgress) -> None:
        """How it stands."""
        self.last = now

    def ended(self, trial: Trial, outcome: TrialOutcome) -> None:
        """A trial has ended."""
        assert trial.id not in self.outcomes
        self.outcomes[trial.id] = outcome

    def note(self, text: str) -> None:
        """Something to know."""
        self.notes.append(text)


def plan_of(*rounds: Sequence[Trial], objective: Objective = LOSS, keeps: bool = False) -> GridPlan:
    """A plan of the given trials."""
    keys = ("optimizer.sgd.learning_rate", "train.epochs")
    return GridPlan(
        "small", objective, 1, keys, "ab" * 32, "", Given(*rounds), keep_checkpoints=keeps
    )


def run_all(
    folder: Path,
    *rounds: Sequence[Trial],
    options: GridOptions = TWO,
    objective: Objective = LOSS,
    keeps: bool = False,
) -> tuple[GridSummary, Seen]:
    """Run the trials in a folder: the summary, and what was told."""
    seen = Seen()
    folder.mkdir(exist_ok=True)
    return run_grid(plan_of(*rounds, objective=objective, keeps=keeps), folder, options, seen), seen


def weights(folder: Path) -> dict[str, str]:
    """The SHA-256 of each trial's weights."""
    files = sorted(folder.glob("trials/*/model.safetensors"))
    return {file.parent.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def entries(folder: Path) -> dict[str, bytes]:
    """Each trial.json that there is."""
    return {file.parent.name: file.read_bytes() for file in folder.glob("trials/*/trial.json")}


def claims(folder: Path) -> list[str]:
    """The trials that somebody claims."""
    return [file.name for file in (folder / "claims").iterdir() if file.name[0] != "."]
