"""System calls on the files of a case: counted, recorded, and made to fail or to kill.

Python's own functions for files are replaced in this process and those that it forks, so that a
case needs no compiler and no tracer. Calls of C libraries pass by; `ldl` writes through Python.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import mmap
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults import phases

WRITING = ("create", "write", "mkdir", "link")  # need space on the disk
NAMES = ("mkdir", "rename", "link", "unlink", "rmdir")
ALL = ("open", "create", "read", "write", "truncate", "fsync", "close", "flock", "stat", *NAMES)
FAILING = {
    "EIO": ALL,
    "ENOSPC": (*WRITING, "fsync"),
    "EMFILE": ("open", "create"),
    "EINTR": ("close", *NAMES),  # Python repeats the others itself (PEP 475)
}
"""The calls that an error can come from, by its name."""


@dataclass(frozen=True)
class Fault:
    """What happens at call number `at` (from 1) or the first one after it that can fail so.

    `action` is KILL, TORN (half of a write, then a kill) or the name of an error.
    """

    action: str
    at: int
    for_good: bool = False  # every later call that can fail so fails too


class SystemCalls:
    """The calls on paths below `root`, of all processes that are forked from here."""

    def __init__(self, root: str, fault: Fault | None = None, record: str | None = None) -> None:
        self.root, self.fault = root + "/", fault
        self._shared = memoryview(mmap.mmap(-1, 16)).cast("q")  # calls, and whether it happened
        self._record = None
        if record is not None:
            self._record = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.originals = {name: getattr(os, name) for name in (*PATCHED, "write", "close")}

    @property
    def happened(self) -> bool:
        """Whether the fault came to pass."""
        return bool(self._shared[1])

    def before(self, call: str, where: Any, torn: Callable[[], Any] | None = None) -> None:
        """Count a call on a path or a descriptor; kill, or raise OSError, where that is due."""
        if not self._is_ours(where):
            return
        self._shared[0] += 1
        if self._record is not None:
            self.originals["write"](self._record, f"{call} {phases.current()}\n".encode())
        fault = self.fault
        if fault is None or self._shared[0] < fault.at:
            return
        if fault.action in ("KILL", "TORN"):
            if fault.action == "TORN" and torn is not None:
                torn()
            self._shared[1] = 1
            os.kill(os.getpid(), signal.SIGKILL)
        if call in FAILING[fault.action] and (fault.for_good or not self.happened):
            self._shared[1] = 1
            number = getattr(errno, fault.action)
            raise OSError(number, os.strerror(number), None if isinstance(where, int) else where)

    def _is_ours(self, where: Any) -> bool:
        try:
            path = os.readlink(f"/proc/self/fd/{where}") if isinstance(where, int) else where
            return os.path.abspath(os.fsdecode(path)).startswith(self.root)
        except (OSError, TypeError, ValueError):
            return False

    def install(self) -> None:
        """Replace the functions of this process."""
        for name, (call, argument) in PATCHED.items():
            setattr(os, name, self._counting(getattr(os, name), call, argument))
        os.open = self._opening(os.open)  # type: ignore[assignment]
        os.close = self._closing  # type: ignore[assignment]
        fcntl.flock = self._counting(fcntl.flock, "flock", 0)
        builtins.open = io.open = _Opener(self, io.open)  # type: ignore[assignment]

    def _counting(self, function: Callable[..., Any], call: str, argument: int) -> Any:
        def counting(*arguments: Any, **options: Any) -> Any:
            where = arguments[argument]
            if hasattr(where, "fileno"):
                where = where.fileno()
            self.before(call, _absolute(where, options.get("dir_fd")))
            return function(*arguments, **options)

        return counting

    def _opening(self, function: Callable[..., int]) -> Any:
        def opening(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
            where = _absolute(path, options.get("dir_fd"))
            self.before("create" if flags & os.O_CREAT else "open", where)
            return function(path, flags, *arguments, **options)

        return opening

    def _closing(self, descriptor: int) -> None:
        failure = None
        try:
            self.before("close", descriptor)
        except OSError as error:  # Linux closes the descriptor all the same
            failure = error
        self.originals["close"](descriptor)
        if failure is not None:
            raise failure


PATCHED = {
    "write": ("write", 0),
    "read": ("read", 0),
    "fsync": ("fsync", 0),
    "ftruncate": ("truncate", 0),
    "mkdir": ("mkdir", 0),
    "rename": ("rename", 0),
    "replace": ("rename", 0),
    "link": ("link", 1),
    "unlink": ("unlink", 0),
    "rmdir": ("rmdir", 0),
    "stat": ("stat", 0),
    "scandir": ("open", 0),
    "listdir": ("open", 0),
}
"""The call that a function of `os` stands for, and its argument that says on what."""


def _absolute(path: Any, folder: int | None) -> Any:
    """A path that is relative to the descriptor of a folder, as an absolute one."""
    if folder is None or isinstance(path, int):
        return path
    return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)


class _File(io.FileIO):
    """A file that counts its calls."""

    calls: SystemCalls

    def write(self, data: Any, /) -> int:
        half = bytes(data)[: len(data) // 2]
        self.calls.before("write", self._name, lambda: io.FileIO.write(self, half))
        return io.FileIO.write(self, data)

    def read(self, size: int = -1, /) -> bytes:
        self.calls.before("read", self._name)
        return io.FileIO.read(self, size)

    def readall(self) -> bytes:
        self.calls.before("read", self._name)
        return io.FileIO.readall(self)

    def readinto(self, buffer: Any, /) -> int:
        self.calls.before("read", self._name)
        return io.FileIO.readinto(self, buffer)

    def truncate(self, size: int | None = None, /) -> int:
        self.calls.before("truncate", self._name)
        return io.FileIO.truncate(self, size)

    def close(self) -> None:
        if self.closed:
            return
        try:
            self.calls.before("close", self._name)
        finally:
            io.FileIO.close(self)

    @property
    def _name(self) -> Any:
        return os.fspath(self.name) if not isinstance(self.name, int) else self.name


class _Opener:
    """`open` for files below the root, with buffers and texts as `io.open` has them."""

    def __init__(self, calls: SystemCalls, function: Callable[..., Any]) -> None:
        self.calls, self.function = calls, function

    def __call__(
        self, file: Any, mode: str = "r", buffering: int = -1, encoding: str | None = None,
        errors: str | None = None, newline: str | None = None, closefd: bool = True,
        opener: Any = None,
    ) -> Any:  # fmt: skip
        if isinstance(file, int) or not self.calls._is_ours(file):
            return self.function(file, mode, buffering, encoding, errors, newline, closefd, opener)
        if opener is None:
            self.calls.before("open" if mode[0] == "r" else "create", file)
        raw = _File(file, mode.replace("b", "").replace("t", ""), closefd, opener)
        raw.calls = self.calls
        if buffering == 0:
            return raw
        kind = io.BufferedRandom if "+" in mode else io.BufferedWriter
        stream = io.BufferedReader(raw) if mode.strip("bt") == "r" else kind(raw)
        if "b" in mode:
            return stream
        return io.TextIOWrapper(stream, encoding, errors, newline, buffering == 1)
