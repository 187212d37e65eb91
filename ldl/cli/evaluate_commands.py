"""The commands `ldl evaluate` and `ldl predict`."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ldl.cli.app import JsonOption, RunArgument, RunsOption, command
from ldl.cli.output import log, print_evaluation_count, print_json, print_results, print_warnings
from ldl.control_characters import escape_controls
from ldl.errors import UsageError

if TYPE_CHECKING:
    from ldl.compile import Experiment


@command("ldl evaluate last 'classification: {split: validation}' decision_regions")
def evaluate(
    run: RunArgument,
    evaluation: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="EVALUATION", help="As under `evaluate:`; default: those of the run."
        ),
    ] = None,
    runs: RunsOption = None,
    json: JsonOption = False,
) -> None:
    """Evaluate a trained network again, and draw the plots of its run again."""
    from ldl.execute import evaluate as execute
    from ldl.execute import read_evaluations
    from ldl.plots import draw
    from ldl.runs import runs_root
    from ldl.runs.run_list import find_run

    folder = find_run(runs_root(runs), run)
    evaluations, warnings = read_evaluations(evaluation) if evaluation else (None, ())
    print_warnings(warnings)
    results = execute(folder, evaluations)
    draw(folder.path)
    if json:
        print_json(results)
    else:
        print_results(results)
        print_evaluation_count(folder)
        print(folder.path)


@command("ldl predict last new_flowers.csv --output predictions.csv")
def predict(
    run: RunArgument,
    data: Annotated[str, typer.Argument(metavar="DATA", help="New samples: a .csv or .npz file.")],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="CSV", help="File to write (default: stdout)."),
    ] = None,
    runs: RunsOption = None,
    json: JsonOption = False,
) -> None:
    """Apply a trained network to new samples; print one CSV row per sample.

    The samples are in the units of the training data before scaling: columns of a
    CSV file by name, images as an array (n, height, width, channels) of an NPZ file.
    Predicted values and reconstructions are in these units too, except image patches
    scaled by zca, which stay scaled.
    """
    from ldl.execute import predict as execute
    from ldl.runs import runs_root, to_json, write_text
    from ldl.runs.run_list import find_run

    if output is not None and not Path(output).absolute().parent.is_dir():
        raise UsageError(f"there is no folder {Path(output).parent} to write {output} to")
    if output is not None and _same_file(Path(output), Path(data)):
        raise UsageError(f"{output} holds the samples: name another file for the predictions")
    experiment, outputs = execute(find_run(runs_root(runs), run), Path(data))
    classifies = experiment.task == "classification"
    if classifies and (note := experiment.probability_note(outputs)):
        log(f"note: {note}")
    header, *rows = _table(experiment, outputs)
    if json:
        texts = 1 if classifies else 0  # leading columns that are not numbers: the class name
        parsed = [[*row[:texts], *map(float, row[texts:])] for row in rows]
        text = to_json([dict(zip(header, row, strict=True)) for row in parsed]).decode()
    else:
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([header, *rows])
        text = table.getvalue()
    text = escape_controls(text)  # of class names and columns
    if output is None:
        sys.stdout.write(text)
    else:
        write_text(Path(output).parent.resolve() / Path(output).name, text)  # may be a link
        log(f"{len(outputs)} predictions in {output}")


def _same_file(output: Path, data: Path) -> bool:
    """Whether both paths lead to one file, through links too."""
    if output.exists() and data.exists():
        return output.samefile(data)
    return output.resolve() == data.resolve()


def _table(experiment: Experiment, outputs: Any) -> Iterator[list[Any]]:
    """A header, then a row per sample of outputs (n, …): class and probabilities, or values."""
    names = experiment.info.target.names
    if experiment.task == "classification":
        yield ["predicted", *(f"p({name})" for name in names)]
        for label, probabilities in zip(
            experiment.predicted_classes(outputs), experiment.probabilities(outputs), strict=True
        ):
            yield [names[label], *(f"{p:.6g}" for p in probabilities)]
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
