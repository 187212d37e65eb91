"""The command line: parse, call, print. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys

from ldl.errors import LdlError


def main() -> None:
    """Run the `ldl` command; exits 0, 1, 2, 130 or 143 as the README lists."""
    from ldl.cli.app import app

    try:
        app()
    except LdlError as error:
        from ldl.cli.output import report

        report(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone, as with `ldl runs | head`
        sys.exit(1)
