"""`ldl check` and `ldl gradcheck`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ldl.cli.app import FileArgument, JsonOption, OverridesArgument, command
from ldl.cli.output import count, print_json, print_table, say, size

if TYPE_CHECKING:
    from ldl.compile import Experiment

TOLERANCE = 1e-5  # of a float64 gradient against central differences with a step of 1e-5


@command("ldl check configs/denoise.yaml train.batch_size=64")
def check(
    file: FileArgument, overrides: OverridesArgument = None, json: JsonOption = False
) -> None:
    """Print every mistake in FILE and its grid; or the network: shapes, weights, cost, memory."""
    from ldl.cli.notes import print_notes
    from ldl.grid.planning import check as examine

    prepared, grid = examine(Path(file), overrides or [])
    summary = _summary(prepared.experiment)
    if grid is not None:
        known = {"settings": len(grid.candidates), "most": grid.max_trials, "notes": grid.notes}
        summary["grid"] = {**known, "objective": grid.objective.to_dict()}
    if json:
        print_json(summary)
        return
    print_notes(prepared)
    print(f"{summary['name']}: {summary['task']}")
    for name, shape in summary["inputs"].items():
        print(f"  input {name} {_shape(shape)}")
    rows = [
        [
            row["name"],
            row["layer"],
            ", ".join(row["inputs"]),
            _shape(row["output"]),
            count(row["weights"]) + (f" (as {row['shared']})" if row["shared"] else ""),
            count(row["multiply_adds"]),
        ]
        for row in summary["layers"]
    ]
    columns = ["name", "layer", "reads", "output", "weights", "multiply-adds"]
    fields = [row["receptive_field"] for row in summary["layers"]]
    if any(fields):
        columns.append("sees")
        for row, field in zip(rows, fields, strict=True):
            row.append("×".join(map(str, field or ())))
    print_table(columns, rows, right=(4, 5, 6))
    total = summary["total"]
    print(f"weights                {count(total['weights'])}")
    print(f"multiply-adds          {count(total['multiply_adds'])} a sample, forward")
    print(f"memory of a step       {size(total['step_bytes'])} at {total['batch_size']} samples")
    print(f"of that for weights    {size(total['weight_bytes'])} with gradients and moments")
    if grid is not None:
        trials = f"{count(grid.max_trials)} trials at most, by {grid.objective.name}"
        print(f"grid                   {trials}; `ldl grid --dry-run` lists them")
        for note in grid.notes:
            say(f"note: {note}")


def _shape(shape: Any) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"


def _summary(experiment: Experiment) -> dict[str, Any]:
    """The graph as plain data."""
    from ldl.compile.experiment import OPERATION_NAMES
    from ldl.compile.receptive_field import receptive_fields
    from ldl.engine.model import Model

    graph, config = experiment.graph, experiment.config
    fields = receptive_fields(graph)
    layers = []
    for place in graph.order:
        plan, owner = graph.plans[place.name], graph.owners[place.name]
        shared = "" if owner == place.name else owner
        weights = 0 if shared else sum(_product(w.shape) for w in plan.w.values())
        layers.append(
            {
                "name": place.name,
                "layer": OPERATION_NAMES[type(place.layer)],
                "inputs": list(place.inputs),
                "output": list(plan.y),
                "weights": weights,
                "shared": shared,
                "multiply_adds": plan.multiply_adds,
                "receptive_field": fields.get(place.name),
            }
        )
    model = Model(graph, config.seed)
    batch = experiment.batch_size
    binding = model.training_executor(batch)
    theta = model.parameters.theta
    moments = config.optimizer.start(theta).moments
    weight_bytes = theta.nbytes * (3 + len(moments))
    return {
        "name": config.name,
        "task": experiment.task,
        "inputs": {name: list(spec.shape) for name, spec in graph.inputs.items()},
        "layers": layers,
        "total": {
            "weights": model.parameters.count,
            "multiply_adds": sum(row["multiply_adds"] for row in layers),
            "batch_size": batch,
            "step_bytes": binding.bytes + weight_bytes,
            "weight_bytes": weight_bytes,
        },
    }


def _product(shape: tuple[int, ...]) -> int:
    from math import prod

    return prod(shape)


@command("ldl gradcheck configs/denoise.yaml")
def gradcheck(
    file: FileArgument,
    overrides: OverridesArgument = None,
    samples: Annotated[int, typer.Option(min=1, help="Random samples in the batch.")] = 5,
    entries: Annotated[int, typer.Option(min=1, help="Entries of each weight to check.")] = 100,
    json: JsonOption = False,
) -> None:
    """Compare every gradient of FILE's network with central differences in float64."""
    from ldl.engine.gradcheck import gradcheck as compare
    from ldl.execute import prepare

    experiment = prepare(Path(file), overrides or []).experiment
    inputs = _random_inputs(experiment, samples)
    found = compare(experiment.graph, inputs, experiment.config.seed, entries)
    good = all(gradient.error < TOLERANCE for gradient in found)
    if json:
        print_json({"passed": good, "gradients": [asdict(gradient) for gradient in found]})
    else:
        rows = [[g.name, f"{g.checked}/{g.size}", f"{g.error:.1e}"] for g in found]
        print_table(["weight", "checked", "largest relative error"], rows, right=(1, 2))
    if not good:
        say(f"some gradient is off by more than {TOLERANCE:g}")
        sys.exit(1)


def _random_inputs(experiment: Experiment, samples: int) -> dict[str, Any]:
    """A batch of normal inputs and fitting targets: classes, or numbers from 0 to 1."""
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
