"""Training a run: epochs, validation, the best weights, checkpoints, signals, resuming."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np

from ldl.arrays import Array
from ldl.compile.experiment import Experiment
from ldl.data import Dataset, augmented_batches, redraw_noise
from ldl.engine.model import Model
from ldl.errors import Diverged, Interrupted
from ldl.runs import MetricsWriter, RunFolder
from ldl.train.rules import rules
from ldl.train.signals import Signals
from ldl.train.steps import ADVICE, Steps, Totals
from ldl.train.stopping import Best, watch
from ldl.train.validation import FIGURES, validate

Row = dict[str, float | int | None]
ALL_DONE = "all epochs are done"
TICK = 0.1  # seconds between two reports of progress within an epoch


@dataclass(frozen=True)
class Progress:
    """What a display can show: the epoch under way and its totals, or its finished row."""

    epoch: int
    epochs: int
    batches: int
    samples: int
    totals: Totals
    seconds: float
    row: Row | None = None


@dataclass(frozen=True)
class Outcome:
    """How a training ended; the model holds the weights that were kept.

    `best` is the best epoch and its figure, and with `keep: last` the `kept_epoch`.
    """

    epochs: int
    reason: str
    best: dict[str, Any]


class Trainer:
    """One run's training, from its start or from its last checkpoint."""

    def __init__(
        self,
        experiment: Experiment,
        dataset: Dataset,
        run: RunFolder,
        show: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        config = experiment.config
        self.experiment, self.dataset, self.run, self.show = experiment, dataset, run, show
        self.settings = config.train
        self.model = Model(
            experiment.graph,
            config.seed,
            frozen=experiment.frozen,
            threads=experiment.division.parts,
        )
        classifies = experiment.task == "classification"
        self.steps = Steps(
            self.model,
            config.optimizer,
            experiment.arrays(dataset.train, dataset.target_scaler),
            experiment.batch_size,
            config.seed,
            self.settings.shuffle,
            (experiment.output, experiment.label_input) if classifies else None,
            augmented_batches(dataset, config.data, config.seed, experiment.input_targets),
            rules(config),
        )
        held, scale = dataset.validation, dataset.target_scaler
        self.validation = experiment.arrays(held, scale) if held else None
        self.best: Best = watch(self.settings.early_stopping, self.validation is not None)
        self.epoch = 0  # finished epochs
        several = experiment.graph.losses[1:] and experiment.graph.losses
        self.terms = [place.name.removeprefix("loss.") for place in several]
        self.totals = self._nothing()
        self.reason: str | None = None  # why training is over
        self._best_arrays: dict[str, Array] = {}
        self._saved = self._began = time.monotonic()
        self._shown = 0.0

    @property
    def columns(self) -> list[str]:
        """The columns of metrics.csv."""
        parts = ["train", "validation"] if self.validation else ["train"]
        names = ["epoch", *(f"{part}_loss" for part in parts)]
        figure = FIGURES.get(self.experiment.task)
        if figure:
            scored = parts if figure == "accuracy" else parts[1:]
            names += [f"{part}_{figure}" for part in scored]
        names += [f"{part}_{term}" for term in self.terms for part in parts]
        return [*names, "learning_rate", "gradient_norm", "seconds"]

    def _nothing(self) -> Totals:
        """The totals of an epoch that begins."""
        return Totals(terms=[0.0] * len(self.terms))

    def fit(self) -> Outcome:
        """Train to the end; the model then holds the weights to keep.

        Raises Diverged where a number stops being finite, Interrupted after a signal; the run
        can go on from the checkpoint that is there.
        """
        self._restore()
        with Signals() as signals, MetricsWriter(self.run.metrics, self.columns) as rows:
            rows.truncate_to(self.epoch)
            while self.reason is None:
                try:
                    self._run_epoch(signals)
                    row = self._close_epoch()
                except Diverged:
                    self._keep_best()
                    raise
                rows.append(row)
                self.reason = self._finished(row)
                overdue = time.monotonic() - self._saved >= self.settings.checkpoint_seconds
                if overdue or self.reason is not None or signals.caught is not None:
                    rows.sync()
                    self._save(stopped=signals.caught is not None)
                if signals.caught is not None:
                    raise Interrupted(signals.caught)
        if self.settings.keep == "best":
            self.model.parameters.load(self._best_arrays)
        best = {"epoch": self.best.epoch, self.best.column: self.best.value}
        if self.settings.keep == "last":
            best["kept_epoch"] = self.epoch
        return Outcome(self.epoch, self.reason, best)

    def _run_epoch(self, signals: Signals) -> None:
        """What is left of the current epoch; a signal ends it after a batch, with a checkpoint."""
        config = self.experiment.config
        if config.data.fresh_noise:
            redraw_noise(self.dataset, config.data, config.seed, self.epoch + 1)
        self._began = time.monotonic()

        def after_batch(totals: Totals) -> None:
            if signals.caught is not None and totals.batch < self.steps.batches:
                self._save(stopped=True)
                raise Interrupted(signals.caught)
            now = time.monotonic()
            if now - self._shown > TICK:
                self._shown = now
                self.show(self._progress())

        self.steps.epoch(self.epoch + 1, self.totals, after_batch)

    def _progress(self, row: Row | None = None) -> Progress:
        seconds = time.monotonic() - self._began
        steps = self.steps
        epochs = self.settings.epochs
        return Progress(
            self.epoch + 1, epochs, steps.batches, steps.count, self.totals, seconds, row
        )

    def _close_epoch(self) -> Row:
        """The finished epoch's row; its weights are remembered where it is the best yet."""
        totals, number = self.totals, self.epoch + 1
        row: Row = dict.fromkeys(self.columns)
        row |= {"epoch": number, "train_loss": totals.loss / totals.samples}
        for name, term in zip(self.terms, totals.terms, strict=True):
            row[f"train_{name}"] = term / totals.samples
        if "train_accuracy" in row:
            row["train_accuracy"] = totals.correct / totals.samples
        if self.validation is not None:
            figures = validate(self.model, self.experiment, self.validation, self.terms)
            row |= {f"validation_{name}": value for name, value in figures.items()}
        row["learning_rate"] = self.steps.last_rate(number)
        row["gradient_norm"] = totals.norm / totals.batch
        row["seconds"] = time.monotonic() - self._began
        for name, figure in row.items():
            if figure is not None and not isfinite(figure):
                raise Diverged(f"{name} became {figure} in epoch {number}: {ADVICE}")
        if not np.isfinite(self.model.parameters.theta).all():
            raise Diverged(f"a weight stopped being finite in epoch {number}: {ADVICE}")
        self.steps.see(row["validation_loss" if self.validation else "train_loss"] or 0.0)
        if self.best.see(number, row[self.best.column]):
            for name, array in self.model.parameters.arrays().items():
                np.copyto(self._best_arrays.setdefault(name, np.empty_like(array)), array)
        self.show(self._progress(row))
        self.epoch, self.totals = number, self._nothing()
        return row

    def _finished(self, row: Row) -> str | None:
        """Why training is over after the epoch of this row, or None."""
        settings, norm = self.settings, row["gradient_norm"]
        if norm is not None and norm < (settings.stop_gradient_norm or 0.0):
            return f"the gradient's norm fell below {settings.stop_gradient_norm:g}"
        stopping = settings.early_stopping
        if stopping and self.best.waited >= stopping.patience:
            return f"no better {self.best.column} for {stopping.patience} epochs"
        return ALL_DONE if self.epoch >= settings.epochs else None

    # --- checkpoints ------------------------------------------------------------------------

    def _save(self, stopped: bool) -> None:
        """All that the rest of the training depends on, as one checkpoint."""
        parameters, memory = self.model.parameters, self.steps.memory
        arrays = {f"model/{name}": array for name, array in parameters.arrays().items()}
        arrays |= {f"best/{name}": array for name, array in self._best_arrays.items()}
        arrays |= {f"moment/{name}": array for name, array in memory.moments.items()}
        state = {
            "epoch": self.epoch,
            "reason": self.reason,
            "stopped": stopped,
            "totals": asdict(self.totals),
            "steps": memory.steps,
            "numbers": memory.numbers,
            "schedule": self.steps.schedule_state,
            "best": asdict(self.best),
            "streams": {n: rng.bit_generator.state for n, rng in parameters.streams.items()},
        }
        self.run.save_checkpoint("last", arrays, state)
        self._saved = time.monotonic()

    def _keep_best(self) -> None:
        """After a divergence, the weights of the best epoch, if one was finished."""
        if self._best_arrays:
            self.run.save_checkpoint("best", self._best_arrays, {"best": asdict(self.best)})

    def _restore(self) -> None:
        """Go back to the last checkpoint, if there is one."""
        found = self.run.load_checkpoint("last")
        if found is None:
            return
        arrays, state = found
        groups: dict[str, dict[str, Array]] = {"model": {}, "best": {}, "moment": {}}
        for full, array in arrays.items():
            group, name = full.split("/", 1)
            groups[group][name] = array
        parameters, memory = self.model.parameters, self.steps.memory
        parameters.load(groups["model"])
        self._best_arrays = groups["best"]
        for name, array in groups["moment"].items():
            np.copyto(memory.moments[name], array)
        for name, stream_state in state["streams"].items():
            parameters.streams[name].bit_generator.state = stream_state
        memory.steps, memory.numbers = state["steps"], state["numbers"]
        self.steps.schedule_state = state["schedule"]
        self.reason = state["reason"]
        self.epoch, self.totals = state["epoch"], Totals(**state["totals"])
        self.best = Best(**state["best"])
