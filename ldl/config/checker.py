"""The state of one check: which rules apply, where each value is written, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from ldl.config.describe import conversion_hint, describe_rule, describe_value
from ldl.config.grammar import Grammar
from ldl.config.problems import ProblemCollector
from ldl.config.reader import MAX_DEPTH
from ldl.config.tree import INVALID, KeyPath, Mark, Tree
from ldl.config.type_rules import Rule
from ldl.errors import Problem

# The resolved file writes out what shorthands leave out and must itself be readable.
MAX_PATH: Final = MAX_DEPTH - 10

CheckFunction = Callable[["Checker", Tree, Any, KeyPath], Any]


class Checker:
    """Turns trees into typed values; records every problem and goes on.

    `check` returns `INVALID` for a value that is wrong; whatever contains it is then `INVALID`
    too, and no second problem is recorded. `marks` maps each path of the resolved configuration
    to where its value is written. `partial` says that an extended file is missing, so that no
    setting is reported as missing. `ignored_sections` are top-level keys that nothing checks.
    `warnings` holds one note for each former name that the configuration uses. Of the
    records at the paths in `partly`, settings that are wrong are left out and collected in
    `dropped`; layers that are wrong then become `Unchecked`.
    """

    def __init__(
        self,
        grammar: Grammar,
        problems: ProblemCollector,
        checks: Mapping[type, CheckFunction],
        partial: bool = False,
        ignored_sections: Collection[str] = (),
        partly: Collection[KeyPath] = (),
    ) -> None:
        self.grammar = grammar
        self.problems = problems
        self.partial = partial
        self.ignored_sections = ignored_sections
        self.marks: dict[KeyPath, Mark] = {}
        self.block_uses: list[tuple[str, str, Mark]] = []
        self.warnings: list[Problem] = []
        self.partly = partly
        self.dropped: set[KeyPath] = set()
        self._checks = checks

    def check(self, tree: Tree, rule: Rule, path: KeyPath) -> Any:
        """The typed value of `tree` by `rule`, or INVALID."""
        if tree.value is INVALID:
            return INVALID
        if len(path) > MAX_PATH:
            message = f"nested more than {MAX_PATH} deep when written out"
            return self.reject(tree.mark, message)
        self.marks.setdefault(path, tree.mark)
        return self._checks[type(rule)](self, tree, rule, path)

    def reject(self, mark: Mark, message: str, hint: str = "") -> Any:
        """Record a problem at `mark`; returns INVALID."""
        self.problems.add(mark, message, hint)
        return INVALID

    def reject_type(self, tree: Tree, rule: Rule, hint: str = "") -> Any:
        """Record that a value of another type is expected; returns INVALID."""
        message = f"expected {describe_rule(rule)}, found {describe_value(tree)}"
        return self.reject(tree.mark, message, hint or conversion_hint(tree, rule))

    def warn_former_name(self, mark: Mark, former: str, name: str) -> None:
        """Note, once for each former name, that another one is the documented one."""
        message = f"`{former}` is now called `{name}`; the former name still works"
        if all(warning.message != message for warning in self.warnings):
            self.warnings.append(self.problems.make_problem(mark, message))
