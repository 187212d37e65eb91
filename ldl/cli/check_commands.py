"""The commands `ldl check` and `ldl gradcheck`."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ldl.cli.app import FileArgument, JsonOption, OverridesArgument, command
from ldl.cli.output import format_bytes, log, print_json, print_notes, print_table, print_warnings

if TYPE_CHECKING:
    from ldl.compile import Experiment
    from ldl.engine.graph import Graph
    from ldl.grid.planning import CheckedGrid

TOLERANCE = 1e-5  # relative error of a float64 gradient against central differences


@command("ldl check configs/denoise.yaml train.batch_size=64")
def check(
    file: FileArgument, overrides: OverridesArgument = None, json: JsonOption = False
) -> None:
    """Print every error in FILE; or its network with shapes, weights, cost and memory."""
    from ldl.grid.planning import check as check_file
    from ldl.report.setup import compare_setup

    prepared, grid = check_file(Path(file), overrides or [])
    compare_setup(prepared)  # raises the errors in a claim's setup
    summary = _summary(prepared.experiment)
    if grid is not None:
        summary["grid"] = {
            "settings": len(grid.candidates),
            "most": grid.max_trials,
            "notes": grid.notes,
            "objective": grid.objective.to_dict(),
        }
    if json:
        print_json(summary)
        return
    print_notes(prepared)
    print(f"{summary['name']}: {summary['task']}")
    for name, shape in summary["inputs"].items():
        print(f"  input {name} {_shape(shape)}")
    _print_layers(summary["layers"])
    _print_totals(summary["total"])
    if grid is not None:
        _print_grid(grid)


def _print_layers(layers: list[dict[str, Any]]) -> None:
    """Print a row per layer, with a column of receptive fields if any layer has one."""
    rows = []
    for layer in layers:
        shared = f" (as {layer['shared']})" if layer["shared"] else ""
        rows.append(
            [
                layer["name"],
                layer["layer"],
                ", ".join(layer["inputs"]),
                _shape(layer["output"]),
                f"{layer['weights']:,}{shared}",
                f"{layer['multiply_adds']:,}",
                "×".join(map(str, layer["receptive_field"] or ())),
            ]
        )
    columns = ["name", "layer", "inputs", "output", "weights", "multiply-adds", "receptive field"]
    if not any(layer["receptive_field"] for layer in layers):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    print_table(columns, rows, right=(4, 5, 6))


def _print_totals(total: dict[str, Any]) -> None:
    """Print the weights, the multiply-adds and the memory of the whole network."""
    step, weights = format_bytes(total["step_bytes"]), format_bytes(total["weight_bytes"])
    print(f"weights                {total['weights']:,}")
    print(f"multiply-adds          {total['multiply_adds']:,} per sample, forward")
    print(f"memory of a step       {step} with {total['batch_size']} samples")
    print(f"  of which weights     {weights} with gradients and optimizer state")


def _print_grid(grid: CheckedGrid) -> None:
    """Print the number of trials, the objective and the notes of the grid block."""
    trials = f"at most {grid.max_trials:,} trials, compared by {grid.objective.name}"
    print(f"grid                   {trials}; `ldl grid --dry-run` lists them")
    for note in grid.notes:
        log(f"note: {note}")


def _shape(shape: Iterable[int]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"


def _summary(experiment: Experiment) -> dict[str, Any]:
    """The layer graph with shapes, weights, cost and memory, as JSON types."""
    from ldl.engine.memory import untouched_memory
    from ldl.engine.model import Model

    graph, config, batch = experiment.graph, experiment.config, experiment.batch_size
    layers = _layers(graph)
    with untouched_memory():
        model = Model(graph, seed=None)
        executor = model.training_executor(batch)
    theta = model.parameters.theta
    slots = config.optimizer.start(theta[:1]).slots
    weight_bytes = theta.nbytes * (3 + len(slots))  # weights, gradients, scratch, slots
    return {
        "name": config.name,
        "task": experiment.task,
        "inputs": {name: list(spec.shape) for name, spec in graph.inputs.items()},
        "layers": layers,
        "total": {
            "weights": model.parameters.count,
            "multiply_adds": sum(row["multiply_adds"] for row in layers),
            "batch_size": batch,
            "step_bytes": executor.bytes + weight_bytes,
            "weight_bytes": weight_bytes,
        },
    }


def _layers(graph: Graph) -> list[dict[str, Any]]:
    """A row per node; weights shared with an earlier node count as 0."""
    from ldl.compile.receptive_field import receptive_fields
    from ldl.compile.registries import OPERATION_NAMES

    fields = receptive_fields(graph)
    rows = []
    for node in graph.order:
        plan, owner = graph.plans[node.name], graph.owners[node.name]
        shared = "" if owner == node.name else owner
        rows.append(
            {
                "name": node.name,
                "layer": OPERATION_NAMES[type(node.layer)],
                "inputs": list(node.inputs),
                "output": list(plan.y),
                "weights": 0 if shared else sum(math.prod(w.shape) for w in plan.w.values()),
                "shared": shared,
                "multiply_adds": plan.multiply_adds,
                "receptive_field": fields.get(node.name),
            }
        )
    return rows


@command("ldl gradcheck configs/denoise.yaml")
def gradcheck(
    file: FileArgument,
    overrides: OverridesArgument = None,
    samples: Annotated[int, typer.Option(min=1, help="Random samples in the batch.")] = 5,
    entries: Annotated[int, typer.Option(min=1, help="Entries to check in each weight.")] = 100,
    json: JsonOption = False,
) -> None:
    """Compare every gradient of FILE's network with central differences in float64."""
    from ldl.engine.gradcheck import gradcheck as compare
    from ldl.execute import prepare

    prepared = prepare(Path(file), overrides or [])
    print_warnings(prepared.loaded.warnings)
    experiment = prepared.experiment
    inputs = _random_inputs(experiment, samples)
    gradients = compare(experiment.graph, inputs, experiment.config.seed, entries)
    passed = all(gradient.error < TOLERANCE for gradient in gradients)
    if json:
        print_json({"passed": passed, "gradients": [asdict(gradient) for gradient in gradients]})
    else:
        rows = [[g.name, f"{g.checked}/{g.size}", f"{g.error:.1e}"] for g in gradients]
        print_table(["weight", "checked", "largest relative error"], rows, right=(1, 2))
    if not passed:
        log(f"some gradient is off by more than {TOLERANCE:g}")
        sys.exit(1)


def _random_inputs(experiment: Experiment, samples: int) -> dict[str, Any]:
    """A batch for the graph: inputs from N(0, 1), target classes, or target values in [0, 1)."""
    from ldl.engine.streams import stream

    rng = stream(experiment.config.seed, "gradcheck inputs")
    batch: dict[str, Any] = {}
    for name, spec in experiment.graph.inputs.items():
        if spec.integer:
            target = experiment.info.target_named(name.removeprefix("target."))
            batch[name] = rng.integers(0, target.size, samples)
        elif name in experiment.targets:
            batch[name] = rng.random((samples, *spec.shape))
        else:
            batch[name] = rng.normal(size=(samples, *spec.shape))
    return batch
