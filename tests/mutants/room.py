"""Which tests of a room execute which lines, measured once for each state of its files."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import coverage

from tests.mutants.trial import python_path

FAST = "not slow and not external and not browser"
CACHE = Path("build/mutants")
ENOUGH = 20.0  # seconds of tests; a change that so many let pass counts as survived


@dataclass(frozen=True)
class Room:
    """A package of ldl with its tests, in a copy of the tree that has been measured."""

    name: str
    copy: Path

    @cached_property
    def files(self) -> list[str]:
        """The modules of the package."""
        return [
            str(p.relative_to(self.copy)) for p in (self.copy / "ldl" / self.name).rglob("*.py")
        ]

    @cached_property
    def cache(self) -> Path:
        """The file of the measurement, named for the contents of the package and its tests."""
        digest = hashlib.sha256()
        for folder in ("ldl", "tests"):
            for path in sorted((self.copy / folder / self.name).rglob("*.py")):
                digest.update(path.read_bytes())
        return CACHE.resolve() / f"{self.name}-{digest.hexdigest()[:12]}"

    def measure(self) -> None:
        """Run the fast tests of the room once, with coverage of each test, unless that was done.

        Raises `SystemExit` where they fail.
        """
        if self.cache.with_suffix(".json").exists():
            return
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "coverage", "run", f"--source=ldl/{self.name}",
                   f"--data-file={self.cache}", "-m", "pytest", "-q", "-m", FAST,
                   "-p", "tests.mutants.plugin", f"tests/{self.name}"]  # fmt: skip
        environment = os.environ | {
            "PYTHONPATH": python_path(self.copy),
            "MUTANTS_TESTS": f"{self.cache}.json",
        }
        done = subprocess.run(
            command, cwd=self.copy, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"the tests of {self.name} fail without a change:\n{done.stdout[-2000:]}")

    @cached_property
    def tests(self) -> dict[str, dict[str, Any]]:
        """Seconds of each test, and whether it starts processes, which coverage does not see."""
        tests: dict[str, dict[str, Any]] = json.loads(self.cache.with_suffix(".json").read_text())
        return tests

    @cached_property
    def data(self) -> coverage.CoverageData:
        """The lines that each test executes."""
        data = coverage.CoverageData(str(self.cache))
        data.read()
        return data

    def select(self, path: str, line: int) -> list[str]:
        """The tests that execute a line, then those that start processes; the likeliest first.

        A line outside of functions is executed on import: it counts as executed by the tests of
        its class or file. Where no test executes a function, other processes may: the tests that
        start them come first, then all others of the room.
        """
        contexts = self.data.contexts_by_lineno(path)
        tests: set[str] = set()
        for first, last, is_function in spans(ast.parse((self.copy / path).read_text()), line):
            tests = {t for n, ts in contexts.items() if first <= n <= last for t in ts}
            tests &= set(self.tests)
            if tests or is_function:
                break
        starting = {test for test, facts in self.tests.items() if facts["processes"]}
        groups = [tests, starting - tests] if tests else [starting, set(self.tests) - starting]
        ordered = [test for group in groups for test in self.ordered(path, group)]
        seconds = accumulate(self.tests[test]["seconds"] for test in ordered)
        return [test for test, total in zip(ordered, seconds, strict=True) if total < ENOUGH]

    def ordered(self, path: str, tests: set[str]) -> list[str]:
        """The module's own test file first, then quick files; one case of each table first."""
        own = f"tests/{'/'.join(path.split('/')[1:-1])}/test_{Path(path).name}"
        seconds: Counter[str] = Counter()  # of a file
        rounds: dict[str, int] = {}
        cases: Counter[str] = Counter()  # of a table
        for test in sorted(tests, key=lambda t: self.tests[t]["seconds"]):
            file, table = test.partition("::")[0], test.partition("[")[0]
            seconds[file] += self.tests[test]["seconds"]
            rounds[test] = cases[table]
            cases[table] += 1

        def rank(test: str) -> tuple[bool, float, str, int, float]:
            file = test.partition("::")[0]
            return file != own, seconds[file], file, rounds[test], self.tests[test]["seconds"]

        return sorted(tests, key=rank)


def spans(tree: ast.AST, line: int) -> list[tuple[int, int, bool]]:
    """The line, the statements around it, innermost first, and the file.

    Each is its first and last line, for functions those of the body, and whether it is a function.
    """
    result = [(line, line, False), (1, sys.maxsize, False)]
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.stmt)
            and node.end_lineno
            and node.lineno <= line <= node.end_lineno
        ):
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            first = node.body[0].lineno if is_function else node.lineno  # type: ignore[attr-defined]
            result.append((first, node.end_lineno, is_function))
    return sorted(result, key=lambda span: span[1] - span[0])
