"""`ldl data list`, `fetch` and `verify`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ldl.cli.app import JsonOption, app
from ldl.cli.output import count, print_json, print_table

data = typer.Typer(
    no_args_is_help=True,
    help="List the data sets, download one, or check its files.",
    epilog="Example: ldl data list",
)
app.add_typer(data, name="data")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="mnist, usps or cifar10.")]


@data.command("list", epilog="Example: ldl data list --json")
def list_(json: JsonOption = False) -> None:
    """What a configuration's `data.source` can be, and where it is found."""
    from ldl.data import list_sources

    found = list_sources()
    if json:
        print_json(
            [
                {
                    "name": each.name,
                    "summary": each.summary,
                    "state": each.state,
                    "place": str(each.path) if each.path else None,
                    "info": each.info.state() if each.info else None,
                }
                for each in found
            ]
        )
        return
    rows = []
    for each in found:
        info = each.info
        inputs = ", ".join("×".join(map(str, s)) for s in info.inputs.values()) if info else ""
        target = f"{info.target.size} {info.target.kind}" if info else ""
        samples = count(info.samples) if info and info.samples else ""
        where = str(each.path) if each.path else each.state
        rows.append([each.name, samples, inputs, target, where, each.summary])
    print_table(["name", "samples", "inputs", "target", "where", "what"], rows, right=(1, 2))


@data.command(epilog="Example: ldl data fetch mnist")
def fetch(name: NameArgument) -> None:
    """Download a data set into the cache, unless it is there; prints where it lies."""
    from ldl.cli.display import Display
    from ldl.data import fetch as download

    with Display() as display:
        place = download(name, display.data)
    print(place)


@data.command(epilog="Example: ldl data verify mnist")
def verify(name: NameArgument, json: JsonOption = False) -> None:
    """Compare the SHA-256 of a data set's files with the known ones; exits 1 if one differs."""
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
        rows = [
            [check.name, "good" if check.matches else "DIFFERS", check.actual] for check in checks
        ]
        print_table(["what", "", "SHA-256"], rows)
    if not all(check.matches for check in checks):
        sys.exit(1)
