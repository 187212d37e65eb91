"""Mutated configurations, run folders, weights and data files: an answer or an error, never more.

Many cases run in one forked process, without a process for each.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import random
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.commands import EXPERIMENT, Ended
from tests.faults.mutators import mutate_bytes, mutate_file, mutate_text
from tests.faults.reference import Workshop

CONFIGS = sorted(Path(__file__).parents[2].glob("configs/*.yaml"))
PER_PROCESS = 200
SECONDS = 20  # after which a command hangs
MEMORY = 4 << 30  # bytes of address space
FOLDER_COMMANDS = (
    ("show", "RUN"), ("evaluate", "RUN"), ("predict", "RUN", "new.csv"), ("report", "RUN"),
    ("resume", "RUN"), ("verify", "RUN"), ("runs", "--runs", "runs"), ("show", "RUN", "--json"),
    ("runs", "RUN", "OTHER"), ("train", "start.yaml", "--runs", "new", "--quiet"),
)  # fmt: skip
TABLE = """\
name: table
data: {source: {csv: {path: data.csv, target: y}}, scale: standard}
network: [{linear: 3}, tanh, linear]
train: {epochs: 1, batch_size: 16, threads: 1}
evaluate: []
"""
ARRAYS = TABLE.replace("csv: {path: data.csv, target: y}", "npz: {path: data.npz}")


class Hangs(BaseException):
    """A command takes too long."""


class MutationBench:
    """Sound files, in a folder of a workshop, and commands on changed copies of them."""

    def __init__(self, workshop: Workshop) -> None:
        self.folder = workshop.folder / "mutations"
        self.folder.mkdir()
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(40, 2)).round(3), rng.integers(0, 2, 40)
        rows = [f"{a},{b},{'no' if c else 'yes'}" for (a, b), c in zip(x, y, strict=True)]
        self.table = "\n".join(["a,b,y", *rows]) + "\n"
        arrays = io.BytesIO()
        np.savez(arrays, x=x, y=y)
        self.arrays = arrays.getvalue()
        reference = workshop.folder / "reference-train" / "runs"
        self.runs = {
            "completed": next(reference.glob("2*")),
            "interrupted": next((workshop.folder / "interrupted").glob("2*")),
        }
        self.sound = self._outputs()

    def _outputs(self) -> str:
        """What `predict` prints for the sound run."""
        self._fill("completed")
        return self._call("predict", "RUN", "new.csv").out

    def _fill(self, kind: str) -> Path:
        """Make the folder of cases new, with a run of this kind; gives the run's folder."""
        os.chdir(self.folder)
        shutil.rmtree("case", ignore_errors=True)
        run = Path("case/runs") / self.runs[kind].name
        shutil.copytree(self.runs[kind], run)
        os.chdir("case")
        Path("new.csv").write_text("x1,x2\n0.5,1\n-1,2\n")
        Path("start.yaml").write_text(f"start_from: {Path('runs') / run.name}\n{EXPERIMENT}")
        return Path("runs") / run.name

    def _call(self, *arguments: str) -> Ended:
        """Run a command in this process."""
        run = str(next(Path("runs").iterdir())) if Path("runs").exists() else ""
        other = str(self.runs["completed"])
        names = {"RUN": run, "OTHER": other}
        sys.argv = ["ldl", *(names.get(argument, argument) for argument in arguments)]
        out, err = io.StringIO(), io.StringIO()
        signal.alarm(SECONDS)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = _call_main()
        finally:
            signal.alarm(0)
        return Ended(code, out.getvalue(), err.getvalue())

    def config(self, rng: random.Random) -> Iterator[str]:
        """`check` of a changed configuration."""
        file = rng.choice((*CONFIGS, None))
        text = mutate_text(rng, file.read_text() if file else EXPERIMENT)
        os.chdir(self.folder)
        Path("mutated.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
        ended = self._call("check", "mutated.yaml")
        yield from _plain(ended, (0, 2))
        if ended.code == 2 and not ended.err.strip():
            yield "exit code 2 without a message"

    def run_folder(self, rng: random.Random) -> Iterator[str]:
        """Commands on a run folder of which one file is changed, removed or a folder."""
        run = self._fill(rng.choice(("completed", "completed", "interrupted")))
        file = rng.choice(sorted(path for path in run.rglob("*") if path.is_file()))
        kind = rng.random()
        if kind < 0.85:
            file.write_bytes(mutate_file(rng, file.name, file.read_bytes()))
        else:
            file.unlink()
            if kind > 0.93:
                file.mkdir()
        command = rng.choice(FOLDER_COMMANDS)
        for failure in _plain(self._call(*command), (0, 1, 2)):
            yield f"{' '.join(command)}, {file.name}: {failure}"

    def weights(self, rng: random.Random) -> Iterator[str]:
        """`predict` and others with changed weights; half of them have a checksum that fits."""
        run = self._fill("completed")
        file = run / "model.safetensors"
        data = mutate_bytes(rng, file.read_bytes())
        is_changed = data != file.read_bytes()
        file.write_bytes(data)
        is_forged = rng.random() < 0.5
        if is_forged:
            checksum = f"{hashlib.sha256(data).hexdigest()}  {file.name}\n"
            file.with_name(f"{file.name}.sha256").write_text(checksum)
        command = rng.choice((FOLDER_COMMANDS[1], FOLDER_COMMANDS[2], FOLDER_COMMANDS[9]))
        ended = self._call(*command)
        yield from _plain(ended, (0, 1, 2))
        if is_changed and not is_forged and ended.code == 0:
            yield f"{command[0]} accepts weights that do not fit their checksum"

    def data(self, rng: random.Random) -> Iterator[str]:
        """`train` or `predict` with a changed table or changed arrays."""
        run = self._fill("completed")
        csv = rng.random() < 0.5
        table = mutate_file(rng, "data.csv", self.table.encode())
        Path("data.csv").write_bytes(table)
        Path("data.npz").write_bytes(mutate_bytes(rng, self.arrays))
        Path("data.yaml").write_text(TABLE if csv else ARRAYS)
        command = rng.choice(
            (("train", "data.yaml", "--runs", "new", "--quiet"), ("check", "data.yaml"),
             ("predict", str(run), "data.csv" if csv else "data.npz"))
        )  # fmt: skip
        yield from _plain(self._call(*command), (0, 1, 2))


def _call_main() -> int:
    """The exit code of `main`; an uncaught exception is printed as the interpreter does it."""
    from ldl.cli import main

    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Hangs:
        return -signal.SIGALRM
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _plain(ended: Ended, codes: tuple[int, ...]) -> Iterator[str]:
    if ended.code not in codes:
        yield f"exit code {ended.code}: {ended.err[-300:]}"
    if "Traceback" in ended.err or "Warning: " in ended.err:
        yield f"traceback: {ended.err[-1500:]}"


KINDS: dict[str, Callable[[MutationBench, random.Random], Iterator[str]]] = {
    "configuration": MutationBench.config,
    "run folder": MutationBench.run_folder,
    "weights": MutationBench.weights,
    "data file": MutationBench.data,
}


def run_mutations(
    workshop: Workshop, numbers: list[int], seed: int, report: Callable[[str, str, list[str]], Any]
) -> None:
    """Run the mutations with these numbers, in processes that are forked from this one.

    `report` gets the name, the row of the table and the failures of each. A process that crashes
    is a failure of the case that it was at.
    """
    bench = MutationBench(workshop)
    for start in range(0, len(numbers), PER_PROCESS):
        batch = numbers[start : start + PER_PROCESS]
        while batch:
            progress, output = os.pipe()
            pid = os.fork()
            if pid == 0:
                _work(bench, batch, seed, output)
            os.close(output)
            done = 0
            with open(progress, encoding="utf-8") as lines:
                for line in lines:
                    name, row, failures = eval(line)
                    report(name, row, failures)
                    done += 1
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if status != 0 or done < len(batch):
                name, row = f"mutation/{batch[done]}", f"mutated {_kind(batch[done])}"
                report(name, row, [f"the process ended with {status}"])
                done += 1
            batch = batch[done:]


def _kind(number: int) -> str:
    return list(KINDS)[number % len(KINDS)]


def _work(bench: MutationBench, batch: list[int], seed: int, output: int) -> None:
    """Run cases in this process; does not return."""

    def hang(*_: object) -> None:
        raise Hangs

    code = 1
    try:
        signal.signal(signal.SIGALRM, hang)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1):
            os.dup2(null, descriptor)
        for number in batch:
            name, kind = f"mutation/{number}", _kind(number)
            rng = random.Random(f"{seed}/{name}")
            try:
                failures = list(KINDS[kind](bench, rng))
            except Hangs:
                failures = [f"not ended after {SECONDS} s"]
            os.write(output, f"{(name, f'mutated {kind}', failures)!r}\n".encode())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
