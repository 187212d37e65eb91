"""A whole run: from a configuration file to a finished folder, and what is asked of it later."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from ldl import build as building
from ldl.build import BuildError, Config, Experiment
from ldl.config import Item, Loaded, load, loads, to_yaml
from ldl.data import Dataset, Info, Part, Progress, Scaling, Target, describe, read_inputs
from ldl.data import load as load_data
from ldl.engine.memory import Array
from ldl.engine.model import Model
from ldl.engine.optim import Adam
from ldl.errors import (
    ConfigError,
    DataError,
    Diverged,
    Interrupted,
    LdlError,
    Problem,
    RunFolderError,
)
from ldl.evaluate import EVALUATIONS, ClassifierSettings, Context, Evaluation, default_evaluations
from ldl.fields import Choice
from ldl.runs import RunFolder, load_tensors, read_json, save_tensors, to_json, write_json
from ldl.runs.environment import environment
from ldl.runs.log import log_to
from ldl.train import Progress as TrainProgress
from ldl.train import Steps, Totals, Trainer

KINDS = {**building.KINDS, "evaluation": EVALUATIONS}
GRAPH_KEYS = ("data", "network", "blocks", "loss")


@dataclass(frozen=True)
class Prepared:
    """A configuration that was found to be sound, and the experiment that it describes."""

    loaded: Loaded[Config]
    experiment: Experiment

    @property
    def yaml(self) -> str:
        """The resolved configuration, every default filled in."""
        return to_yaml(self.experiment.config, KINDS)


@dataclass(frozen=True)
class Watchers:
    """Who is told how things go; each may be left out."""

    data: Progress | None = None
    training: Callable[[TrainProgress], None] = lambda progress: None
    stage: Callable[[str], None] = lambda stage: None


SILENT = Watchers()


def prepare(path: Path, overrides: Sequence[str] = ()) -> Prepared:
    """Read, check and build. Raises ConfigError with every mistake; reads no more than headers."""
    try:
        loaded = load(path, Config, KINDS, overrides)
    except ConfigError as error:
        found = [*error.problems, *_network_problems(path, overrides)]
        files = list(dict.fromkeys(problem.file for problem in found))
        found.sort(key=lambda problem: (files.index(problem.file), problem.line, problem.column))
        raise ConfigError(found) from None
    config = loaded.value
    config = replace(config, name=config.name or path.stem)
    try:
        info = describe(config.data)
    except DataError as error:
        raise ConfigError([loaded.problem(("data", "source"), str(error))]) from error
    faults: list[tuple[tuple[str | int, ...], str]] = []
    try:
        experiment = building.build(config, info)
    except BuildError as error:
        faults += error.faults
    else:
        evaluations = config.evaluate
        if evaluations is None:
            evaluations = list(default_evaluations(experiment.task, info))
            experiment = replace(experiment, config=replace(config, evaluate=evaluations))
        for i, evaluation in enumerate(evaluations):
            fault = evaluation.fault(info, experiment.task)
            if fault:
                faults.append((("evaluate", i), fault))
    if faults:
        raise ConfigError([loaded.problem(where, message) for where, message in faults])
    return Prepared(loaded, experiment)


def _network_problems(path: Path, overrides: Sequence[str]) -> list[Problem]:
    """What is wrong with the shapes, where only other sections have kept them from being looked at.

    The network needs `data`, `network`, `blocks` and `loss` to be sound; otherwise nothing is said.
    """
    try:
        loaded = load(path, Config, KINDS, overrides, GRAPH_KEYS)
        building.build(loaded.value, describe(loaded.value.data))
    except BuildError as error:
        return [loaded.problem(where, message) for where, message in error.faults]
    except LdlError:
        return []
    return []


def train(prepared: Prepared, root: Path, watchers: Watchers = SILENT) -> RunFolder:
    """Train in a new folder under `root`, judge, and leave the folder complete but for pictures.

    Raises Diverged or Interrupted, and what evaluations raise; the folder's status says so too.
    """
    config = prepared.experiment.config
    dataset = _load(prepared, watchers)
    text = prepared.yaml
    threads = {"asked": config.train.threads, "set": prepared.experiment.threads}
    contents = {
        "config.yaml": text.encode(),
        "source.yaml": prepared.loaded.text.encode(),
        "overrides.yaml": _overrides(prepared.loaded.overrides).encode(),
        "environment.json": to_json(environment(sys.argv, config.seed, dataset.sha256, threads)),
        "data.json": to_json(data_state(dataset)),
    }
    digest = hashlib.sha256(text.encode()).hexdigest()
    run = RunFolder.create(root, config.name, digest, contents)
    with run.lock():
        _train(prepared.experiment, dataset, run, watchers)
    return run


def resume(run: RunFolder, watchers: Watchers = SILENT) -> RunFolder:
    """Go on with a run from its last checkpoint; the result is that of an undisturbed run.

    Raises RunFolderError for a completed or diverged run, or where the data is not what it was.
    """
    with run.lock():
        status = run.read_status()
        if status.status == "completed":
            raise RunFolderError(f"{run.name} is completed: there is nothing left to do")
        if status.status == "diverged":
            raise RunFolderError(
                f"{run.name} would diverge again: {status.reason}; "
                "change a copy of its config.yaml and train that"
            )
        prepared = prepare(run.config)
        dataset = _load(prepared, watchers)
        _same_data(run, dataset)
        _train(prepared.experiment, dataset, run, watchers)
    return run


def evaluate(
    run: RunFolder, evaluations: Sequence[Evaluation] | None = None, watchers: Watchers = SILENT
) -> dict[str, Any]:
    """Judge a run's saved network again, by its own evaluations or by others."""
    with run.lock():
        prepared = prepare(run.config)
        dataset = _load(prepared, watchers)
        _same_data(run, dataset)
        model = trained_model(run, prepared.experiment)
        chosen = prepared.experiment.config.evaluate if evaluations is None else evaluations
        return judge(prepared.experiment, model, dataset, run, chosen or [], watchers)


