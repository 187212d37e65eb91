"""The commands `ldl explain`, `ldl schema` and `ldl init`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ldl.cli.app import JsonOption, command
from ldl.cli.output import log, print_json
from ldl.errors import UsageError
from ldl.fields import former_names

if TYPE_CHECKING:
    from ldl.config.type_rules import Field

# Sections that hold entries of a registry: `ldl explain network` lists the layers.
SECTION_KINDS = {"network": "layer", "evaluate": "evaluation", "blocks": "layer"}
SYNONYMS = {
    "confusion_matrix": "contingency_matrix",
    "contingency": "contingency_matrix",
    "figure": "metric",  # the former name of a claim's metric
}
CONCEPTS = {
    "contingency_matrix": """\
The confusion matrix: how many samples of each true class were predicted as each class.

A row per true class, a column per predicted class. Every evaluation that predicts classes, such as
`classification`, `denoising` and `latent_classifier`, writes its matrices to the run's folder
contingency/, each as CSV and PNG. The matrix of `clustering` has a row per
cluster and a column per true class.""",
    "weight_decay": """\
A step towards 0 for each weight: `weight_decay` of sgd, adamw and lion, or `train: {l1: …, l2: …}`.

It applies to the weights of layers, not to biases, the scales and shifts of `batch_norm` and
`layer_norm`, class tokens and positional embeddings. PyTorch's optimizers decay all of these by
default; `train: {decay: all}` does the same.""",
}


@command("ldl explain adam")
def explain(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A layer, loss, section, setting …; default: list all names."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Explain a name of the configuration language: its formula, its source, its settings."""
    if name is None:
        _list_names(json)
        return
    key = name.lower().replace("-", "_")
    key = SYNONYMS.get(key, key)
    entries = _find(key)
    kind = SECTION_KINDS.get(key, key)
    if not entries and kind in _registries():
        _list_kind(kind, json)
        return
    if not entries:
        raise UsageError(f"nothing is named {name}{_hint(key)}")
    if json:
        print_json(entries)
    else:
        print("\n\n".join(map(_page, entries)))


def _registries() -> Mapping[str, Mapping[str, type]]:
    """The registries of the configuration language: {kind: {name: class}}."""
    from ldl.grid.block import GRID_REGISTRIES

    return GRID_REGISTRIES


def _find(key: str) -> list[dict[str, Any]]:
    """The entries of this name: a section, a concept, one of each registry; else the settings."""
    if key in CONCEPTS:
        return [{"name": key, "kind": "concept", "text": CONCEPTS[key], "settings": []}]
    sections = _sections()
    entries = [_entry(key, "section", sections[key])] if key in sections else []
    for kind, names in _registries().items():
        for name, cls in names.items():
            if key in (name, *former_names(cls)):
                entries.append(_entry(name, kind, cls))
    return entries or _setting_entries(key)


def _setting_entries(key: str) -> list[dict[str, Any]]:
    """The settings of this name, those that mean the same in one entry."""
    from ldl.config.type_rules import fields_of

    owners: dict[str, list[str]] = {}
    entries: dict[str, dict[str, Any]] = {}
    for owner, cls in _owners().items():
        for field in fields_of(cls):
            if key in (field.key, *field.aliases):
                setting = _setting(field)
                owners.setdefault(repr(setting), []).append(owner)
                entries[repr(setting)] = {"name": field.key, "settings": [setting]}
    return [
        entry
        | {"kind": f"setting of {', '.join(owners[text])}"}
        | {"text": f"`ldl explain {owners[text][0]}` explains it with the settings beside it."}
        for text, entry in entries.items()
    ]


def _owners() -> dict[str, type]:
    """All that has settings, by name."""
    entries = {name: cls for names in _registries().values() for name, cls in names.items()}
    return {**_sections(), **entries}


def _hint(key: str) -> str:
    """What to try instead of an unknown name."""
    from ldl.config.suggest import nearest
    from ldl.config.type_rules import fields_of

    owners = _owners()
    settings = {field.key for cls in owners.values() for field in fields_of(cls)}
    near = nearest(key, sorted({*owners, *settings, *CONCEPTS}))
    return f"; did you mean {near}?" if near else "; `ldl explain` lists all names"


def _sections() -> dict[str, type]:
    """The sections of a configuration that have settings of their own."""
    from ldl.compile import Claim, ClaimedMetric, EarlyStopping, EncoderDecoder, LossTerm, Training
    from ldl.compile.experiment_config import PretrainedRun
    from ldl.data import DataSpec, SplitSpec
    from ldl.grid.block import GridBlock, GridConfig

    return {
        "configuration": GridConfig,
        "data": DataSpec,
        "split": SplitSpec,
        "train": Training,
        "early_stopping": EarlyStopping,
        "encoder": EncoderDecoder,
        "start_from": PretrainedRun,
        "loss": LossTerm,
        "claim": Claim,
        "metric": ClaimedMetric,
        "grid": GridBlock,
    }


