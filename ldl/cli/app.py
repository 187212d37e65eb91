"""The Typer application, and the arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="ldl",
    help="Train small neural networks from a YAML file; list, compare and apply trained ones.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: ldl init my.yaml, then ldl check my.yaml, then ldl train my.yaml",
)

RunsOption = Annotated[
    str | None,
    typer.Option(
        "--runs", metavar="DIR", help="Folder of runs (default: $LDL_RUNS_DIR, else runs/)."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print results only.")]
FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="A configuration file.")]
OverridesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE", help="Settings to change, such as train.epochs=5.", show_default=False
    ),
]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run folder, part of its name, or `last`.")
]


def command(example: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that registers a function as a command whose help ends with `example`."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        return app.command(function.__name__, epilog=f"Example: {example}")(function)

    return register


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if show:
        from ldl import __version__

        print(f"ldl {__version__}")
        raise typer.Exit