def read_evaluations(texts: Sequence[str]) -> list[Evaluation]:
    """Evaluations as a configuration writes them: `classification`, `denoising: {epochs: 5}`."""
    text = f"evaluate: [{', '.join(texts)}]"
    return loads(text, "command line", _Evaluations, KINDS).value.evaluate


@dataclass(frozen=True)
class _Evaluations:
    """The section `evaluate` alone."""

    evaluate: list[Annotated[Any, Choice("evaluation")]]


def predict(run: RunFolder, path: Path) -> tuple[Experiment, Array]:
    """A run's network applied to the samples in a file: the experiment and outputs (n, …)."""
    state = read_json(run.path / "data.json")
    scaler = Scaling.from_state(state["scaler"]) if state["scaler"] else None
    info = Info.from_state(state["info"])
    config = load(run.config, Config, KINDS).value
    experiment = building.build(config, info)
    samples = read_inputs(path, info, scaler)
    model = trained_model(run, experiment)
    return experiment, model.predict(samples.inputs, experiment.output)


def trained_model(run: RunFolder, experiment: Experiment) -> Model:
    """The network of a run with its saved weights. Raises RunFolderError where they do not fit."""
    model = Model(experiment.graph, experiment.config.seed)
    arrays, _ = load_tensors(run.model)
    try:
        model.parameters.load(arrays)
    except (KeyError, ValueError) as error:
        raise RunFolderError(f"{run.model} does not fit its config.yaml: {error}") from error
    return model


def _load(prepared: Prepared, watchers: Watchers) -> Dataset:
    """The data set; what is wrong with it is said at the configuration's `data.source`."""
    config = prepared.experiment.config
    try:
        return load_data(config.data, config.seed, watchers.data)
    except DataError as error:
        raise ConfigError([prepared.loaded.problem(("data", "source"), str(error))]) from error


def _overrides(overrides: Sequence[str]) -> str:
    """overrides.yaml: a list of texts, as they stood on the command line."""
    import yaml

    return yaml.safe_dump(list(overrides), allow_unicode=True, default_flow_style=False)


