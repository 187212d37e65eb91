"""`ldl explain`, `ldl schema` and `ldl init`."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ldl.cli.app import JsonOption, command
from ldl.cli.output import print_json, say
from ldl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


SECTION_KINDS = {"network": "layer", "evaluate": "evaluation", "blocks": "layer"}


@command("ldl explain adam")
def explain(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A layer, loss, optimizer …; without it, all are listed."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say what a name of the configuration language does, and what can be set."""
    from ldl.grid.block import GRID_REGISTRIES as REGISTRIES

    if name is None:
        _list(json)
        return
    wanted = name.lower().replace("-", "_")
    found = [(kind, names[wanted]) for kind, names in REGISTRIES.items() if wanted in names]
    sections = {key: cls for key, cls in _sections() if key == wanted}
    if not found and wanted in (*REGISTRIES, *SECTION_KINDS):
        _kind(SECTION_KINDS.get(wanted, wanted), json)
        return
    if not found and not sections and wanted in ("name", "seed"):
        sections = {"configuration": dict(_sections())["configuration"]}
    if not found and not sections:
        from ldl.config.suggest import nearest

        valid = [each for names in REGISTRIES.values() for each in names]
        near = nearest(wanted, [*valid, *(key for key, _ in _sections())])
        advice = f"; did you mean {near}?" if near else "; `ldl explain` lists all names"
        raise UsageError(f"nothing is named {name}{advice}")
    entries = [*(("section", cls) for cls in sections.values()), *found]
    if json:
        print_json([_entry(wanted, kind, cls) for kind, cls in entries])
        return
    print("\n\n".join(_page(_entry(wanted, kind, cls)) for kind, cls in entries))


def _sections() -> Iterator[tuple[str, type]]:
    """The sections of a configuration that are records themselves."""
    from ldl.compile import Claim, ClaimedMetric, EarlyStopping, EncoderDecoder, LossTerm, Training
    from ldl.data import DataSpec, SplitSpec
    from ldl.grid.block import GridBlock, GridConfig

    yield from (
        ("configuration", GridConfig),
        ("data", DataSpec),
        ("split", SplitSpec),
        ("train", Training),
        ("early_stopping", EarlyStopping),
        ("encoder", EncoderDecoder),
        ("loss", LossTerm),
        ("claim", Claim),
        ("figure", ClaimedMetric),
        ("grid", GridBlock),
    )


def _kind(kind: str, json: bool) -> None:
    """All names of a kind, with the first line of each."""
    from ldl.grid.block import GRID_REGISTRIES as REGISTRIES

    lines = {
        name: (inspect.getdoc(c) or "").split("\n", 1)[0] for name, c in REGISTRIES[kind].items()
    }
    if json:
        print_json(lines)
        return
    width = max(map(len, lines))
    for name, line in lines.items():
        print(f"{name:<{width}}  {line}")


def _list(json: bool) -> None:
    """All names by kind."""
    from ldl.grid.block import GRID_REGISTRIES as REGISTRIES

    sections = [key for key, _ in _sections()]
    if json:
        print_json(
            {**{kind: list(names) for kind, names in REGISTRIES.items()}, "section": sections}
        )
        return
    for kind, names in {**REGISTRIES, "section": sections}.items():
        print(f"{kind + ':':<13} {', '.join(names)}")


def _entry(name: str, kind: str, cls: type) -> dict[str, Any]:
    """A name's docstring and settings."""
    from ldl.config.resolved import to_builtins_by_rule
    from ldl.config.type_rules import fields_of
    from ldl.grid.block import GRID_REGISTRIES as REGISTRIES

    settings = []
    for field in fields_of(cls):
        default = (
            None
            if field.required
            else to_builtins_by_rule(field.make_default(), field.rule, REGISTRIES)
        )
        settings.append(
            {
                "name": field.key,
                "expects": _expects(field.rule),
                "required": field.required,
                "means": field.doc,
                "default": default,
            }
        )
    return {"name": name, "kind": kind, "text": inspect.getdoc(cls) or "", "settings": settings}


def _expects(rule: Any) -> str:
    """What a setting takes, with the limits of its numbers."""
    from ldl.config.describe import expected
    from ldl.config.type_rules import Number, variants_of

    numbers = [arm.limits for arm in variants_of(rule) if isinstance(arm, Number) and arm.limits]
    limits = {limit.broken(float("-inf")) for limit in numbers}
    if len(limits) > 1:  # a count or a share: which limits hold depends on which it is
        return expected(rule)
    return ", ".join([expected(rule), *sorted(limits)])


def _page(entry: dict[str, Any]) -> str:
    """An entry as a person reads it."""
    from ldl.config.emit import flow

    lines = [f"{entry['name']} ({entry['kind']})", "", entry["text"]]
    if entry["settings"]:
        lines += ["", "settings:"]
        width = max(len(setting["name"]) for setting in entry["settings"])
        for setting in entry["settings"]:
            ending = "required" if setting["required"] else f"default {flow(setting['default'])}"
            lines.append(f"  {setting['name']:<{width}}  {setting['expects']}; {ending}")
            if setting["means"]:
                lines.append(f"  {'':<{width}}  {setting['means']}")
        required = [setting["name"] for setting in entry["settings"] if setting["required"]]
        if entry["kind"] != "section" and not required[1:]:
            lines += ["", f"`{entry['name']}: VALUE` sets {entry['settings'][0]['name']}."]
    return "\n".join(lines)


@command("ldl schema > ldl.schema.json")
def schema() -> None:
    """Print the JSON Schema of configurations, with which editors complete and check."""
    from ldl.config import json_schema
    from ldl.grid.block import GRID_REGISTRIES, GridConfig

    print_json(json_schema(GridConfig, GRID_REGISTRIES))


@command("ldl init my.yaml")
def init(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The file to write.")
    ] = "experiment.yaml",
) -> None:
    """Write a small, commented configuration to start from; nothing is ever overwritten."""
    from ldl.config.emit import text

    path = Path(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(TEMPLATE.format(name=text(path.stem)))
    except FileExistsError:
        raise UsageError(f"{path} exists already") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    print(path)
    said = quote(str(path))
    say(f"next: ldl check {said}, then ldl train {said}")
    sys.stdout.flush()


TEMPLATE = """\
# `ldl check` shows this network and every mistake; `ldl train` trains it.
# `ldl explain` lists all names; `ldl explain NAME` says what one does.
name: {name}
seed: 0 # the same file and seed give the same bits

data:
  source: digits # see `ldl data list`; your own file: {{csv: {{path: my.csv, target: column}}}}
  scale: minmax # fitted on the training part alone; or standard
  split: {{train: 0.7, validation: 0.1, test: 0.2}}

network:
  - linear: 64
  - relu
  - linear # the last one takes its size from the data

loss: cross_entropy # on what the network gives, before any softmax
optimizer: {{adam: {{learning_rate: 0.001}}}}

train:
  epochs: 50
  batch_size: 32
  early_stopping: {{patience: 10}} # the best weights are kept

evaluate: classification # accuracy, precision, recall, contingency matrix, worst mistakes
"""
