"""The same network trained again on other samples, for evaluations such as cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ldl.arrays import Array
from ldl.atomic_file import remove_tree
from ldl.compile import CompileError, Config, Experiment, compile_config
from ldl.compile.experiment_config import LossTerm
from ldl.data import Dataset, SplitSpec, load_data, redraw_noise
from ldl.engine.model import Model
from ldl.errors import Diverged, RunError
from ldl.execute.transfer import copy_matching, initial_weights
from ldl.runs import RunFolder
from ldl.train import Trainer

SCRATCH_PREFIX = ".retraining-"  # of a temporary folder in the run folder
NO_CHANGES: Mapping[str, Any] = {}
Retrained = tuple[Experiment, Model, Dataset]


def retrainer(experiment: Experiment, dataset: Dataset, run: RunFolder) -> Callable[..., Retrained]:
    """A function that trains the network of a run on other samples of its data source.

    It takes the sample indices (n,) of training, validation and test split, None for an empty one,
    and optionally another `loss` or `optimizer` in a mapping. Everything else in the configuration
    and the seed are the run's; scalers, noise and the best epoch are determined again. It raises
    RunError when the training diverges, cannot be built or when the data has changed.
    """

    def retrain(
        training: Array,
        validation: Array | None,
        test: Array | None,
        changes: Mapping[str, Any] = NO_CHANGES,
    ) -> Retrained:
        splits = {"train": training, "test": test, "validation": validation}
        indices = {name: rows for name, rows in splits.items() if rows is not None}
        config = apply_changes(experiment.config, changes)
        data = load_data(config.data, config.seed, sample_indices=indices)
        if data.sha256 != dataset.sha256:
            raise RunError("the data has changed since the run started: cannot train again")
        counts = {name: len(rows) for name, rows in indices.items()}
        split = SplitSpec(counts["train"], counts.get("validation", 0), counts.get("test", 0))
        retrained_config = replace(config, data=replace(config.data, split=split), evaluate=[])
        try:
            new_experiment = compile_config(
                retrained_config, replace(experiment.info, official_test=0)
            )
        except CompileError as error:
            raise RunError(str(error)) from error
        model = _train_in_scratch_folder(new_experiment, data, run)
        if config.data.fresh_noise:  # evaluate with the noise of `load_data`, as the run does
            redraw_noise(data, config.data, config.seed, 0)
        return new_experiment, model, data

    return retrain


def apply_changes(config: Config, changes: Mapping[str, Any]) -> Config:
    """The configuration with another `loss` or `optimizer`.

    The loss replaces the first one and keeps its input, target and weight. Full-batch optimizers
    ignore `batch_size`.
    """
    if "loss" in changes:
        loss = config.loss
        first, *other_losses = loss if isinstance(loss, list) else [loss or LossTerm(None)]
        first = replace(first, loss=changes["loss"])
        config = replace(config, loss=[first, *other_losses] if isinstance(loss, list) else first)
    if "optimizer" in changes:
        size = None if changes["optimizer"].full_batch else config.train.batch_size
        train = replace(config.train, batch_size=size)
        config = replace(config, optimizer=changes["optimizer"], train=train)
    return config


def _train_in_scratch_folder(experiment: Experiment, data: Dataset, run: RunFolder) -> Model:
    """The trained network with its best weights; the folder of the training is removed."""
    for stale in run.path.glob(f"{SCRATCH_PREFIX}*"):  # of a killed process
        remove_tree(stale)
    with TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=run.path) as folder:
        trainer = Trainer(experiment, data, RunFolder(Path(folder)))
        copy_matching(trainer.model.parameters, initial_weights(run))
        try:
            with blas_threads(experiment.parallelism.blas_threads):
                trainer.fit()
        except Diverged as error:
            raise RunError(f"trained again: {error}") from error
    return trainer.model


@contextmanager
def blas_threads(count: int | None) -> Iterator[None]:
    """Limit every loaded BLAS to `count` threads within the block; None changes nothing."""
    if count is None:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(count, user_api="blas"):
        yield
