"""The command line: parse arguments, call the package, print. Heavy imports wait for a command."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, NoReturn, TextIO, cast

from ldl.control_characters import escape_controls
from ldl.errors import Interrupted, LdlError, RunError, os_error_message, system_errno
from ldl.signals import interrupt_on_signal


class _EscapingStream:
    """A standard stream on which names and file contents cannot control the terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream  # to which rich writes its own control sequences

    def write(self, text: str) -> int:
        """Write the text with its control characters escaped."""
        return self.rich_proxied_file.write(escape_controls(text))

    def __getattr__(self, name: str) -> Any:
        """All else is that of the stream itself."""
        return getattr(self.rich_proxied_file, name)


def main() -> None:
    """Run the `ldl` command with `sys.argv`; exit with 0, 1, 2, 3, 130 or 143 (see the README)."""
    _prepare_streams()
    try:
        with interrupt_on_signal(until_exit=True):
            try:
                _run()
            finally:
                sys.stdout.flush()
    except Interrupted as error:  # while an error was printed
        sys.exit(error.exit_code)
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
    """Connect closed standard streams to /dev/null; escape control and unencodable characters."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor, which is this one
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        if not isinstance(stream, _EscapingStream):
            setattr(sys, name, cast(TextIO, _EscapingStream(stream)))


def _run() -> None:
    """Run the command; print an error that the user can cause as a message, not a traceback."""
    try:
        from ldl.cli.commands import app

        app()
    except (LdlError, Interrupted) as error:
        _exit_with(error)
    except (MemoryError, ImportError) as error:
        if isinstance(error, ImportError) and "failed to map segment" not in str(error):
            raise
        reason = str(error).strip().splitlines()[-1:]  # the loader's is the last line of NumPy's
        _exit_with(RunError(": ".join(["there is not enough memory", *reason])))
    except OSError as error:
        if error.filename is None and error.errno in (errno.EPIPE, errno.ENOSPC):
            raise  # of a standard stream
        _exit_with(RunError(f"cannot access {os_error_message(error)}"))


def _exit_with(error: LdlError | Interrupted) -> NoReturn:
    from ldl.cli.output import print_error

    print_error(error)
    sys.exit(1 if system_errno(error) else error.exit_code)
