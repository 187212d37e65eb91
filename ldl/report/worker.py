"""One job in a process of its own: `python -m ldl.report.worker`, a request in JSON on stdin.

The pipe stays open as long as the master lives: when it closes, the worker stops with a checkpoint,
however the master ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldl.errors import LdlError, RunFolderError

if TYPE_CHECKING:
    from ldl.runs import RunFolder


def main() -> int:
    """Train, or go on with, the run that is asked for; the exit code is the command line's."""
    request = json.loads(_line())
    threading.Thread(target=_follow_master, daemon=True).start()
    try:
        _work(request)
    except LdlError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _line() -> bytes:
    """The first line of stdin, past Python's buffers: a thread waiting in them hinders exiting."""
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(0, 65536)
        if not part:
            sys.exit("the request ended before its line did")
        line += part
    return line


def _follow_master() -> None:
    """End with the master: its end of the pipe closes when it dies."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _work(request: dict[str, Any]) -> None:
    from ldl.report.run_page import with_run_page

    if request["pictures"]:
        with_run_page(lambda: _run(request))
    else:
        _run(request)


def _run(request: dict[str, Any]) -> RunFolder:
    """Go on with the run that was interrupted; where there is none, or it cannot be, begin one."""
    from ldl.execute import Watchers, prepare, resume, train
    from ldl.report.run_index import MARK
    from ldl.runs import RunFolder, to_json

    watchers = Watchers(draw=_draw) if request["pictures"] else Watchers()
    if request["resume"]:
        with contextlib.suppress(RunFolderError):
            return resume(RunFolder.open(Path(request["resume"])), watchers)
    prepared = prepare(Path(request["file"]), request["overrides"])
    files = {MARK: to_json(request["mark"])}
    return train(prepared, Path(request["root"]), watchers, files)


def _draw(folder: Path) -> None:
    from ldl.plots import draw

    draw(folder)


if __name__ == "__main__":
    sys.exit(main())
