"""The campaign of faults: `python -m tests.faults --kills 1000 --injections 1000 …`."""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.faults.cases import Result, run_case
from tests.faults.mutations import run_mutations
from tests.faults.reference import Workshop

NUMBERS = {
    "kills": ("kill", "signal"),
    "injections": ("injection", "injection", "injection", "limit"),
    "mutations": ("mutation",),
}
"""The kinds of cases that an option gives the number of, in turn."""


def main() -> int:
    """Run the campaign or a single case; 1 where something failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    for kind in NUMBERS:
        parser.add_argument(f"--{kind}", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--case", metavar="KIND/NUMBER", help="only this case")
    options = parser.parse_args()
    names = [options.case] if options.case else list(_names(options))
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="ldl-faults-", dir=parent))
    start = time.monotonic()
    try:
        results = list(_run(folder, names, options.seed, options.workers))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    failures = _print_table(results)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    minutes, cpu = (time.monotonic() - start) / 60, (used.ru_utime + used.ru_stime) / 60
    print(f"seed {options.seed}, {minutes:.1f} minutes, {cpu:.1f} of a core")
    missing = len(names) - len(results)
    if missing:
        print(f"{missing} cases have no result")
    return 1 if failures or missing else 0


def _names(options: argparse.Namespace) -> Iterator[str]:
    for option, kinds in NUMBERS.items():
        for number in range(getattr(options, option)):
            yield f"{kinds[number % len(kinds)]}/{number}"


def _run(folder: Path, names: list[str], seed: int, workers: int) -> Iterator[tuple[str, Result]]:
    """The results of the cases, which `workers` processes take in turn."""
    start, end = os.pipe()
    for worker in range(workers):
        if os.fork() == 0:
            os.close(start)
            _work(folder / str(worker), names[worker::workers], seed, end)
    os.close(end)
    with open(start, encoding="utf-8") as lines:
        for done, line in enumerate(lines, 1):
            name, row, failures = json.loads(line)
            for failure in failures:
                print(f"{name}: {row}: {failure}", flush=True)
            if done % 500 == 0:
                print(f"{done} of {len(names)}", file=sys.stderr, flush=True)
            yield name, Result(row, failures)
    for _ in range(workers):
        os.wait()


def _work(folder: Path, names: list[str], seed: int, output: int) -> None:
    """Run cases in this process, and write a line of JSON for each; does not return."""
    try:
        folder.mkdir()
        workshop = Workshop(folder)

        def report(name: str, row: str, failures: list[str]) -> None:
            os.write(output, (json.dumps([name, row, failures]) + "\n").encode())

        for name in names:
            if not name.startswith("mutation/"):
                result = run_case(workshop, name, seed)
                report(name, result.row, result.failures)
        mutations = [int(name.partition("/")[2]) for name in names if name.startswith("mutation/")]
        if mutations:
            run_mutations(workshop, mutations, seed, report)
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


def _print_table(results: list[tuple[str, Result]]) -> int:
    """Print how many cases of each row were tried and have failed; the number of failed ones."""
    tried = Counter(result.row for _, result in results)
    failed = Counter(result.row for _, result in results if result.failures)
    width = max(map(len, tried), default=0)
    print(f"{'fault':<{width}}  {'tried':>6}  {'failed':>6}")
    for row in sorted(tried):
        print(f"{row:<{width}}  {tried[row]:>6}  {failed[row]:>6}")
    print(f"{'all':<{width}}  {tried.total():>6}  {failed.total():>6}")
    return failed.total()


if __name__ == "__main__":
    sys.exit(main())
