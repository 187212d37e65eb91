"""The tables of training steps, in Markdown that is aligned for terminals too."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from benchmarks.implementations import EAGER, IMPLEMENTATIONS, LDL
from benchmarks.machine_load import load_warning
from benchmarks.timing import TaskRow, eager_ratios

EAGER_TARGET = 2.0  # PyTorch eager's time over ldl's, geometric mean
Cells = list[list[str]]


def steps_report(rows: Sequence[TaskRow]) -> str:
    """The report of the benchmark of training steps, in Markdown."""
    loads = [row.foreign_cores for row in rows if row.foreign_cores is not None]
    parts = [
        "Medians of interleaved rounds, 2 threads, each peer with its fastest settings.",
        "### Microseconds per training step",
        markdown(times(rows)),
        "### Peers' time over ldl's; rows below 1 first",
        markdown(ratios(rows)),
        "\n".join(summary(rows)),
        "### Settings, seconds to build and compile, and errors",
        markdown(settings(rows)),
        load_warning(max(loads, default=None)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def names_in(rows: Sequence[TaskRow], peers: bool = False) -> list[str]:
    """The implementations that occur in the rows, in the order of the registry."""
    present = {name for row in rows for name in row.measurements}
    return [
        name
        for name, entry in IMPLEMENTATIONS.items()
        if name in present and (entry.peer or not peers)
    ]


def times(rows: Sequence[TaskRow]) -> Cells:
    """Microseconds of each implementation, ldl's fraction of the peak, memory."""
    names = names_in(rows)
    head = ["training step of", *(IMPLEMENTATIONS[name].label for name in names)]
    head += ["of the peak", "MB ldl", "MB PyTorch"]
    body = [
        [
            row.task.title,
            *(microseconds(row, name) for name in names),
            f"{row.peak_fraction:.0%}" if row.peak_fraction else "",
            megabytes(row, LDL),
            megabytes(row, EAGER),
        ]
        for row in rows
    ]
    return [head, *body]


def ratios(rows: Sequence[TaskRow]) -> Cells:
    """ldl's time, and each peer's over it."""
    names = names_in(rows, peers=True)
    head = ["", "training step of", "ldl µs"]
    head += [*(IMPLEMENTATIONS[name].label for name in names), "fastest", "its time over ldl's"]
    body = []
    for row in rows:
        fastest = IMPLEMENTATIONS[row.fastest].label if row.fastest else ""
        row_ratios = [number(row.ratio(name)) for name in names]
        mark = "slower" if row.is_slower else ""
        ldl_time = microseconds(row, LDL)
        body.append(
            [mark, row.task.title, ldl_time, *row_ratios, fastest, number(row.fastest_peer_ratio)]
        )
    means = [number(geometric_mean([row.ratio(name) for row in rows])) for name in names]
    fastest = number(geometric_mean([row.fastest_peer_ratio for row in rows]))
    return [head, *body, ["", "geometric mean", "", *means, "", fastest]]


def settings(rows: Sequence[TaskRow]) -> Cells:
    """The settings, build time and error of each peer."""
    body = []
    for row in rows:
        for name, measurement in row.measurements.items():
            if IMPLEMENTATIONS[name].peer or measurement.error:
                text = measurement.error or measurement.settings
                label = IMPLEMENTATIONS[name].label
                body.append([row.task.title, label, text, f"{measurement.build:.1f}"])
    return [["training step of", "peer", "settings", "seconds to build"], *body]


def summary(rows: Sequence[TaskRow]) -> list[str]:
    """The targets, and whether they are met."""
    fastest_ratios = [row.fastest_peer_ratio for row in rows if row.fastest_peer_ratio]
    eager = geometric_mean(eager_ratios(rows))
    lines = []
    if fastest_ratios:
        faster = sum(ratio >= 1.0 for ratio in fastest_ratios)
        lines.append(
            f"- faster than every peer on {faster} of {len(fastest_ratios)} rows (target: all)"
        )
    if eager:
        met = "met" if eager >= EAGER_TARGET else "MISSED"
        lines.append(
            f"- PyTorch eager's time over ldl's, geometric mean: {eager:.2f} "
            f"(target {EAGER_TARGET:.0f}: {met})"
        )
    return lines


def geometric_mean(values: Sequence[float | None]) -> float | None:
    """The geometric mean of the present values; None if none is present."""
    present = [value for value in values if value]
    return exp(sum(map(log, present)) / len(present)) if present else None


def microseconds(row: TaskRow, name: str) -> str:
    """A step's time in µs, `fails` after an error, empty where it was not timed."""
    measurement = row.measurements.get(name)
    if measurement is None:
        return ""
    return f"{measurement.seconds * 1e6:,.0f}" if measurement.seconds else "fails"


def megabytes(row: TaskRow, name: str) -> str:
    """The peak memory in MB, without libraries."""
    measurement = row.measurements.get(name)
    memory = measurement.memory if measurement else None
    return "" if memory is None else f"{memory / 1e6:.0f}"


def number(value: float | None) -> str:
    """The value with two decimals; empty where it is None."""
    return "" if value is None else f"{value:.2f}"


def markdown(cells: Cells) -> str:
    """A Markdown table with padded columns; numbers are aligned to the right."""
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    numeric = [all(_is_number(line[i]) for line in cells[1:]) for i in range(len(widths))]
    lines = []
    for line in cells:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        lines.append(f"| {' | '.join(padded)} |")
    rule = [
        "-" * (width + 1) + (":" if right else "-")
        for width, right in zip(widths, numeric, strict=True)
    ]
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])


def _is_number(cell: str) -> bool:
    return cell in ("", "fails") or cell.replace(",", "").replace(".", "").rstrip("%").isdigit()
