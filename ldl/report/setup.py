"""The setup that a document reports, compared with the resolved configuration of a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from ldl.compile import Config, Experiment
from ldl.config import Mark, to_builtins
from ldl.config.grammar import Grammar
from ldl.config.load import UncheckedConfig, check_config
from ldl.config.override_paths import AbsentPath, OverridePathError, PathStep, PathWriter, to_tree
from ldl.config.problems import ProblemCollector
from ldl.config.type_rules import Record
from ldl.errors import ConfigError, Problem
from ldl.execute import REGISTRIES, PreparedExperiment

EXPLAINED: Final = ("reported", "because")  # the keys of a setting that differs on purpose
INDEX: Final = re.compile("[0-9]+")


@dataclass(frozen=True)
class ReportedSetting:
    """A reported setting beside ours; `ours` is None where we have nothing of the kind."""

    path: str
    reported: Any
    ours: Any
    differs: bool
    because: str = ""


def compare_setup(prepared: PreparedExperiment) -> tuple[ReportedSetting, ...]:
    """The reported settings of a file's claim, in their order, beside those of the file.

    Values are compared as the language reads them, so that 1e-3 is 0.001, `sgd` agrees with every
    sgd, and `linear: 64` with every linear layer of 64 units. Raises ConfigError with the positions
    of all paths and values that the language does not have.
    """
    claim = prepared.experiment.config.claim
    if claim is None or not claim.setup:
        return ()
    comparison = _Comparison(prepared)
    settings = [comparison.setting(path, value) for path, value in claim.setup.items()]
    if comparison.problems:
        raise ConfigError(comparison.problems)
    return tuple(setting for setting in settings if setting is not None)


class _Comparison:
    """Lays each reported setting over the resolved configuration, and looks whether it changes."""

    def __init__(self, prepared: PreparedExperiment) -> None:
        self.loaded = prepared.loaded
        self.config = replace(prepared.experiment.config, claim=None, start_from=None)
        self.resolved = _with_sizes(to_builtins(self.config, REGISTRIES), prepared.experiment)
        self.grammar = Grammar(REGISTRIES, dict.fromkeys(self.config.blocks, Mark("", 0, 0)))
        self.problems: list[Problem] = []

    def setting(self, path: str, value: Any) -> ReportedSetting | None:
        """One setting; None where nothing is reported of it, or with a problem recorded."""
        mark, because = self.loaded.mark(("claim", "setup", path)), ""
        if isinstance(value, dict) and "reported" in value:
            because = value.get("because") or ""
            if not isinstance(because, str) or not because or value.keys() - {*EXPLAINED}:
                message = "a setting that differs is `{reported: VALUE, because: WHY}`"
                self.problems.append(self.loaded.problem_at(mark, message))
                return None
            value = value["reported"]
        elif value is None:
            return None
        try:
            differs = any(self._changes(*entry) for entry in self._entries(path, value, mark))
        except ConfigError as error:
            self.problems += error.problems
            return None
        except OverridePathError as error:
            self.problems.append(self.loaded.problem_at(*error.args))
            return None
        ours = _at(self.resolved, path.split("."))
        return ReportedSetting(path, value, ours, differs, because)

    def _entries(self, path: str, value: Any, mark: Mark) -> Iterator[tuple[str, Any, Mark]]:
        """The setting; of a list that is as long as ours, one for each item."""
        ours = _at(self.resolved, path.split("."))
        if isinstance(value, list) and isinstance(ours, list) and len(value) == len(ours) > 0:
            for i, item in enumerate(value):
                yield from self._entries(f"{path}.{i}", item, mark)
        elif isinstance(ours, list) and len(ours) == 1 and not isinstance(value, list):
            yield from self._entries(f"{path}.0", value, mark)
        else:
            yield path, value, mark

    def _changes(self, path: str, value: Any, mark: Mark) -> bool:
        """Whether the configuration is another one with this setting.

        A part of something that we do not have (sgd.momentum where we use adam) is a change; it is
        checked with that thing in place. Raises OverridePathError or ConfigError.
        """
        steps = tuple(PathStep(name.strip(), mark) for name in path.split("."))
        tree, absent = to_tree(self.resolved, mark), False
        while True:
            try:
                tree = PathWriter(steps, to_tree(value, mark), self.grammar).write(
                    tree, Record(Config), 0
                )
                break
            except AbsentPath as error:
                absent, depth = True, error.depth
                if INDEX.fullmatch(steps[depth].name):
                    return True
                choice = to_tree({steps[depth].name: None}, mark)
                tree = PathWriter(steps[:depth], choice, self.grammar).write(
                    tree, Record(Config), 0
                )
        problems = ProblemCollector()
        problems.sources = self.loaded.sources
        changed = check_config(UncheckedConfig(tree, "", problems), Config, REGISTRIES).value
        return absent or to_builtins(changed, REGISTRIES) != self.resolved


def _with_sizes(resolved: Any, experiment: Experiment) -> Any:
    """The resolved configuration with the units of the layers that take the targets' size."""
    for node, path in experiment.origins.items():
        item = _at(resolved, [str(step) for step in path])
        for settings in item.values() if isinstance(item, dict) else ():
            if isinstance(settings, dict) and settings.get("units", 0) is None:
                settings["units"] = experiment.graph.specs[node].shape[-1]
    return resolved


def _at(tree: Any, steps: list[str]) -> Any:
    """The value at a path, or the nearest above it that differs in kind; None without one."""
    for i, step in enumerate(steps):
        if isinstance(tree, list) and len(tree) == 1 and not INDEX.fullmatch(step):
            tree = tree[0]
        if isinstance(tree, list) and INDEX.fullmatch(step):
            tree = tree[int(step)] if int(step) < len(tree) else None
        elif isinstance(tree, dict):
            if step not in tree:
                return tree if i and len(tree) == 1 else None
            tree = tree[step]
        else:
            return tree if i else None
    return tree
