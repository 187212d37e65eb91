"""The steps from a configuration file to a checked experiment and its data."""

from __future__ import annotations

from collections.abc import Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ldl.arrays import Array
from ldl.compile import REGISTRIES as COMPILE_REGISTRIES
from ldl.compile import CompileError, Config, Experiment, PathProblem, compile_config
from ldl.compile.experiment import DEFAULT_BATCH
from ldl.config import Loaded, loads, to_yaml
from ldl.config.load import UncheckedConfig, check_config, check_partly, load_unchecked
from ldl.config.tree import KeyPath, Registries, Tree
from ldl.data import (
    SOURCES,
    Dataset,
    DatasetInfo,
    InputScalers,
    ProgressCallback,
    SplitSpec,
    describe_data,
    load_data,
)
from ldl.errors import ConfigError, DataError, Problem
from ldl.evaluate import EVALUATIONS
from ldl.evaluate.context import NetworkInfo
from ldl.execute.data_checks import data_problems
from ldl.execute.evaluation_checks import evaluation_problems, with_default_evaluations
from ldl.execute.introspection import network_info
from ldl.execute.seen_samples import NOTHING_SEEN, SeenSamples, overlap_problems, seen_by
from ldl.execute.transfer import pretrained_weights
from ldl.runs import RunFolder

REGISTRIES = {**COMPILE_REGISTRIES, "evaluation": EVALUATIONS}
SOURCE_NAMES = {kind: name for name, kind in SOURCES.items()}
PARTLY: Final = ((), ("data",), ("network",))  # records that are used without what is wrong there
SHAPES_DEPEND_ON: Final = frozenset(
    {("blocks",), ("data", "shape"), ("data", "augment"), ("data", "target")}
)
IGNORED_SECTIONS = ("grid",)  # sections that a single run does not read


@dataclass(frozen=True)
class PreparedExperiment:
    """A valid configuration, the experiment that it describes, and its pretrained weights.

    `weights` is empty when the configuration has no `start_from`; `seen` is what its run has seen.
    """

    loaded: Loaded[Config]
    experiment: Experiment
    weights: dict[str, Array]
    seen: SeenSamples = NOTHING_SEEN

    @property
    def yaml(self) -> str:
        """The resolved configuration, with every default."""
        return to_yaml(self.experiment.config, REGISTRIES)

    @property
    def key_text(self) -> str:
        """The resolved configuration as content keys hash it."""
        return key_text(self.experiment.config)

    def data(
        self, progress: ProgressCallback | None = None, scaler: InputScalers | None = None
    ) -> Dataset:
        """The data set; a `scaler` that was fitted before is used instead of a new one.

        Raises ConfigError with the location of the setting that causes the problem.
        """
        config = self.experiment.config
        try:
            dataset = load_data(config.data, config.seed, progress, scaler)
        except DataError as error:
            raise ConfigError([_data_problem(self.loaded, error)]) from error
        self.check(dataset)
        return dataset

    def check(self, dataset: Dataset) -> None:
        """Raise ConfigError when the experiment does not suit the data set.

        A loss or a layer cannot take its values, or pretrained weights know what is evaluated.
        """
        problems = data_problems(self.experiment, dataset)
        problems += overlap_problems(self.experiment.config, dataset, self.seen)
        if problems:
            texts = [(path, *message.partition("\n")[::2]) for path, message in problems]
            raise ConfigError([self.loaded.problem(*text) for text in texts])


def key_text(config: Config) -> str:
    """The resolved configuration as content keys hash it; renamed and new settings change no key.

    The seed of the split is left out where it is the run's own, which once drew the split as well.
    """
    text = to_yaml(replace(config, data=config.data.with_split_seed(0)), REGISTRIES, for_key=True)
    return text + split_seed_text(config, config.seed)


def split_seed_text(config: Config, seed: int) -> str:
    """What a content key of a run with this seed adds for the seed of the split."""
    return "" if config.data.split.seed == seed else f"split seed: {config.data.split.seed}\n"


def prepare(
    path: Path, overrides: Sequence[str] = (), load_pretrained: bool = True
) -> PreparedExperiment:
    """Read and check a configuration file and compile its network.

    Loads no data, and the weights of `start_from` only with `load_pretrained`. Raises ConfigError
    with all problems.
    """
    unchecked = read_unchecked(path, Config, REGISTRIES, overrides)
    return prepare_unchecked(unchecked, path.stem, load_pretrained)


def read_unchecked(
    path: Path, root: type, registries: Registries, overrides: Sequence[str] = ()
) -> UncheckedConfig:
    """A file as it is written. That of a run made before splits had a seed gets the run's seed."""
    unchecked = load_unchecked(path, root, registries, overrides, IGNORED_SECTIONS)
    run = RunFolder(path.parent)
    if path.name == run.config.name and run.environment.exists() and unchecked.tree is not None:
        sections = _entries(unchecked.tree)
        split = _entries(_entries(sections.get("data")).get("split"))
        if split and "seed" in sections:
            split.setdefault("seed", sections["seed"])
    return unchecked


def read_config(path: Path) -> Config:
    """The configuration of a file, checked but not compiled. Raises ConfigError."""
    unchecked = read_unchecked(path, Config, REGISTRIES)
    return check_config(unchecked, Config, REGISTRIES, ignored_sections=IGNORED_SECTIONS).value


