"""The campaign's faults come to pass where they should, and its checks notice what differs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.cases import Result, check_messages
from tests.faults.commands import Ended
from tests.faults.reference import Reference, difference

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, sys
from tests.faults.system_calls import Fault, SystemCalls
folder, action, at, for_good = sys.argv[1:]
calls = SystemCalls(folder, Fault(action, int(at), for_good == "True"))
calls.install()
codes = []
for name in "ab":
    try:
        with open(f"{folder}/{name}", "wb", 0) as file:
            file.write(b"12345678")
        os.rename(f"{folder}/{name}", f"{folder}/{name}{name}")
    except OSError as error:
        codes.append(error.errno)
print(calls.happened, *codes)
"""


@pytest.mark.parametrize(
    ("action", "at", "for_good", "code", "output", "files"),
    [
        ("ENOSPC", 1, False, 0, "True 28", {"bb": b"12345678"}),
        ("ENOSPC", 2, True, 0, "True 28 28", {"a": b""}),
        ("EIO", 3, False, 0, "True 5", {"a": b"12345678", "bb": b"12345678"}),
        ("EINTR", 2, False, 0, "True 4", {"a": b"12345678", "bb": b"12345678"}),
        ("EMFILE", 9, False, 0, "False", {"aa": b"12345678", "bb": b"12345678"}),
        ("KILL", 4, False, -9, "", {"a": b"12345678"}),
        ("TORN", 6, False, -9, "", {"aa": b"12345678", "b": b"1234"}),
    ],
)
def test_a_fault_at_a_call(
    action: str, at: int, for_good: bool, code: int, output: str, files: dict[str, bytes],
    tmp_path: Path,
) -> None:  # fmt: skip
    """Two files: create, write, close, rename each; EINTR comes at the close after the write."""
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), action, str(at), str(for_good)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (code, output), done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_the_checks_can_fail(tmp_path: Path) -> None:
    """A traceback and a missing run are failures."""
    result = Result("row")
    check_messages(result, Ended(1, "", "Traceback (most recent call last):"))
    assert len(result.failures) == 1
    assert "instead of" in difference(tmp_path, Reference({"status": "completed"}, []))
