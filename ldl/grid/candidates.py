"""The candidates of a grid: assignments resolved to configurations, or all their problems."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ldl.compile import Config, EncoderDecoder, PathProblem
from ldl.config import BlockUse, Item, Mark, Tree
from ldl.config.problems import ProblemCollector
from ldl.config.tree import INVALID, KeyPath
from ldl.config.type_rules import fields_of
from ldl.data import DatasetInfo, describe_data
from ldl.errors import DataError, Problem, SettingError
from ldl.execute.evaluation_checks import with_default_evaluations
from ldl.execute.preparation import (
    compile_and_check,
    data_setting_path,
    split_seed_text,
    with_batch_size,
)
from ldl.execute.transfer import pretrained_weights
from ldl.grid.block import GridBlock, Halving, Random, Tpe, round_lengths
from ldl.grid.labels import describe_values
from ldl.grid.objective import Objective
from ldl.grid.sections import FIELDS, Sections, SectionText, SectionVariant, section_text
from ldl.grid.space import Assignment, SearchSpace, draw, to_plain

SEED: Final = list(FIELDS).index("seed")
INDEPENDENT: Final = ("name", "seed", "claim")  # sections that no problem depends on

MAX_COMBINATIONS: Final = 100_000  # for a search that checks all of them
MAX_TRIALS: Final = 500_000
CHECK_ALL: Final = 2_000  # up to so many combinations are all checked, though few are searched
SHOWN_DUPLICATES: Final = 5  # in a note


@dataclass(frozen=True)
class Candidate:
    """A resolved configuration without its seed; `number` counts from 1 in the plan."""

    number: int
    values: Mapping[str, Any]  # of the varied keys
    config: Config = field(repr=False)  # with the seed of the base
    texts: tuple[SectionText, ...] = field(repr=False)  # of each section, in the order of FIELDS

    def yaml(self, seed: int) -> str:
        """The resolved configuration with this seed."""
        return _with_seed([text.yaml for text in self.texts], f"seed: {seed}\n")

    def key_text(self, seed: int | None = None) -> str:
        """What content keys hash: of a trial with this seed, without one of all its trials."""
        text = "" if seed is None else f"seed: {seed}\n"
        end = split_seed_text(self.config, self.config.seed if seed is None else seed)
        return _with_seed([section.key for section in self.texts], text) + end

    @property
    def digest(self) -> str:
        """SHA-256 of the resolved configuration without its seed."""
        return hashlib.sha256(self.key_text().encode()).hexdigest()

    def for_epochs(self, number: int, epochs: int) -> Candidate:
        """The same configuration with another length of training, as another candidate."""
        train = replace(self.config.train, epochs=epochs)
        train_text = section_text("train", train)
        texts = tuple(
            train_text if key == "train" else text
            for key, text in zip(FIELDS, self.texts, strict=True)
        )
        values = {**self.values, "train.epochs": epochs}
        return Candidate(number, values, replace(self.config, train=train), texts)


def _with_seed(texts: list[str], seed: str) -> str:
    return "".join([*texts[:SEED], seed, *texts[SEED + 1 :]])


@dataclass
class _CountedProblem:
    """A problem that depends on several sections, and how many candidates have it."""

    hint: str
    values: Mapping[str, Any]  # of the first candidate that has it
    count: int = 0


class Resolver:
    """Resolves the candidates of one grid; checks once what the varied values cannot change.

    `name` is for an experiment that has none, `mark` is the objective's.
    """

    def __init__(
        self, base: Tree, space: SearchSpace, objective: Objective | None, mark: Mark,
        problems: ProblemCollector, name: str,
    ) -> None:  # fmt: skip
        self.sections = Sections(base, space.keys, problems)
        self.resolved = 0  # assignments so far
        self._space, self._objective, self._mark = space, objective, mark
        self._builder, self._name = problems, name
        self._section_problems: dict[Problem, None] = {}
        self._counted: dict[tuple[Mark, str], _CountedProblem] = {}
        self._checked: dict[tuple[int, ...], Config | list[PathProblem]] = {}
        self._infos: dict[int, DatasetInfo | DataError] = {}
        self._values: dict[tuple[str, str], Any] = {}

    def resolve(self, number: int, assignment: Assignment) -> Candidate | None:
        """The candidate with these values; None, with its problems kept, where it has some."""
        self.resolved += 1
        variants = self.sections.assign(assignment)
        problems = [problem for variant in variants.values() for problem in variant.problems]
        if problems or any(variant.value is INVALID for variant in variants.values()):
            self._section_problems.update(dict.fromkeys(problems))
            return None
        cache_key = tuple(id(variants[name]) for name in FIELDS if name not in INDEPENDENT)
        if cache_key not in self._checked:
            self._checked[cache_key] = self._check(variants)
        checked = self._checked[cache_key]
        keys = self._space.keys
        values = {key: to_plain(assignment[key]) for key in keys if key in assignment}
        path_problems = [] if isinstance(checked, Config) else list(checked)
        path_problems += self._unused_blocks(variants, assignment)
        for path, message in path_problems:
            self._count(path, message, variants, values)
        if path_problems or not isinstance(checked, Config):
            return None
        return Candidate(number, values, checked, self._texts(checked, variants))

    def problems(self) -> list[Problem]:
        """All problems, each once; the hint says which candidates have it, unless all do."""
        problems = list(self._section_problems)
        for (mark, message), counted in self._counted.items():
            hint = counted.hint
            if counted.count < self.resolved:
                first = describe_values(counted.values)
                where = f"in {counted.count} of {self.resolved} settings, the first: {first}"
                hint = f"{hint}\n{where}" if hint else where
            problems.append(self._builder.make_problem(mark, message, hint))
        return problems

    def _check(self, variants: Mapping[str, SectionVariant]) -> Config | list[PathProblem]:
        """The configuration with its evaluations and batch size, or its problems.

        The experiment is compiled, its evaluations and the objective are checked.
        """
        values = {FIELDS[key].name: variant.value for key, variant in variants.items()}
        try:
            config = Config(**values)
        except SettingError as error:
            return [((error.setting,), error.reason)]
        config = replace(config, claim=None, name=config.name or self._name)
        info = self._info(config, variants["data"])
        if isinstance(info, DataError):
            return [(data_setting_path(info, config.data.source), str(info))]
        config = with_default_evaluations(config, info)
        experiment, problems = compile_and_check(config, info)
        if config.pretrained:
            try:
                pretrained_weights(config.pretrained.run)
            except DataError as error:
                problems.append((("start_from",), str(error)))
        if experiment is not None and self._objective is not None and not problems:
            problem = self._objective.problem(experiment)
            if problem:
                problems = [(("grid", "objective"), f"`{self._objective.name}`: {problem}")]
        if problems:
            return problems
        config = with_batch_size(config)
        if config.train.threads is None:  # a trial has a core of its own, however many run
            config = replace(config, train=replace(config.train, threads=1))
        return config

    def _info(self, config: Config, data: SectionVariant) -> DatasetInfo | DataError:
        if id(data) not in self._infos:
            try:
                self._infos[id(data)] = describe_data(config.data)
            except DataError as error:
                self._infos[id(data)] = error
        return self._infos[id(data)]

    def _unused_blocks(
        self, variants: Mapping[str, SectionVariant], assignment: Assignment
    ) -> list[PathProblem]:
        """Varied keys inside named blocks that no layer of the candidate uses."""
        keys = [self._space.keys[name] for name in assignment]
        within = [key for key in keys if key.steps[0].name == "blocks" and len(key.steps) > 1]
        used = _used_blocks(variants) if within else set()
        return [
            (
                ("grid", "vary", key.name),
                f"no layer uses the block `{key.steps[1].name}`: `{key.name}` is never read there",
            )
            for key in within
            if key.steps[1].name not in used
        ]

    def _count(
        self, path: KeyPath, message: str, variants: Mapping[str, SectionVariant],
        values: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Count a problem at the mark of the value that causes it."""
        if path[0] == "grid":
            key = self._space.keys.get(str(path[-1]))
            mark = key.mark if key else self._mark
        else:
            mark = variants[str(path[0])].mark(path) or self._mark
        message, _, hint = message.partition("\n")
        counted = self._counted.setdefault((mark, message), _CountedProblem(hint, values))
        counted.count += 1

    def _texts(
        self, config: Config, variants: Mapping[str, SectionVariant]
    ) -> tuple[SectionText, ...]:
        """All sections as text; a value that many candidates share is written once."""
        completed = {
            "name": config.name, "train": config.train, "evaluate": config.evaluate, "claim": None,
        }  # fmt: skip
        texts = []
        for key in FIELDS:
            value = variants[key].value
            if key in completed:  # equal values of several candidates become one object
                value = completed[key]
                value = self._values.setdefault((key, repr(value)), value)
            texts.append(self.sections.text(key, value))
        return tuple(texts)