def _entries(tree: Tree | None) -> dict[str, Tree]:
    return tree.value if tree is not None and isinstance(tree.value, dict) else {}


def prepare_unchecked(
    unchecked: UncheckedConfig, stem: str, load_pretrained: bool = True
) -> PreparedExperiment:
    """`prepare` for a file that has been read; `stem` is the default name of the experiment."""
    try:
        loaded = check_config(unchecked, Config, REGISTRIES, ignored_sections=IGNORED_SECTIONS)
    except ConfigError as error:
        raise sorted_config_error([*error.problems, *_further_problems(unchecked)]) from None
    return _prepare_loaded(loaded, stem, load_pretrained)


def prepare_text(text: str, name: str, load_pretrained: bool = True) -> PreparedExperiment:
    """`prepare` for text from `to_yaml`; `name` is shown as its file in messages."""
    loaded = loads(text, name, Config, REGISTRIES, ignored_sections=IGNORED_SECTIONS, emitted=True)
    return _prepare_loaded(loaded, Path(name).stem, load_pretrained)


def _prepare_loaded(loaded: Loaded[Config], stem: str, load_pretrained: bool) -> PreparedExperiment:
    config = replace(loaded.value, name=loaded.value.name or stem)
    try:
        info = describe_data(config.data)
    except DataError as error:
        raise sorted_config_error(_independent_problems(loaded)) from error
    config = with_default_evaluations(config, info)
    experiment, problems = compile_and_check(config, info)
    pretrained = config.pretrained if load_pretrained else None
    try:
        weights = pretrained_weights(pretrained.run) if pretrained else {}
    except DataError as error:
        problems.append((("start_from",), str(error)))
    if problems or experiment is None:
        raise sorted_config_error([loaded.problem(*problem) for problem in problems])
    seen = seen_by(RunFolder(Path(pretrained.run))) if pretrained else NOTHING_SEEN
    experiment = replace(experiment, config=with_batch_size(config))
    return PreparedExperiment(loaded, experiment, weights, seen)


def compile_and_check(
    config: Config, info: DatasetInfo
) -> tuple[Experiment | None, list[PathProblem]]:
    """The experiment, None if it does not compile, and the problems with it and its evaluations."""
    experiment: Experiment | None = None
    network: NetworkInfo | None = None
    problems: list[PathProblem] = []
    try:
        experiment = compile_config(config, info)
        network = network_info(experiment)
    except CompileError as error:
        problems += error.problems
    return experiment, problems + evaluation_problems(config, info, network)


def with_batch_size(config: Config) -> Config:
    """The configuration with the batch size that its optimizer implies, if it has none."""
    size = "full" if config.optimizer.full_batch else config.train.batch_size or DEFAULT_BATCH
    return replace(config, train=replace(config.train, batch_size=size))


def _further_problems(unchecked: UncheckedConfig) -> list[Problem]:
    """Problems of data, network and evaluations, for a configuration with other problems."""
    try:
        partial = check_partly(unchecked, Config, REGISTRIES, PARTLY, IGNORED_SECTIONS)
    except ConfigError:
        return []
    if partial is None or not partial[1].isdisjoint(SHAPES_DEPEND_ON):
        return []
    return _independent_problems(partial[0], {str(path[0]) for path in partial[1]})


def _independent_problems(loaded: Loaded[Config], wrong: Set[str] = frozenset()) -> list[Problem]:
    """All problems but those that may follow from settings in the `wrong` sections."""
    config, errors = loaded.value, list[DataError]()
    try:
        info = describe_data(config.data, errors)
    except DataError as error:
        return [_data_problem(loaded, e) for e in (*errors, error)]
    if errors:
        config = replace(config, data=replace(config.data, split=SplitSpec()))
    if "loss" in wrong:
        config = replace(config, loss=[])
    if errors or wrong & {"data", "loss"}:
        wrong |= {"evaluate"}
    if wrong & {"optimizer", "train"}:
        wrong |= {"optimizer", "schedule", "train"}
    problems = [_data_problem(loaded, error) for error in errors]
    with suppress(DataError):  # of the usual split, where there are too few samples for it
        found = compile_and_check(with_default_evaluations(config, info), info)[1]
        problems += [loaded.problem(*p) for p in found if str(p[0][0]) not in wrong]
    return problems


def sorted_config_error(problems: Sequence[Problem]) -> ConfigError:
    """A ConfigError with all problems, in the order of their files, lines and columns."""
    files = list(dict.fromkeys(problem.file for problem in problems))
    return ConfigError(sorted(problems, key=lambda p: (files.index(p.file), p.line, p.column)))


def _data_problem(loaded: Loaded[Config], error: DataError) -> Problem:
    """A data error as a problem of the setting that causes it."""
    message, _, hint = str(error).partition("\n")
    return loaded.problem(data_setting_path(error, loaded.value.data.source), message, hint)


def data_setting_path(error: DataError, source: Any) -> KeyPath:
    """The path of the setting that causes a data error; for a source in a file, its `path`."""
    if error.setting == "source" and hasattr(source, "path"):
        return ("data", "source", SOURCE_NAMES[type(source)], "path")
    keys = (int(key) if key.isdecimal() else key for key in error.setting.split("."))
    return ("data", *keys)
