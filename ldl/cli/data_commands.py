"""The commands `ldl data list`, `ldl data fetch` and `ldl data verify`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ldl.cli.app import JsonOption, app
from ldl.cli.output import print_json, print_table

data = typer.Typer(
    no_args_is_help=True,
    help="List the data sets, download one, or check its files.",
    epilog="Example: ldl data list",
)
app.add_typer(data, name="data")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="mnist, usps or cifar10.")]


@data.command("list", epilog="Example: ldl data list --json")
def list_(json: JsonOption = False) -> None:
    """List the sources that `data.source` can name, and where their files are."""
    from ldl.data import list_sources

    sources = list_sources()
    if json:
        print_json(
            [
                {
                    "name": source.name,
                    "summary": source.summary,
                    "state": source.state,
                    "place": str(source.path) if source.path else None,
                    "info": source.info.state() if source.info else None,
                }
                for source in sources
            ]
        )
        return
    rows = []
    for source in sources:
        info = source.info
        shapes = info.inputs.values() if info else ()
        inputs = ", ".join("×".join(map(str, shape)) for shape in shapes)
        target = f"{info.target.size} {info.target.kind}" if info else ""
        samples = f"{info.samples:,}" if info and info.samples else ""
        location = str(source.path) if source.path else source.state
        rows.append([source.name, samples, inputs, target, location, source.summary])
    columns = ["name", "samples", "inputs", "target", "location", "content"]
    print_table(columns, rows, right=(1, 2))


@data.command(epilog="Example: ldl data fetch mnist")
def fetch(name: NameArgument) -> None:
    """Download a data set into the cache unless it is there; print its folder."""
    from ldl.cli.display import Display
    from ldl.data import fetch as download

    with Display() as display:
        path = download(name, display.data)
    print(path)


@data.command(epilog="Example: ldl data verify mnist")
def verify(name: NameArgument, json: JsonOption = False) -> None:
    """Compare the SHA-256 of a data set's files with the published ones; exit 1 if one differs."""
    from ldl.data import verify as compare

    checks = compare(name)
    if json:
        print_json(
            [
                {
                    "what": check.name,
                    "expected": check.expected,
                    "found": check.actual,
                    "good": check.matches,
                }
                for check in checks
            ]
        )
    else:
        verdicts = {True: "good", False: "DIFFERS"}
        rows = [[check.name, verdicts[check.matches], check.actual] for check in checks]
        print_table(["file", "", "SHA-256"], rows)
    if not all(check.matches for check in checks):
        sys.exit(1)
