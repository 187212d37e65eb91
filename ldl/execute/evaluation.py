"""Runs the evaluations of a trained network and writes results.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

from ldl.arrays import Array
from ldl.compile import Config, Experiment
from ldl.config import Item, loads
from ldl.data import Dataset, DatasetInfo, ProgressCallback, Split, Target
from ldl.engine.model import Model
from ldl.engine.optim import Adam
from ldl.errors import DataError, Diverged, Problem, RunError, UsageError
from ldl.evaluate import ClassifierSettings, Evaluation, EvaluationContext
from ldl.evaluate.context import available_split
from ldl.execute.consistency import consistency_checker
from ldl.execute.evaluation_checks import (
    EVALUATION_NAMES,
    RESULT_NAMES,
    classifier_experiment,
    evaluation_problems,
)
from ldl.execute.introspection import decoder_from, network_info, value_reader
from ldl.execute.preparation import REGISTRIES
from ldl.execute.retraining import retrainer
from ldl.execute.saved_run import prepare_saved, trained_model
from ldl.execute.seen_samples import divided_problems, seen_at_start, with_overlap
from ldl.fields import Choice
from ldl.runs import RunFolder, write_json
from ldl.runs.evaluation_counts import record_evaluation, samples_digest
from ldl.train import EpochMetrics, TrainLoop


def run_evaluations(
    experiment: Experiment,
    model: Model,
    dataset: Dataset,
    run: RunFolder,
    evaluations: Sequence[Evaluation],
    stage: Callable[[str], None],
) -> dict[str, Any]:
    """Run evaluations, add their results to results.json, and return these results.

    Results are keyed `name[-split][-n]`: the split if it is not the test split, a number if the
    same key occurs again. `stage` is called with the name of each evaluation. Raises RunError
    when evaluations fail, after the results of the others are written.
    """
    context, seen = _context(experiment, model, dataset, run), seen_at_start(run)
    _record_evaluation(evaluations, dataset, run)
    results: dict[str, Any] = {}
    errors: list[str] = []
    occurrences: Counter[tuple[str, str | None]] = Counter()
    for evaluation in evaluations:
        name = EVALUATION_NAMES[type(evaluation)]
        stage(name)
        split = available_split(dataset, getattr(evaluation, "split", "test"))
        occurrences[name, split] += 1
        try:
            result = evaluation.run(replace(context, occurrence=occurrences[name, split]))
        except (DataError, RunError) as error:
            errors.append(str(error) if str(error).startswith(name) else f"{name}: {error}")
            continue
        suffix = "" if result["part"] == "test" else f"-{result['part']}"
        key = RESULT_NAMES[type(evaluation)] + suffix
        count = sum(existing.rstrip("0123456789-") == key for existing in results)
        result = with_overlap(result, evaluation, dataset, seen)
        results[f"{key}-{count + 1}" if count else key] = result
    previous = run.read_results()
    write_json(run.results, {**previous, **results})
    if errors:
        raise RunError("; ".join(errors))
    return results


def _record_evaluation(evaluations: Sequence[Evaluation], dataset: Dataset, run: RunFolder) -> None:
    """Count that a network is evaluated on the test split, if any of the evaluations reads it."""
    names = [evaluation.split for evaluation in evaluations if hasattr(evaluation, "split")]
    rows = dataset.test.sample_indices if dataset.test is not None else None
    if "test" in names and rows is not None:
        record_evaluation(run, samples_digest(dataset.sha256, rows))


def _context(
    experiment: Experiment, model: Model, dataset: Dataset, run: RunFolder
) -> EvaluationContext:
    """A trained network and its data, as evaluations see them."""
    retrain = retrainer(experiment, dataset, run)

    def predict(inputs: Mapping[str, Array]) -> Array:
        outputs = experiment.final_outputs(model.predict(inputs, experiment.output))
        if experiment.task == "reconstruction":  # the outputs are inputs, not targets
            return outputs
        return dataset.to_target_units(outputs)

    return EvaluationContext(
        dataset=dataset,
        task=experiment.task,
        predict=predict,
        classes=experiment.predicted_classes,
        probabilities=experiment.probabilities,
        probability_note=experiment.probability_note,
        folder=run.path,
        seed=experiment.config.seed,
        split_seed=experiment.config.data.split.seed,
        train_classifier=partial(_train_classifier, experiment.config),
        network=network_info(experiment),
        node_values=value_reader(experiment, model),
        weights=model.parameters.weights,
        decoder=decoder_from(experiment, model),
        retrain=lambda *arguments: _context(*retrain(*arguments), run),
        check_consistency=consistency_checker(experiment, dataset),
    )


def _train_classifier(
    config: Config,
    layers: Sequence[Item],
    inputs: Array,
    labels: Array,
    classes: int,
    settings: ClassifierSettings,
) -> Callable[[Array], Array]:
    """Train an evaluation's own classifier on inputs (n, …) and labels (n,), with the run's seed.

    Returns a function from inputs (n, …) to class indices (n,). Raises RunError if it diverges.
    """
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


def evaluate(
    run: RunFolder,
    evaluations: Sequence[Evaluation] | None = None,
    progress: ProgressCallback | None = None,
) -> dict[str, Any]:
    """Evaluate the saved network of a run, with its own evaluations or with others.

    Returns the results and adds them to results.json. Raises UsageError for evaluations that do
    not fit the network, RunFolderError for a run without weights or with changed data.
    """
    with run.lock():
        prepared, dataset = prepare_saved(run, progress)
        experiment = prepared.experiment
        config = experiment.config
        chosen = list(evaluations or config.evaluate or [])
        problems = evaluation_problems(
            replace(config, evaluate=chosen), experiment.info, network_info(experiment)
        )
        problems += divided_problems(config, chosen, dataset, seen_at_start(run))
        if problems:
            raise UsageError("\n".join(message for _, message in problems))
        model = trained_model(run, experiment)
        return run_evaluations(experiment, model, dataset, run, chosen, lambda stage: None)


@dataclass(frozen=True)
class _EvaluateSection:
    """A configuration with the section `evaluate` only."""

    evaluate: list[Annotated[Any, Choice("evaluation")]]


def read_evaluations(texts: Sequence[str]) -> tuple[list[Evaluation], tuple[Problem, ...]]:
    """Evaluations from their YAML, such as `denoising: {epochs: 5}`; a note per former name."""
    text = f"evaluate: [{', '.join(texts)}]"
    loaded = loads(text, "command line", _EvaluateSection, REGISTRIES)
    return loaded.value.evaluate, loaded.warnings
