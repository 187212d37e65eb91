"""The command line: parse, call, print. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import errno
import io
import os
import sys

from ldl.errors import LdlError


def main() -> None:
    """Run the `ldl` command; exits 0, 1, 2, 130 or 143 as the README lists."""
    _open_streams()
    try:
        try:
            _run()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has gone, as with `ldl runs | head`: end without a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"ldl: cannot write the result: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def _open_streams() -> None:
    """What is closed leads nowhere; letters that an encoding lacks are written as escapes."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run() -> None:
    """The command, with the errors that a user can cause told in a line."""
    from ldl.cli.commands import app

    try:
        app()
    except LdlError as error:
        from ldl.cli.output import report

        report(error)
        sys.exit(error.exit_code)
