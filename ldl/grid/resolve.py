"""Assignments become settings: resolved configurations, or all that is wrong with them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ldl.compile import Config, EncoderDecoder, Training
from ldl.compile.experiment import Experiment
from ldl.config import BlockUse, Item, Mark, Tree
from ldl.config.problems import Problems
from ldl.config.tree import INVALID, NOWHERE, KeyPath
from ldl.config.type_rules import fields_of
from ldl.data import DatasetInfo, describe_data
from ldl.errors import DataError, Problem, SettingError
from ldl.execute.preparation import (
    build_and_check,
    data_setting,
    with_batch_size,
    with_default_evaluations,
)
from ldl.execute.transfer import pretrained_weights
from ldl.grid.labels import describe_values
from ldl.grid.objective import Objective
from ldl.grid.patterns import plain
from ldl.grid.sections import FIELDS, Sections, Variant, mark_of, section_text
from ldl.grid.space import Assignment, Space

SEED = list(FIELDS).index("seed")
UNSEEN = ("name", "seed", "claim")  # what no fault depends on


@dataclass(frozen=True)
class Candidate:
    """A resolved configuration but for its seed; `number` counts from 1."""

    number: int
    values: Mapping[str, Any]
    texts: tuple[str, ...] = field(repr=False)  # of each section, in the order of FIELDS
    train: Training = field(repr=False)
    schedule: Any = field(repr=False)
    source: Any = field(repr=False)  # of the data
    start_from: str | None = None

    def yaml(self, seed: int | None = None) -> str:
        """The resolved configuration with this seed; without one, what all its trials share."""
        own = "" if seed is None else f"seed: {seed}\n"
        return "".join([*self.texts[:SEED], own, *self.texts[SEED + 1 :]])

    @property
    def digest(self) -> str:
        """The same for two settings that are the same."""
        return hashlib.sha256(self.yaml().encode()).hexdigest()

    def for_epochs(self, number: int, epochs: int) -> Candidate:
        """The same, trained for so many epochs, as another setting."""
        train = replace(self.train, epochs=epochs)
        text = section_text("train", train)
        texts = tuple(
            text if key == "train" else t for key, t in zip(FIELDS, self.texts, strict=True)
        )
        values = {**self.values, "train.epochs": epochs}
        return replace(self, number=number, values=values, texts=texts, train=train)


@dataclass
class Seen:
    """A mistake that depends on several sections, and how many settings have it."""

    count: int
    mark: Mark
    advice: str
    values: Mapping[str, Any]


@dataclass
class _Judged:
    """What was found of the sections that training depends on."""

    faults: list[tuple[KeyPath, str]]
    config: Config | None  # with its evaluations and batch size


class Settler:
    """Resolves the settings of one grid; looks once at what a varied value cannot change."""

    def __init__(
        self, base: Tree, space: Space, objective: Objective | None, mark: Mark, problems: Problems
    ) -> None:
        self.sections = Sections(base, space.keys, problems)
        self.problems: dict[Problem, None] = {}
        self._space, self._objective, self._mark = space, objective, mark
        self._building = problems
        self._seen: dict[tuple[Mark, str], Seen] = {}
        self._judged: dict[tuple[int, ...], _Judged] = {}
        self._infos: dict[int, DatasetInfo | DataError] = {}
        self._own: dict[tuple[str, str], Any] = {}
        self.looked = 0  # settings

    def settle(self, number: int, chosen: Assignment, name: str) -> Candidate | None:
        """The setting; None, with its mistakes kept, where it has some."""
        self.looked += 1
        variants = self.sections.of(chosen)
        values = {key: plain(chosen[key]) for key in self._space.keys if key in chosen}
        found = [problem for variant in variants.values() for problem in variant.problems]
        if found or any(variant.value is INVALID for variant in variants.values()):
            self.problems.update(dict.fromkeys(found))
            return None
        place = tuple(id(variants[each]) for each in FIELDS if each not in UNSEEN)
        if place not in self._judged:
            self._judged[place] = self._judge(variants)
        judged = self._judged[place]
        faults = [*judged.faults, *self._unread(variants, chosen)]
        for path, message in faults:
            self._keep(path, message, variants, values)
        if faults or judged.config is None:
            return None
        return self._setting(number, values, judged.config, variants, name)

    def _judge(self, variants: Mapping[str, Variant]) -> _Judged:
        """Build the experiment; sections that only have names in common are not looked at again."""
        try:
            config = Config(**{FIELDS[key].name: each.value for key, each in variants.items()})
        except SettingError as error:
            return _Judged([((error.setting,), error.reason)], None)
        config = replace(config, claim=None)
        info = self._info(config, variants["data"])
        if isinstance(info, DataError):
            return _Judged([(data_setting(info, config.data.source), str(info))], None)
        config = with_default_evaluations(config, info)
        experiment, faults = build_and_check(config, info)
        if config.start_from:
            try:
                pretrained_weights(config.start_from)
            except DataError as error:
                faults.append((("start_from",), str(error)))
        if experiment is not None and not faults:
            faults = self._objective_faults(experiment)
        if faults:
            return _Judged(faults, None)
        config = with_batch_size(config)
        if config.train.threads is None:  # a trial has a core of its own, however many run
            config = replace(config, train=replace(config.train, threads=1))
        return _Judged([], config)

    def _info(self, config: Config, variant: Variant) -> DatasetInfo | DataError:
        if id(variant) not in self._infos:
            try:
                self._infos[id(variant)] = describe_data(config.data)
            except DataError as error:
                self._infos[id(variant)] = error
        return self._infos[id(variant)]

    def _objective_faults(self, experiment: Experiment) -> list[tuple[KeyPath, str]]:
        if self._objective is None:
            return []
        fault = self._objective.problem(experiment)
        return [(("grid", "objective"), f"`{self._objective.name}`: {fault}")] if fault else []

    def _unread(
        self, variants: Mapping[str, Variant], chosen: Assignment
    ) -> list[tuple[KeyPath, str]]:
        """Keys within named blocks that no layer of the setting uses."""
        keys = [self._space.keys[name] for name in chosen]
        within = [key for key in keys if key.steps[0].name == "blocks" and len(key.steps) > 1]
        used = _used(variants) if within else set()
        faults: list[tuple[KeyPath, str]] = []
        for key in within:
            block = key.steps[1].name
            if block not in used:
                message = f"no layer uses the block `{block}`: `{key.name}` is never read there"
                faults.append((("grid", "vary", key.name), message))
        return faults

    def _keep(
        self,
        path: KeyPath,
        message: str,
        variants: Mapping[str, Variant],
        values: Mapping[str, Any],
    ) -> None:
        """Count a mistake; it stands where the value that it is due to stands."""
        if path[0] == "grid":
            key = self._space.keys.get(str(path[-1]))
            mark = key.mark if key else self._mark
        else:
            mark = mark_of([variants[str(path[0])]], path, NOWHERE)
            mark = self._mark if mark == NOWHERE else mark
        message, _, advice = message.partition("\n")
        seen = self._seen.setdefault((mark, message), Seen(0, mark, advice, values))
        seen.count += 1

    def report(self) -> list[Problem]:
        """All mistakes, each once; what only some settings have says which."""
        found = list(self.problems)
        for (mark, message), seen in self._seen.items():
            advice = seen.advice
            if seen.count < self.looked:
                first = describe_values(seen.values)
                where = f"in {seen.count} of {self.looked} settings, the first: {first}"
                advice = f"{advice}\n{where}" if advice else where
            found.append(self._building.build(mark, message, advice))
        return found

    def _setting(
        self, number: int, values: Mapping[str, Any], config: Config,
        variants: Mapping[str, Variant], name: str,
    ) -> Candidate:  # fmt: skip
        own = {
            "name": config.name or name,
            "train": config.train,
            "evaluate": config.evaluate,
            "claim": None,
        }
        texts = []
        for key in FIELDS:
            value = own.get(key, variants[key].value)
            if key in own:  # made for this setting: what is the same is kept once
                value = self._own.setdefault((key, repr(value)), value)
            texts.append(self.sections.text(key, value))
        return Candidate(
            number,
            values,
            tuple(texts),
            config.train,
            config.schedule,
            config.data.source,
            config.start_from,
        )


def _used(variants: Mapping[str, Variant]) -> set[str]:
    """The blocks that the network uses, directly or through others."""
    blocks = variants["blocks"].value
    used: set[str] = set()
    waiting = list(_blocks_in(variants["network"].value))
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting += _blocks_in(blocks.get(name, ()))
    return used


def _blocks_in(value: Any) -> list[str]:
    """The names of all blocks used anywhere in layers."""
    if isinstance(value, BlockUse):
        return [value.name]
    if isinstance(value, Item):
        return _blocks_in(value.layer)
    if isinstance(value, list | tuple):
        return [name for each in value for name in _blocks_in(each)]
    if isinstance(value, EncoderDecoder) or fields_of(type(value)):
        return [n for each in fields_of(type(value)) for n in _blocks_in(getattr(value, each.name))]
    return []