def data_state(dataset: Dataset) -> dict[str, Any]:
    """What `predict` needs to know of the data: shapes, names and the fitted scaling."""
    return {
        "info": dataset.info.state(),
        "scaler": dataset.scaler.state() if dataset.scaler else None,
    }


def _same_data(run: RunFolder, dataset: Dataset) -> None:
    """Refuse data that has changed since the run began."""
    before = read_json(run.environment).get("data_sha256")
    if before != dataset.sha256:
        raise RunFolderError(
            f"the data has changed since {run.name} began: its SHA-256 was {before} and now is "
            f"{dataset.sha256}"
        )


def _train(experiment: Experiment, dataset: Dataset, run: RunFolder, watchers: Watchers) -> None:
    """Train, save, judge; the status follows."""
    run.set_status("running", epoch=0)
    with log_to(run.log) as log, _threads(experiment.threads):
        trainer = Trainer(experiment, dataset, run, watchers.training)
        log.info(
            "training %s weights on %s samples", trainer.model.parameters.count, trainer.steps.count
        )
        try:
            outcome = trainer.fit()
            log.info("training ended after epoch %s: %s", outcome.epochs, outcome.reason)
            save_tensors(run.model, trainer.model.parameters.arrays())
            evaluations = experiment.config.evaluate or []
            judge(experiment, trainer.model, dataset, run, evaluations, watchers)
        except Interrupted as error:
            log.info("%s after epoch %s", error, trainer.epoch)
            run.set_status("interrupted", str(error), epoch=trainer.epoch)
            raise
        except Diverged as error:
            log.error("%s", error)
            run.set_status("diverged", str(error), epoch=trainer.epoch)
            raise
        except (Exception, KeyboardInterrupt) as error:
            log.exception("failed")
            run.set_status("failed", f"{type(error).__name__}: {error}", epoch=trainer.epoch)
            raise
        run.set_status("completed", outcome.reason, epoch=outcome.epochs, best=outcome.best)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """So many threads for matrix products; None leaves them alone."""
    if count is None:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(count, user_api="blas"):
        yield


def judge(
    experiment: Experiment,
    model: Model,
    dataset: Dataset,
    run: RunFolder,
    evaluations: Sequence[Evaluation],
    watchers: Watchers,
) -> dict[str, Any]:
    """Run evaluations and write results.json, by the evaluations' names."""
    names = {kind: name for name, kind in EVALUATIONS.items()}
    context = Context(
        dataset=dataset,
        task=experiment.task,
        predict=lambda inputs: model.predict(inputs, experiment.output),
        probabilities=experiment.probabilities,
        folder=run.path,
        seed=experiment.config.seed,
        train_classifier=_classifier_trainer(experiment.config),
    )
    results: dict[str, Any] = {}
    for evaluation in evaluations:
        name = names[type(evaluation)]
        watchers.stage(name)
        number = sum(key.split("-")[0] == name for key in results) + 1
        results[name if number == 1 else f"{name}-{number}"] = evaluation.run(context)
    write_json(run.results, results)
    return results


def _classifier_trainer(config: Config) -> Any:
    """What evaluations train a classifier of their own with, from the run's seed."""

    def train_classifier(
        layers: Sequence[Item], inputs: Array, labels: Array, classes: int,
        settings: ClassifierSettings,
    ) -> Callable[[Array], Array]:  # fmt: skip
        names = tuple(map(str, range(classes)))
        info = Info({"x": inputs.shape[1:]}, Target("classes", names), None, len(inputs))
        adam = Adam(settings.learning_rate)
        data = replace(config.data, target="labels")
        small = Config(data=data, network=layers, blocks=config.blocks, seed=config.seed)
        experiment = building.build(small, info)
        model = Model(experiment.graph, config.seed)
        part = Part({"x": inputs}, {"x": inputs}, labels)
        steps = Steps(model, adam, experiment.feeds(part), settings.batch_size, config.seed)
        for epoch in range(1, settings.epochs + 1):
            steps.epoch(epoch, Totals())
        return lambda x: experiment.classes(model.predict({"x": x}, experiment.output))

    return train_classifier
