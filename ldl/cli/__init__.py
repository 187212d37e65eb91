"""The command line: parse arguments, call the package, print. Heavy imports wait for a command."""

from __future__ import annotations

import errno
import io
import os
import sys

from ldl.errors import LdlError


def main() -> None:
    """Run the `ldl` command with `sys.argv`; exit with 0, 1, 2, 3, 130 or 143 (see the README)."""
    _prepare_streams()
    try:
        try:
            _run()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has closed its end, as in `ldl runs | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"ldl: cannot write the result: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def _prepare_streams() -> None:
    """Connect closed standard streams to /dev/null; escape characters an encoding lacks."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor, which is this one
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run() -> None:
    """Run the command; print an error that the user can cause as a message, not a traceback."""
    from ldl.cli.commands import app

    try:
        app()
    except LdlError as error:
        from ldl.cli.output import print_error

        print_error(error)
        sys.exit(error.exit_code)
