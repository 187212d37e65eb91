"""Cases: a command that is disturbed, and what must hold afterwards."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.commands import Ended, Hang, ldl
from tests.faults.phases import NOT_BEGUN
from tests.faults.reference import Workshop, difference, remove_tree, single_run
from tests.faults.system_calls import FAILING, WRITING, Fault

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN = {"train": "resume", "resume": "resume", "grid": "grid"}  # what a user calls afterwards
CHANGING = (*WRITING, "truncate", "fsync", "rename", "unlink", "rmdir", "close")


@dataclass
class Result:
    """The row of the table that a case belongs to, and what failed."""

    row: str
    failures: list[str] = field(default_factory=list)

    def require(self, condition: bool, failure: str) -> None:
        """Note a failure unless the condition holds."""
        if not condition:
            self.failures.append(failure)


def run_case(workshop: Workshop, name: str, seed: int) -> Result:
    """Run the case `KIND/NUMBER`. The same seed and name give the same case."""
    kind, _, number = name.partition("/")
    rng = random.Random(f"{seed}/{name}")
    folder = workshop.folder / f"case-{kind.replace(' ', '-')}-{number}"
    try:
        return KINDS[kind](workshop, rng, folder.name)
    except Hang as error:
        return Result(kind, [f"hangs: {error}"])
    finally:
        remove_tree(folder)


# --- kills ----------------------------------------------------------------------------------


def kill(workshop: Workshop, rng: random.Random, name: str) -> Result:
    """kill -9 before a system call that changes files, or in the middle of a write."""
    command = rng.choice(("train", "resume", "grid"))
    numbers = workshop.references[command].numbers(lambda call: call in CHANGING)
    phase = rng.choice(sorted(numbers))
    torn = rng.random() < 0.3
    fault = Fault("TORN" if torn else "KILL", rng.choice(numbers[phase]))
    folder = workshop.case(name, command)
    ended, _ = workshop.faulty(folder, command, fault)
    result = Result(f"kill -9: {command}, {phase}")
    check_messages(result, ended)
    check_repeated(result, workshop, folder, command)
    return result


def send_signal(workshop: Workshop, rng: random.Random, name: str) -> Result:
    """SIGINT, SIGTERM or SIGHUP at any moment of the command's own Python code."""
    command = rng.choice(("train", "resume", "grid"))
    moments = workshop.references[command].moments
    phase, number = rng.choice(sorted(moments)), rng.choice(SIGNALS)
    at = rng.randint(1, moments[phase])
    folder = workshop.case(name, command)
    from tests.faults.phases import Moments

    ended = workshop.run(folder, command, Moments(phase, at, number).start)
    result = Result(f"{number.name}: {command}, {phase}")
    check_messages(result, ended)
    codes = (0, 128 + number, -number)
    result.require(ended.code in codes, f"exit code {ended.code}: {ended.err[-300:]}")
    reference = workshop.references[command]
    if ended.code == 0:
        result.require(not (text := difference(folder / "runs", reference)), f"done, but {text}")
        return result
    run = single_run(folder / "runs")
    if command != "grid" and run is not None and (run / "status.json").exists():
        status = json.loads((run / "status.json").read_text())["status"]
        result.require(status == "interrupted", f"exit code {ended.code}, status {status}")
        is_early = ended.code == -number or (folder / NOT_BEGUN).exists()  # no folder is known
        has_hint = "ldl resume" in ended.err
        result.require(has_hint or is_early, f"no hint to resume: {ended.err[-300:]}")
    check_repeated(result, workshop, folder, command)
    return result


# --- errors of the system -------------------------------------------------------------------


