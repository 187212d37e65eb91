"""Which tests of a room execute which lines, measured again for test files that changed."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
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
class Batch:
    """A measurement: a data file of coverage, the test files with their hashes, and the tests."""

    path: Path
    files: dict[str, str]
    tests: dict[str, dict[str, Any]]

    @cached_property
    def data(self) -> coverage.CoverageData:
        """The lines that each test executes."""
        data = coverage.CoverageData(str(self.path))
        data.read()
        return data


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
    def test_files(self) -> dict[str, str]:
        """The test files of the package, and a hash of each."""
        files = (self.copy / "tests" / self.name).rglob("test_*.py")
        return {str(p.relative_to(self.copy)): digest([p]) for p in sorted(files)}

    @cached_property
    def prefix(self) -> str:
        """The name of measurements of the package, with a hash of it and of what tests share."""
        shared = [self.copy / "tests/conftest.py", *(self.copy / "tests" / self.name).rglob("*.py")]
        shared = [path for path in shared if not path.name.startswith("test_")]
        return f"{self.name}-{digest([self.copy / file for file in sorted(self.files)] + shared)}-"

    def measure(self) -> None:
        """Run the fast tests of the room with coverage of each, those files that changed alone.

        Tests that fail without a change are left out. Raises `SystemExit` where none can run.
        """
        known = {item for batch in self.batches() for item in batch.files.items()}
        missing = [file for file, hash in self.test_files.items() if (file, hash) not in known]
        if not missing:
            return
        CACHE.mkdir(parents=True, exist_ok=True)
        data = CACHE.resolve() / f"{self.prefix}{digest(self.copy / file for file in missing)}"
        measured = data.with_suffix(".tests")
        command = [sys.executable, "-m", "coverage", "run", f"--source=ldl/{self.name}",
                   f"--data-file={data}", "-m", "pytest", "-q", "-m", FAST,
                   "-p", "tests.mutants.plugin", *missing]  # fmt: skip
        environment = os.environ | {
            "PYTHONPATH": python_path(self.copy),
            "MUTANTS_TESTS": str(measured),
        }
        done = subprocess.run(
            command, cwd=self.copy, env=environment, capture_output=True, text=True
        )
        if done.returncode not in (0, 1, 5):  # 1: a test failed; 5: no fast test in these files
            sys.exit(f"the tests of {self.name} cannot be measured:\n{done.stdout[-2000:]}")
        content = json.loads(measured.read_text())
        for test in content.pop("failed"):
            print(f"left out, for it fails without a change: {test}", flush=True)
        content["files"] = {file: self.test_files[file] for file in missing}
        data.with_suffix(".json").write_text(json.dumps(content))
        measured.unlink()

    def batches(self) -> list[Batch]:
        """The measurements of the package as it is, of test files as they were then."""
        paths = sorted(CACHE.resolve().glob(f"{self.prefix}*.json"))
        return [Batch(path.with_suffix(""), **json.loads(path.read_text())) for path in paths]

    @cached_property
    def current(self) -> list[tuple[Batch, set[str]]]:
        """The measurements, each with the tests of files that have not changed since."""
        result, seen = [], set()
        for batch in self.batches():
            files = {f for f, hash in batch.files.items() if self.test_files.get(f) == hash} - seen
            seen |= files
            result.append((batch, {t for t in batch.tests if t.partition("::")[0] in files}))
        return result

    @cached_property
    def tests(self) -> dict[str, dict[str, Any]]:
        """Seconds of each test, and whether it starts processes, which coverage does not see."""
        return {test: batch.tests[test] for batch, tests in self.current for test in tests}

    def contexts(self, path: str) -> dict[int, set[str]]:
        """The tests that execute each line of a file."""
        result: dict[int, set[str]] = {}
        for batch, tests in self.current:
            for line, contexts in batch.data.contexts_by_lineno(path).items():
                result[line] = result.get(line, set()) | (tests & set(contexts))
        return result

    def select(self, path: str, line: int) -> list[str]:
        """The tests that execute a line, then those that start processes; the likeliest first.

        A line outside of functions is executed on import: it counts as executed by the tests of
        its class or file, and by those of limits and defaults. Where no test executes a function,
        other processes may: the tests that start them come first, then all others of the room.
        """
        contexts = self.contexts(path)
        tests: set[str] = set()
        nested = spans(ast.parse((self.copy / path).read_text()), line)
        for first, last, is_function in nested:
            tests = {t for n, ts in contexts.items() if first <= n <= last for t in ts}
            if tests or is_function:
                break
        if not any(first <= line <= last for first, last, is_function in nested if is_function):
            tests |= {test for test in self.tests if "/test_settings.py::" in test}
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


def digest(paths: Iterable[Path]) -> str:
    """A hash of the files' contents."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()[:12]


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
