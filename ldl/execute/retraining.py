"""The same network trained again on other rows, for evaluations such as cross-validation."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ldl.arrays import Array
from ldl.compile import CompileError, Config, Experiment, compile_config
from ldl.compile.experiment_config import LossTerm
from ldl.data import Dataset, SplitSpec, load_data, redraw_noise
from ldl.engine.model import Model
from ldl.errors import Diverged, RunError
from ldl.execute.transfer import START, copy_matching
from ldl.runs import RunFolder, load_tensors
from ldl.train import Trainer

SCRATCH = ".retraining-"  # the beginning of a folder's name within the run's, gone when it is done
UNCHANGED: Mapping[str, Any] = {}
Retrained = tuple[Experiment, Model, Dataset]


def retrainer(experiment: Experiment, dataset: Dataset, run: RunFolder) -> Callable[..., Retrained]:
    """(rows to train on, to validate on, to judge, changes) to a trained experiment.

    The configuration and the seed are the run's own, but for a `loss` and an `optimizer` among the
    changes; scaling, noise and the kept epoch follow from the given rows. Raises RunError where
    the training diverges, cannot be built or has data that changed.
    """

    def retrain(
        training: Array,
        validation: Array | None,
        judged: Array | None,
        changes: Mapping[str, Any] = UNCHANGED,
    ) -> Retrained:
        given = {"train": training, "test": judged, "validation": validation}
        rows = {part: chosen for part, chosen in given.items() if chosen is not None}
        config = changed(experiment.config, changes)
        data = load_data(config.data, config.seed, sample_indices=rows)
        if data.sha256 != dataset.sha256:
            raise RunError("the data has changed since the run began: it cannot be trained again")
        counts = {part: len(chosen) for part, chosen in rows.items()}
        split = SplitSpec(counts["train"], counts.get("validation", 0), counts.get("test", 0))
        asked = replace(config, data=replace(config.data, split=split), evaluate=[])
        try:
            again = compile_config(asked, replace(experiment.info, official_test=0))
        except CompileError as error:
            raise RunError(str(error)) from error
        for stray in run.path.glob(f"{SCRATCH}*"):  # of a process that was killed
            shutil.rmtree(stray, ignore_errors=True)
        with TemporaryDirectory(prefix=SCRATCH, dir=run.path) as scratch:
            model = _trained(again, data, RunFolder(Path(scratch)), run)
        if config.data.fresh_noise:  # judged with that of `load`, as the run is
            redraw_noise(data, config.data, config.seed, 0)
        return again, model, data

    return retrain


def changed(config: Config, changes: Mapping[str, Any]) -> Config:
    """With another loss or optimizer; one that takes the whole set a step is let.

    The loss stands in for the first one, in its place and with its target and weight.
    """
    if "loss" in changes:
        loss = config.loss
        first, *others = loss if isinstance(loss, list) else [loss or LossTerm(None)]
        first = replace(first, loss=changes["loss"])
        config = replace(config, loss=[first, *others] if isinstance(loss, list) else first)
    if "optimizer" in changes:
        size = None if changes["optimizer"].full_batch else config.train.batch_size
        train = replace(config.train, batch_size=size)
        config = replace(config, optimizer=changes["optimizer"], train=train)
    return config


def _trained(experiment: Experiment, data: Dataset, scratch: RunFolder, run: RunFolder) -> Model:
    """The network after its training, with the weights that are kept."""
    from threadpoolctl import threadpool_limits

    trainer = Trainer(experiment, data, scratch)
    start = run.path / START
    if start.exists():
        copy_matching(trainer.model.parameters, load_tensors(start)[0])
    try:
        with threadpool_limits(experiment.parallelism.blas_threads, user_api="blas"):
            trainer.fit()
    except Diverged as error:
        raise RunError(f"trained again: {error}") from error
    return trainer.model
