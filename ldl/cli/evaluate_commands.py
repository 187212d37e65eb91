"""`ldl evaluate` and `ldl predict`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ldl.cli.app import JsonOption, RunArgument, RunsOption, command
from ldl.cli.output import print_json, print_results, say
from ldl.errors import UsageError

if TYPE_CHECKING:
    from ldl.compile import Experiment


@command("ldl evaluate last 'classification: {part: validation}' decision_regions")
def evaluate(
    run: RunArgument,
    evaluation: Annotated[
        list[str] | None,
        typer.Argument(metavar="EVALUATION", help="As in a configuration; else the run's own."),
    ] = None,
    runs: RunsOption = None,
    json: JsonOption = False,
) -> None:
    """Judge a trained network again, and draw its pictures again."""
    from ldl.execute import evaluate as execute
    from ldl.execute import read_evaluations
    from ldl.plots import draw
    from ldl.runs import runs_root
    from ldl.runs.run_list import find_run

    folder = find_run(runs_root(runs), run)
    chosen = read_evaluations(evaluation) if evaluation else None
    results = execute(folder, chosen)
    draw(folder.path)
    if json:
        print_json(results)
    else:
        print_results(results)
        print(folder.path)


@command("ldl predict last new_flowers.csv --output predictions.csv")
def predict(
    run: RunArgument,
    data: Annotated[str, typer.Argument(metavar="DATA", help="New samples: a .csv or .npz file.")],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="CSV", help="Where to write; else stdout."),
    ] = None,
    runs: RunsOption = None,
    json: JsonOption = False,
) -> None:
    """Apply a trained network to new samples, a CSV row for each.

    Samples come in the units of the data: a CSV file's columns by name, pictures
    as an array (n, height, width, channels) of an NPZ file. Values, and what an
    autoencoder gives back, are in these units too; only crops of pictures that
    zca has scaled stay scaled.
    """
    import io

    from ldl.execute import predict as execute
    from ldl.runs import runs_root, to_json, write_text
    from ldl.runs.run_list import find_run

    if output is not None and not Path(output).absolute().parent.is_dir():
        raise UsageError(f"there is no folder {Path(output).parent} to write {output} to")
    if output is not None and _same_file(Path(output), Path(data)):
        raise UsageError(f"{output} holds the samples: name another file for the predictions")
    experiment, outputs = execute(find_run(runs_root(runs), run), Path(data))
    if experiment.task == "classification" and (note := experiment.probability_note(outputs)):
        say(f"note: {note}")
    header, *rows = _rows(experiment, outputs)
    if json:
        named = experiment.task == "classification"  # the first column is a class's name
        told = [[*row[:named], *map(float, row[named:])] for row in rows]
        text = to_json([dict(zip(header, row, strict=True)) for row in told]).decode()
    else:
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([header, *rows])
        text = table.getvalue()
    if output is None:
        sys.stdout.write(text)
    else:
        write_text(Path(output), text)
        print(f"{len(outputs)} predictions in {output}", file=sys.stderr)


def _same_file(output: Path, data: Path) -> bool:
    """Whether both are one file, also by way of links."""
    if output.exists() and data.exists():
        return output.samefile(data)
    return output.resolve() == data.resolve()


def _rows(experiment: Experiment, outputs: Any) -> Iterator[list[Any]]:
    """A header, then a row a sample: class and probabilities, or values by their names."""
    names = experiment.info.target.names
    if experiment.task == "classification":
        yield ["predicted", *(f"p({name})" for name in names)]
        for winner, row in zip(
            experiment.predicted_classes(outputs), experiment.probabilities(outputs), strict=True
        ):
            yield [names[winner], *(f"{p:.6g}" for p in row)]
        return
    flat = outputs.reshape(len(outputs), -1)
    if experiment.task == "regression":
        yield list(names)
    elif len(experiment.info.features) == flat.shape[1]:
        yield list(experiment.info.features)
    else:
        yield [f"value{i + 1}" for i in range(flat.shape[1])]
    for row in flat:
        yield [f"{value:.9g}" for value in row]
