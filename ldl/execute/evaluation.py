"""What a trained network is worth, and its answers to new samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from ldl.arrays import Array
from ldl.compile import Config, Experiment, compile_config
from ldl.config import Item, load, loads
from ldl.data import (
    AffineScaler,
    Dataset,
    DatasetInfo,
    InputScalers,
    ProgressCallback,
    Split,
    Target,
    read_new_samples,
    to_source_units,
)
from ldl.engine.model import Model
from ldl.engine.optim import Adam
from ldl.errors import DataError, Diverged, RunError, RunFolderError, UsageError
from ldl.evaluate import EVALUATIONS, ClassifierSettings, Evaluation, EvaluationContext
from ldl.evaluate.context import available_split
from ldl.execute.consistency import consistency_checker
from ldl.execute.introspection import decoder_from, network_info, value_reader
from ldl.execute.preparation import REGISTRIES, classifier_experiment, evaluation_problems, prepare
from ldl.execute.retraining import UNCHANGED, retrainer
from ldl.fields import Choice
from ldl.runs import RunFolder, load_tensors, read_json, write_json
from ldl.train import EpochMetrics, TrainLoop

SCALER = "scaler.safetensors"


def run_evaluations(
    experiment: Experiment,
    model: Model,
    dataset: Dataset,
    run: RunFolder,
    evaluations: Sequence[Evaluation],
    stage: Callable[[str], None],
) -> dict[str, Any]:
    """Run evaluations and add their results to results.json; gives what was added.

    A result bears its evaluation's name, with the part after it where that is not the test part,
    and a number where the same is there twice. Raises RunError where one fails, when the others'
    results are written.
    """
    names = {kind: name for name, kind in EVALUATIONS.items()}
    context = _context(experiment, model, dataset, run)
    added: dict[str, Any] = {}
    failed: list[str] = []
    seen: Counter[tuple[str, str | None]] = Counter()
    for evaluation in evaluations:
        name = names[type(evaluation)]
        stage(name)
        here = (name, available_split(dataset, getattr(evaluation, "part", "test")))
        seen[here] += 1
        try:
            found = evaluation.run(replace(context, occurrence=seen[here]))
        except (DataError, RunError) as error:
            failed.append(str(error) if str(error).startswith(name) else f"{name}: {error}")
            continue
        key = name + ("" if found["part"] == "test" else f"-{found['part']}")
        twice = sum(each.rstrip("0123456789-") == key for each in added)
        added[f"{key}-{twice + 1}" if twice else key] = found
    before = read_json(run.results) if run.results.exists() else {}
    write_json(run.results, {**before, **added})
    if failed:
        raise RunError("; ".join(failed))
    return added


def _context(
    experiment: Experiment, model: Model, dataset: Dataset, run: RunFolder
) -> EvaluationContext:
    """A trained network as evaluations see it."""
    again = retrainer(experiment, dataset, run)

    def retrain(
        training: Array,
        validation: Array | None,
        judged: Array | None,
        changes: Mapping[str, Any] = UNCHANGED,
    ) -> EvaluationContext:
        return _context(*again(training, validation, judged, changes), run)

    def predict(inputs: Mapping[str, Array]) -> Array:
        outputs = experiment.final_outputs(model.predict(inputs, experiment.output))
        repeats = experiment.task == "reconstruction"  # inputs, which have no target's units
        return outputs if repeats else dataset.to_target_units(outputs)

    return EvaluationContext(
        dataset=dataset,
        task=experiment.task,
        predict=predict,
        classes=experiment.predicted_classes,
        probabilities=experiment.probabilities,
        probability_note=experiment.probability_note,
        folder=run.path,
        seed=experiment.config.seed,
        train_classifier=_classifier_trainer(experiment.config),
        network=network_info(experiment),
        node_values=value_reader(experiment, model),
        weights=model.parameters.weights,
        decoder=decoder_from(experiment, model),
        retrain=retrain,
        check_consistency=consistency_checker(experiment, dataset),
    )


def _classifier_trainer(config: Config) -> Any:
    """What evaluations train a classifier of their own with, from the run's seed."""

    def train_classifier(
        layers: Sequence[Item], inputs: Array, labels: Array, classes: int,
        settings: ClassifierSettings,
    ) -> Callable[[Array], Array]:  # fmt: skip
        names = tuple(map(str, range(classes)))
        info = DatasetInfo({"x": inputs.shape[1:]}, Target("classes", names), None, len(inputs))
        experiment = classifier_experiment(config, layers, info)
        model, adam = Model(experiment.graph, config.seed), Adam(settings.learning_rate)
        arrays = experiment.arrays(Split({"x": inputs}, {"x": inputs}, labels))
        loop = TrainLoop(model, adam, arrays, settings.batch_size, config.seed)
        try:
            for epoch in range(1, settings.epochs + 1):
                loop.run_epoch(epoch, EpochMetrics())
        except Diverged as error:
            raise RunError(f"the evaluation's own classifier: {error}") from error
        return lambda x: experiment.predicted_classes(model.predict({"x": x}, experiment.output))

    return train_classifier


