"""The commands, each with an example in its help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="ldl",
    help="Train small neural networks from a YAML file; look at, compare and reuse what came out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: ldl init my.yaml, then ldl check my.yaml, then ldl train my.yaml",
)

RunsOption = Annotated[
    str | None,
    typer.Option("--runs", metavar="DIR", help="Where runs lie (else $LDL_RUNS_DIR, else runs/)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="A configuration.")]
OverridesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE", help="Changes, such as train.epochs=5.", show_default=False
    ),
]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's folder, part of its name, or `last`.")
]


def command(example: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as a command whose help ends with an example."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        name = function.__name__.strip("_")
        return app.command(name, epilog=f"Example: {example}")(function)

    return register


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if show:
        from ldl import __version__

        print(f"ldl {__version__}")
        raise typer.Exit
