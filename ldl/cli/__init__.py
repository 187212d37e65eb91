"""The command line: parse, call, print. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import errno
import os
import sys

from ldl.errors import LdlError


def main() -> None:
    """Run the `ldl` command; exits 0, 1, 2, 130 or 143 as the README lists."""
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


def _run() -> None:
    """The command, with the errors that a user can cause told in a line."""
    from ldl.cli.commands import app

    try:
        app()
    except LdlError as error:
        from ldl.cli.output import report

        report(error)
        sys.exit(error.exit_code)