def check_data_unchanged(run: RunFolder, dataset: Dataset) -> None:
    """Refuse data that has changed since the run began."""
    before = read_json(run.environment).get("data_sha256")
    if before != dataset.sha256:
        raise RunFolderError(
            f"the data has changed since {run.name} began: its SHA-256 was {before} and now is "
            f"{dataset.sha256}"
        )


def evaluate(
    run: RunFolder,
    evaluations: Sequence[Evaluation] | None = None,
    progress: ProgressCallback | None = None,
) -> dict[str, Any]:
    """Judge a run's saved network again, by its own evaluations or by others."""
    with run.lock():
        prepared = prepare(run.config, start=False)
        dataset = prepared.data(progress, stored_scaler(run))
        check_data_unchanged(run, dataset)
        experiment = prepared.experiment
        chosen = list(evaluations or experiment.config.evaluate or [])
        asked = replace(experiment.config, evaluate=chosen)
        faults = evaluation_problems(asked, experiment.info, network_info(experiment))
        if faults:
            raise UsageError("\n".join(message for _, message in faults))
        model = trained_model(run, experiment)
        return run_evaluations(experiment, model, dataset, run, chosen, lambda stage: None)


@dataclass(frozen=True)
class _Evaluations:
    """The section `evaluate` alone."""

    evaluate: list[Annotated[Any, Choice("evaluation")]]


def read_evaluations(texts: Sequence[str]) -> list[Evaluation]:
    """Evaluations as a configuration writes them: `classification`, `denoising: {epochs: 5}`."""
    text = f"evaluate: [{', '.join(texts)}]"
    return loads(text, "command line", _Evaluations, REGISTRIES).value.evaluate


def predict(run: RunFolder, path: Path) -> tuple[Experiment, Array]:
    """A run's network applied to the samples in a file: the experiment and outputs (n, …).

    Values, and the inputs that an autoencoder repeats, are in the units of the data; only crops of
    whitened pictures stay whitened.
    """
    info = DatasetInfo.from_state(read_json(run.path / "data.json")["info"])
    experiment = compile_config(load(run.config, Config, REGISTRIES).value, info)
    scaler = stored_scaler(run)
    delimiter = getattr(experiment.config.data.source, "delimiter", ",")
    samples = read_new_samples(path, info, scaler, delimiter)
    outputs = trained_model(run, experiment).predict(samples.inputs, experiment.output)
    outputs = experiment.final_outputs(outputs)
    if experiment.task == "reconstruction":
        undone = to_source_units(outputs, info, scaler)
        return experiment, outputs if undone is None else undone
    state = read_json(run.path / "data.json")["target_scale"]
    scale = AffineScaler(*(np.asarray(state[key]) for key in ("shift", "scale"))) if state else None
    return experiment, scale.inverse(outputs) if scale else outputs


def stored_scaler(run: RunFolder) -> InputScalers | None:
    """The scaling that a run was trained with. Raises RunFolderError for damaged files."""
    state = read_json(run.path / "data.json")["scaler"]
    if not state:
        return None
    file = run.path / SCALER
    try:
        return InputScalers.from_state(state, load_tensors(file)[0] if file.exists() else {})
    except KeyError as error:
        raise RunFolderError(f"{run.name}: {SCALER} lacks {error}") from error


def trained_model(run: RunFolder, experiment: Experiment) -> Model:
    """The network of a run with its saved weights. Raises RunFolderError where they do not fit."""
    model = Model(experiment.graph, experiment.config.seed)
    load_weights(model, run)
    return model


def load_weights(model: Model, run: RunFolder) -> None:
    """Give a network a run's saved weights. Raises RunFolderError where they do not fit."""
    status = run.read_status()
    if not run.model.exists() and status.status != "completed":
        raise RunFolderError(f"{run.name} left no weights: {status.status}, {status.reason}")
    arrays, _ = load_tensors(run.model)
    try:
        model.parameters.load(arrays)
    except (KeyError, ValueError) as error:
        raise RunFolderError(f"{run.model} does not fit its config.yaml: {error}") from error