def _list_kind(kind: str, json: bool) -> None:
    """Print the names of a registry, each with the first line of its docstring."""
    names = _registries()[kind]
    lines = {name: (inspect.getdoc(cls) or "").split("\n", 1)[0] for name, cls in names.items()}
    if json:
        print_json(lines)
        return
    width = max(map(len, lines))
    for name, line in lines.items():
        print(f"{name:<{width}}  {line}")


def _list_names(json: bool) -> None:
    """Print all names by kind."""
    listed = {kind: list(names) for kind, names in _registries().items()}
    listed["section"] = list(_sections())
    if json:
        print_json(listed)
        return
    for kind, names in listed.items():
        print(f"{kind + ':':<13} {', '.join(names)}")


def _entry(name: str, kind: str, cls: type) -> dict[str, Any]:
    """The docstring and the settings of a class, as `ldl explain --json` prints them."""
    from ldl.config.type_rules import fields_of

    settings = [_setting(field) for field in fields_of(cls)]
    return {"name": name, "kind": kind, "text": inspect.getdoc(cls) or "", "settings": settings}


def _setting(field: Field) -> dict[str, Any]:
    from ldl.config.resolved import to_builtins_by_rule

    default = None
    if not field.required:
        default = to_builtins_by_rule(field.make_default(), field.rule, _registries())
    return {
        "name": field.key,
        "expects": _expects(field.rule),
        "required": field.required,
        "means": field.doc,
        "default": default,
    }


def _expects(rule: Any) -> str:
    """The type of a setting, with the bounds of its numbers."""
    from ldl.config.describe import describe_rule
    from ldl.config.type_rules import Number, variants_of

    numbers = [
        variant.limits
        for variant in variants_of(rule)
        if isinstance(variant, Number) and variant.limits
    ]
    limits = {limit.violated(float("-inf")) for limit in numbers}
    if len(limits) > 1:  # a count or a share: the type of the value decides which bounds hold
        return describe_rule(rule)
    return ", ".join([describe_rule(rule), *sorted(limits)])


def _page(entry: dict[str, Any]) -> str:
    """An entry as text."""
    from ldl.config.emit import flow

    settings = entry["settings"]
    lines = [f"{entry['name']} ({entry['kind']})", "", entry["text"]]
    if not settings:
        return "\n".join(lines)
    lines += ["", "settings:"]
    width = max(len(setting["name"]) for setting in settings)
    for setting in settings:
        default = "required" if setting["required"] else f"default {flow(setting['default'])}"
        lines.append(f"  {setting['name']:<{width}}  {setting['expects']}; {default}")
        if setting["means"]:
            lines.append(f"  {'':<{width}}  {setting['means']}")
    required = [setting["name"] for setting in settings if setting["required"]]
    if entry["kind"] in _registries() and len(required) <= 1:
        lines += ["", f"`{entry['name']}: VALUE` sets {settings[0]['name']}."]
    return "\n".join(lines)


@command("ldl schema > ldl.schema.json")
def schema() -> None:
    """Print the JSON Schema of configurations, for completion and checks in an editor."""
    from ldl.config import json_schema
    from ldl.grid.block import GridConfig

    print_json(json_schema(GridConfig, _registries()))


@command("ldl init my.yaml")
def init(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The file to write.")
    ] = "experiment.yaml",
) -> None:
    """Write a small, commented configuration to start from; never overwrite a file."""
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
    quoted = quote(str(path))
    log(f"next: ldl check {quoted}, then ldl train {quoted}")
    sys.stdout.flush()


TEMPLATE = """\
# `ldl check` prints this network, or every error in this file; `ldl train` trains it.
# `ldl explain` lists all names; `ldl explain NAME` explains one.
name: {name}
seed: 0 # the same file and seed give the same bits

data:
  source: digits # see `ldl data list`; your own file: {{csv: {{path: my.csv, target: column}}}}
  scale: minmax # fitted on the training split only; or standard
  split: {{train: 0.7, validation: 0.1, test: 0.2}}

network:
  - linear: 64
  - relu
  - linear # the last layer takes its size from the data

loss: cross_entropy # of the network's outputs (logits): no softmax layer before it
optimizer: {{adam: {{learning_rate: 0.001}}}}

train:
  epochs: 50
  batch_size: 32
  early_stopping: {{patience: 10}} # keeps the best weights

evaluate: classification # accuracy, precision, recall, contingency matrix, misclassified images
"""