def inject(workshop: Workshop, rng: random.Random, name: str) -> Result:
    """A system call fails, once or for good."""
    command = rng.choice(("train", "train", "resume", "grid"))
    error, for_good = rng.choice(sorted(FAILING)), rng.random() < 0.5
    numbers = workshop.references[command].numbers(lambda call: call in FAILING[error])
    at = rng.choice(numbers[rng.choice(sorted(numbers))])
    folder = workshop.case(name, command)
    ended, happened = workshop.faulty(folder, command, Fault(error, at, for_good))
    row = f"{error} {'for good' if for_good else 'once'}: {command}"
    result = Result(row if happened else f"not reached: {command}")
    check_messages(result, ended)
    check_failed(result, workshop, folder, command, ended, writable=not for_good)
    return result


def limit(workshop: Workshop, rng: random.Random, name: str) -> Result:
    """Too little memory, too few descriptors, or a limit of the size of files."""
    command = rng.choice(("train", "resume", "grid"))
    kind = rng.choice(("memory", "descriptors", "file size"))

    def restrict() -> None:
        if kind == "memory":
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, [used + rng.randint(0, 30 << 20)] * 2)
        elif kind == "descriptors":
            used = max(map(int, os.listdir("/proc/self/fd")))
            resource.setrlimit(resource.RLIMIT_NOFILE, [used + rng.randint(0, 8)] * 2)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, [rng.randint(0, 8000)] * 2)

    folder = workshop.case(name, command)
    ended = workshop.run(folder, command, restrict)
    result = Result(f"limit of {kind}: {command}")
    check_messages(result, ended)
    check_failed(result, workshop, folder, command, ended, writable=False)
    return result


# --- what must hold -------------------------------------------------------------------------


def check_messages(result: Result, ended: Ended) -> None:
    """A user sees no traceback."""
    for sign in ("Traceback", "Exception ignored", "--- Logging error"):
        result.require(sign not in ended.err, f"{sign}: {ended.err[-900:]}")


def check_failed(
    result: Result, workshop: Workshop, folder: Path, command: str, ended: Ended, writable: bool
) -> None:
    """A command that the system has failed: message, exit code, status, and a folder to go on.

    `writable` says whether the command could still write its status.
    """
    code = ended.code
    if code == 0:
        text = difference(folder / "runs", workshop.references[command])
        result.require(not text, f"exit code 0, but {text}; {ended.err[-300:]}")
    elif command == "grid":
        result.require(code in (1, 3), f"exit code {code}: {ended.err[-300:]}")
        result.require(bool(ended.err.strip()), "no message")
    else:
        result.require(code == 1, f"exit code {code}: {ended.err[-300:]}")
        result.require(bool(ended.err.strip()), "no message")
        run = single_run(folder / "runs")
        if run is not None:
            is_named = run.name in ended.err or (folder / NOT_BEGUN).exists()
            result.require(is_named, f"no folder: {ended.err[-300:]}")
            check_status(result, run, writable)
        if "`ldl report " in ended.err:
            page = ldl("report", "last", "--runs", "runs", folder=folder)
            result.require(page.code == 0, f"`report` afterwards: {page.err}")
    check_repeated(result, workshop, folder, command)


def check_status(result: Result, run: Path, written: bool) -> None:
    """status.json does not say `running`, if it could be written."""
    path = run / "status.json"
    if written and path.exists():
        status = json.loads(path.read_text())["status"]
        result.require(status != "running" or not written, f"status {status}")


def check_repeated(result: Result, workshop: Workshop, folder: Path, command: str) -> None:
    """Resumed, or called again, the command leaves what it leaves undisturbed."""
    again = AGAIN[command]
    run = single_run(folder / "runs")
    if again == "resume" and run is None:
        again = "train"
    ended = workshop.run(folder, again)
    is_done = ended.code == 2 and "is completed: there is nothing left" in ended.err
    result.require(ended.code == 0 or is_done, f"`{again}`: {ended.code} {ended.err[-600:]}")
    check_messages(result, ended)
    text = difference(folder / "runs", workshop.references[again])
    result.require(not text, f"after `{again}`: {text}")


KINDS = {"kill": kill, "signal": send_signal, "injection": inject, "limit": limit}
