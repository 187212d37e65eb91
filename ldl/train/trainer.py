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
from ldl.runs.metrics_file import MetricsRow
from ldl.signals import DeferredSignals
from ldl.train.average import AverageResult, evaluate_average
from ldl.train.loop import DIVERGENCE_HINT, EpochMetrics, TrainLoop, train_options
from ldl.train.validation import TASK_METRICS, MetricMonitor, metric_monitor, validate

ALL_EPOCHS_DONE = "all epochs are done"
PROGRESS_INTERVAL = 0.1  # seconds between two reports of progress within an epoch


@dataclass(frozen=True)
class TrainProgress:
    """What a display can show: the current epoch and its metrics so far, or its finished row."""

    epoch: int
    epochs: int
    batches: int
    samples: int
    metrics: EpochMetrics
    seconds: float
    row: MetricsRow | None = None


@dataclass(frozen=True)
class TrainResult:
    """How a training ended; the model holds the weights that `train.keep` asks for.

    `best` is the best epoch and its metric, and with `keep: last` or `average` the `kept_epoch`;
    `kept_average` is the number of weights in a kept average.
    `average` has the averaged weights, None without any.
    """

    epochs: int
    reason: str
    best: dict[str, Any]
    average: AverageResult | None = None


class Trainer:
    """One run's training, from its start or from its last checkpoint."""

    def __init__(
        self,
        experiment: Experiment,
        dataset: Dataset,
        run: RunFolder,
        on_progress: Callable[[TrainProgress], None] = lambda progress: None,
    ) -> None:
        config = experiment.config
        self.experiment, self.dataset, self.run = experiment, dataset, run
        self.on_progress, self.settings = on_progress, config.train
        self.model = Model(
            experiment.graph,
            config.seed,
            frozen=experiment.frozen,
            threads=experiment.parallelism.shards,
        )
        classifies = experiment.task == "classification"
        self.loop = TrainLoop(
            self.model,
            config.optimizer,
            experiment.arrays(dataset.train, dataset.target_scaler),
            experiment.batch_size,
            config.seed,
            self.settings.shuffle,
            (experiment.output, experiment.label_input) if classifies else None,
            augmented_batches(dataset, config.data, config.seed, experiment.input_targets),
            train_options(config),
        )
        validation, target_scaler = dataset.validation, dataset.target_scaler
        self.validation = experiment.arrays(validation, target_scaler) if validation else None
        self.monitor = metric_monitor(self.settings.early_stopping, self.validation is not None)
        self.epoch = 0  # finished epochs
        losses = experiment.graph.losses
        self.terms = [loss.name.removeprefix("loss.") for loss in losses] if losses[1:] else []
        self.metrics = self._new_metrics()
        self.reason: str | None = None  # why training is over
        self._best_arrays: dict[str, Array] = {}
        self._checkpoint_time = self._epoch_start = time.monotonic()
        self._report_time = 0.0

    @property
    def columns(self) -> list[str]:
        """The columns of metrics.csv."""
        splits = ["train", "validation"] if self.validation else ["train"]
        names = ["epoch", *(f"{split}_loss" for split in splits)]
        metric = TASK_METRICS.get(self.experiment.task)
        if metric:
            measured = splits if metric == "accuracy" else splits[1:]
            names += [f"{split}_{metric}" for split in measured]
        names += [f"{split}_{term}" for term in self.terms for split in splits]
        return [*names, "learning_rate", "gradient_norm", "seconds"]

    def _new_metrics(self) -> EpochMetrics:
        """The metrics of an epoch that begins."""
        return EpochMetrics(terms=[0.0] * len(self.terms))

    def fit(self) -> TrainResult:
        """Train to the end; the model then holds the weights to keep.

        Raises Diverged where a value stops being finite, Interrupted after a signal; another
        Trainer of the same run folder continues from the last checkpoint.
        """
        self._restore()
        with DeferredSignals() as signals, MetricsWriter(self.run.metrics, self.columns) as rows:
            rows.truncate_to(self.epoch)
            while self.reason is None:
                try:
                    self._run_epoch(signals)
                    row = self._finish_epoch()
                except Diverged:
                    self._save_best()
                    raise
                rows.append(row)
                self.reason = self._stop_reason(row)
                seconds = time.monotonic() - self._checkpoint_time
                checkpoint_due = seconds >= self.settings.checkpoint_seconds
                if checkpoint_due or self.reason is not None or signals.caught is not None:
                    rows.sync()
                    self._save(stopped=signals.caught is not None)
                if signals.caught is not None:
                    raise Interrupted(signals.caught)
        return self._result(self.reason)

    def _result(self, reason: str) -> TrainResult:
        """The result; the model then holds the weights to keep."""
        config = self.experiment.config
        if self.loop.average_count and config.data.fresh_noise:
            redraw_noise(self.dataset, config.data, config.seed, self.epoch)
        average = evaluate_average(self.loop, self.experiment, self.dataset, self.epoch)
        best = {"epoch": self.monitor.epoch, self.monitor.column: self.monitor.value}
        if self.settings.keep == "best":
            self.model.parameters.load(self._best_arrays)
        else:
            best["kept_epoch"] = self.epoch
        if self.settings.keep == "average":
            if average is None:
                reason += "; no weights were averaged until then, so the last ones are kept"
            else:
                self.model.parameters.load(dict(average.arrays))
                best["kept_average"] = self.loop.average_count
        return TrainResult(self.epoch, reason, best, average)

    def _run_epoch(self, signals: DeferredSignals) -> None:
        """Train the rest of the epoch; a signal ends it after a batch, with a checkpoint."""
        config = self.experiment.config
        if config.data.fresh_noise:
            redraw_noise(self.dataset, config.data, config.seed, self.epoch + 1)
        self._epoch_start = time.monotonic()

        def after_batch(metrics: EpochMetrics) -> None:
            if signals.caught is not None and metrics.batch < self.loop.batches:
                self._save(stopped=True)
                raise Interrupted(signals.caught)
            now = time.monotonic()
            if now - self._report_time > PROGRESS_INTERVAL:
                self._report_time = now
                self.on_progress(self._progress())

        self.loop.run_epoch(self.epoch + 1, self.metrics, after_batch)

    def _progress(self, row: MetricsRow | None = None) -> TrainProgress:
        return TrainProgress(
            self.epoch + 1,
            self.settings.epochs,
            self.loop.batches,
            self.loop.samples,
            self.metrics,
            time.monotonic() - self._epoch_start,
            row,
        )

    def _finish_epoch(self) -> MetricsRow:
        """The finished epoch's row; its weights are copied if it is the best so far."""
        metrics, epoch = self.metrics, self.epoch + 1
        row: MetricsRow = dict.fromkeys(self.columns)
        row |= {"epoch": epoch, "train_loss": metrics.loss / metrics.samples}
        for name, term in zip(self.terms, metrics.terms, strict=True):
            row[f"train_{name}"] = term / metrics.samples
        if "train_accuracy" in row:
            row["train_accuracy"] = metrics.correct / metrics.samples
        if self.validation is not None:
            results = validate(self.model, self.experiment, self.validation, self.terms)
            row |= {f"validation_{name}": value for name, value in results.items()}
        row["learning_rate"] = self.loop.final_learning_rate(epoch)
        row["gradient_norm"] = metrics.norm / metrics.batch
        row["seconds"] = time.monotonic() - self._epoch_start
        for name, value in row.items():
            if value is not None and not isfinite(value):
                raise Diverged(f"{name} became {value} in epoch {epoch}: {DIVERGENCE_HINT}")
        if not np.isfinite(self.model.parameters.theta).all():
            message = f"a weight stopped being finite in epoch {epoch}: {DIVERGENCE_HINT}"
            raise Diverged(message)
        self.loop.update_schedule(
            row["validation_loss" if self.validation else "train_loss"] or 0.0
        )
        if self.monitor.update(epoch, row[self.monitor.column]):
            for name, array in self.model.parameters.arrays().items():
                np.copyto(self._best_arrays.setdefault(name, np.empty_like(array)), array)
        self.on_progress(self._progress(row))
        self.epoch, self.metrics = epoch, self._new_metrics()
        return row

    def _stop_reason(self, row: MetricsRow) -> str | None:
        """Why training is over after the epoch of this row, or None."""
        settings, norm = self.settings, row["gradient_norm"]
        if norm is not None and norm < (settings.gradient_tolerance or 0.0):
            return f"the gradient's norm fell below {settings.gradient_tolerance:g}"
        stopping = settings.early_stopping
        if stopping and self.monitor.waited >= stopping.patience:
            epochs = "1 epoch" if stopping.patience == 1 else f"{stopping.patience} epochs"
            return f"no better {self.monitor.column} for {epochs}"
        return ALL_EPOCHS_DONE if self.epoch >= settings.epochs else None

    # --- checkpoints ------------------------------------------------------------------------

    def _save(self, stopped: bool) -> None:
        """Write a checkpoint of everything that the rest of the training depends on."""
        parameters, optimizer_state = self.model.parameters, self.loop.optimizer_state
        arrays = {f"model/{name}": array for name, array in parameters.arrays().items()}
        arrays |= {f"best/{name}": array for name, array in self._best_arrays.items()}
        arrays |= {f"moment/{name}": array for name, array in optimizer_state.slots.items()}
        state: dict[str, Any] = {
            "epoch": self.epoch,
            "reason": self.reason,
            "stopped": stopped,
            "totals": asdict(self.metrics),
            "steps": optimizer_state.steps,
            "numbers": optimizer_state.numbers,
            "schedule": self.loop.schedule_state,
            "best": asdict(self.monitor),
            "streams": {n: rng.bit_generator.state for n, rng in parameters.streams.items()},
        }
        if self.loop.average is not None:
            arrays["average/theta"] = self.loop.average
            state["averaged"] = self.loop.average_count
        self.run.save_checkpoint("last", arrays, state)
        self._checkpoint_time = time.monotonic()

    def _save_best(self) -> None:
        """After a divergence, write the weights of the best epoch, if one was finished."""
        if self._best_arrays:
            self.run.save_checkpoint("best", self._best_arrays, {"best": asdict(self.monitor)})

    def _restore(self) -> None:
        """Continue from the last checkpoint, if there is one."""
        checkpoint = self.run.load_checkpoint("last")
        if checkpoint is None:
            return
        arrays, state = checkpoint
        groups: dict[str, dict[str, Array]] = {"model": {}, "best": {}, "moment": {}, "average": {}}
        for key, array in arrays.items():
            group, name = key.split("/", 1)
            groups[group][name] = array
        parameters, optimizer_state = self.model.parameters, self.loop.optimizer_state
        parameters.load(groups["model"])
        self._best_arrays = groups["best"]
        for name, array in groups["moment"].items():
            np.copyto(optimizer_state.slots[name], array)
        for name, stream_state in state["streams"].items():
            parameters.streams[name].bit_generator.state = stream_state
        optimizer_state.steps, optimizer_state.numbers = state["steps"], state["numbers"]
        if self.loop.average is not None:
            np.copyto(self.loop.average, groups["average"]["theta"])
            self.loop.average_count = state["averaged"]
        self.loop.schedule_state = state["schedule"]
        self.reason = state["reason"]
        self.epoch, self.metrics = state["epoch"], EpochMetrics(**state["totals"])
        self.monitor = MetricMonitor(**state["best"])