def _used_blocks(variants: Mapping[str, SectionVariant]) -> set[str]:
    """The blocks that the network uses, directly or through others."""
    blocks = variants["blocks"].value
    used: set[str] = set()
    waiting = _blocks_in(variants["network"].value)
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting += _blocks_in(blocks.get(name, ()))
    return used


def _blocks_in(value: Any) -> list[str]:
    """The names of all blocks that are used anywhere in layers."""
    if isinstance(value, BlockUse):
        return [value.name]
    if isinstance(value, Item):
        return _blocks_in(value.layer)
    if isinstance(value, list | tuple):
        return [name for item in value for name in _blocks_in(item)]
    if isinstance(value, EncoderDecoder) or fields_of(type(value)):
        fields = fields_of(type(value))
        return [name for field in fields for name in _blocks_in(getattr(value, field.name))]
    return []


class Enumerator:
    """Lists the candidates that a search starts with: all, some drawn ones, or a first round.

    Problems are added to `problems`; `mark_of` gives the mark of a key of the grid block.
    """

    def __init__(
        self, block: GridBlock, space: SearchSpace, resolver: Resolver, problems: ProblemCollector,
        mark_of: Callable[[str], Mark],
    ) -> None:  # fmt: skip
        self.notes: list[str] = []
        self.round_epochs: list[int] = []  # epochs of each round of halving
        self._block, self._space, self._resolver = block, space, resolver
        self._problems, self._mark_of = problems, mark_of

    def candidates(self, seed: int) -> list[Candidate]:
        """The candidates, numbered from 1; with `tpe` those of `include` alone."""
        search, space = self._block.search, self._space
        if isinstance(search, Random | Tpe):
            self._check_values()
        if isinstance(search, Tpe):
            if importlib.util.find_spec("optuna") is None:
                hint = "install it with `pip install 'ldl[search]'`"
                self._problems.add(self._mark_of("search"), "`tpe` needs Optuna", hint)
            return self._distinct(space.include)
        if isinstance(search, Random):
            most = search.trials + len(space.include)
            candidates = self._distinct(draw(space, seed), most)
            if len(candidates) < most:
                self.notes.append(f"there are only {len(candidates)} settings to draw from")
            return candidates
        if self._too_many():
            return []
        candidates = self._distinct(space.assignments())
        if not self._resolver.resolved:
            message = "an empty grid: `exclude` leaves no setting"
            self._problems.add(self._mark_of("exclude"), message)
        if isinstance(search, Halving):
            self._plan_rounds(search, candidates)
        return candidates

    def _too_many(self) -> bool:
        """Whether the space is too large to check; a problem is then added."""
        size = self._space.size
        for count, most, key, noun in (
            (size, MAX_COMBINATIONS, "vary", "combinations"),
            (size * self._block.seeds, MAX_TRIALS, "seeds", "trials"),
        ):
            if count > most:
                message = f"{count:,} {noun}; at most {most:,} can be searched"
                hint = "draw some: `search: {random: {trials: 100}}`"
                self._problems.add(self._mark_of(key), message, hint)
                return True
        return False

    def _distinct(
        self, assignments: Iterable[Assignment], most: int | None = None
    ) -> list[Candidate]:
        """The first `most` candidates; of those with the same configuration only the first."""
        candidates: dict[str, Candidate] = {}
        duplicates: list[tuple[Candidate, Candidate]] = []
        for assignment in assignments:
            candidate = self._resolver.resolve(len(candidates) + 1, assignment)
            if candidate is not None:
                first = candidates.setdefault(candidate.digest, candidate)
                if first is not candidate:
                    duplicates.append((first, candidate))
            if most is not None and len(candidates) == most:
                break
        self._note_duplicates(duplicates)
        return list(candidates.values())

    def _note_duplicates(self, duplicates: list[tuple[Candidate, Candidate]]) -> None:
        if not duplicates:
            return
        lines = [
            f"({describe_values(candidate.values)}) is setting {first.number} "
            f"({describe_values(first.values)})"
            for first, candidate in duplicates[:SHOWN_DUPLICATES]
        ]
        hidden = len(duplicates) - SHOWN_DUPLICATES
        more = f"; and {hidden} more" if hidden > 0 else ""
        count = "one setting is" if len(lines) == 1 else f"{len(duplicates)} settings are"
        self.notes.append(f"{count} the same as another and run once: {'; '.join(lines)}{more}")

    def _check_values(self) -> None:
        """Resolve every value at least once, and all combinations where they are few."""
        few = self._space.size <= CHECK_ALL
        for assignment in self._space.assignments() if few else self._edges():
            self._resolver.resolve(0, assignment)

    def _edges(self) -> Iterator[Assignment]:
        """Each row of each axis beside the first rows of the others; of a spacing both ends."""
        first = (0,) * len(self._space.axes)
        for i, axis in enumerate(self._space.axes):
            last = len(axis.rows) - 1
            spaced = axis.rows[0][0].mark == axis.rows[last][0].mark
            for row in (0, last) if spaced else range(last + 1):
                assignment = self._space.at((*first[:i], row, *first[i + 1 :]))
                if assignment is not None:
                    yield assignment

    def _plan_rounds(self, search: Halving, candidates: list[Candidate]) -> None:
        """Set the epochs of each round of halving, which must not be varied then."""
        varied = self._space.keys.get("train.epochs")
        if varied is not None:
            hint = "the last round has the configuration's `train.epochs`"
            self._problems.add(varied.mark, "`halving` sets the epochs itself", hint)
        if not candidates:
            return
        epochs = candidates[0].config.train.epochs
        if search.epochs is not None and search.epochs >= epochs:
            message = f"the first round's {search.epochs} epochs are not fewer than `train.epochs`"
            self._problems.add(self._mark_of("search"), f"{message}, {epochs}")
        if len(candidates) < search.eta:
            message = f"{len(candidates)} settings: of {search.eta} one goes on to the next round"
            self._problems.add(self._mark_of("search"), message)
        self.round_epochs = round_lengths(search, len(candidates), epochs)
