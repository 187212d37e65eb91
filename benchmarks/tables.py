"""The table of training steps: in the terminal's columns and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from benchmarks.contenders import CONTENDERS, EAGER, OURS
from benchmarks.others import warning
from benchmarks.race import Row, eager_ratios

EAGER_TARGET = 2.0  # PyTorch eager's time over ours, as the geometric mean
Cells = list[list[str]]


def steps_report(rows: Sequence[Row]) -> str:
    """All that the benchmark of steps has to say, in Markdown."""
    shares = [row.others for row in rows if row.others is not None]
    parts = [
        "Medians of interleaved rounds, 2 threads, each peer with its fastest settings.",
        "### Microseconds a training step",
        markdown(times(rows)),
        "### Their time over ours; rows that fall short of 1 first",
        markdown(ratios(rows)),
        "\n".join(summary(rows)),
        "### Settings, seconds to build and compile, and what failed",
        markdown(settings(rows)),
        warning(max(shares, default=None)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def names_in(rows: Sequence[Row], peers: bool = False) -> list[str]:
    """The contenders that some row has, in the order of the registry."""
    there = {name for row in rows for name in row.figures}
    return [name for name, c in CONTENDERS.items() if name in there and (c.peer or not peers)]


def times(rows: Sequence[Row]) -> Cells:
    """µs of each, our share of the peak, memory."""
    names = names_in(rows)
    head = ["training step of", *(CONTENDERS[name].label for name in names)]
    head += ["of the peak", "MB ldl", "MB PyTorch"]
    body = [
        [
            row.task.title,
            *(microseconds(row, name) for name in names),
            f"{row.share:.0%}" if row.share else "",
            megabytes(row, OURS),
            megabytes(row, EAGER),
        ]
        for row in rows
    ]
    return [head, *body]


def ratios(rows: Sequence[Row]) -> Cells:
    """Our time, each peer's over it, and the fastest's."""
    names = names_in(rows, peers=True)
    head = ["", "training step of", "ldl µs"]
    head += [*(CONTENDERS[name].label for name in names), "fastest", "its time over ours"]
    body = []
    for row in rows:
        fastest = CONTENDERS[row.fastest].label if row.fastest else ""
        given = [number(row.ratio(name)) for name in names]
        mark = "short" if row.short else ""
        mine = microseconds(row, OURS)
        body.append([mark, row.task.title, mine, *given, fastest, number(row.lead)])
    means = [number(geometric_mean([row.ratio(name) for row in rows])) for name in names]
    lead = number(geometric_mean([row.lead for row in rows]))
    return [head, *body, ["", "geometric mean", "", *means, "", lead]]


def settings(rows: Sequence[Row]) -> Cells:
    """What each peer ran with, how long it took to get ready, and why it has no figure."""
    body = []
    for row in rows:
        for name, found in row.figures.items():
            if CONTENDERS[name].peer or found.fault:
                told = found.fault or found.settings
                label = CONTENDERS[name].label
                body.append([row.task.title, label, told, f"{found.build:.1f}"])
    return [["training step of", "peer", "settings", "s to build"], *body]


def summary(rows: Sequence[Row]) -> list[str]:
    """The targets, and whether they are met."""
    leads = [row.lead for row in rows if row.lead]
    eager = geometric_mean(eager_ratios(rows))
    lines = []
    if leads:
        good = sum(lead >= 1.0 for lead in leads)
        lines.append(f"- ahead of the fastest peer on {good} of {len(leads)} rows (target: all)")
    if eager:
        met = "met" if eager >= EAGER_TARGET else "MISSED"
        lines.append(
            f"- PyTorch eager's time over ours, geometric mean: {eager:.2f} "
            f"(target {EAGER_TARGET:.0f}: {met})"
        )
    return lines


def geometric_mean(values: Sequence[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [value for value in values if value]
    return exp(sum(map(log, known)) / len(known)) if known else None


def microseconds(row: Row, name: str) -> str:
    """A step's time, `fails` or nothing."""
    found = row.figures.get(name)
    if found is None:
        return ""
    return f"{found.seconds * 1e6:,.0f}" if found.seconds else "fails"


def megabytes(row: Row, name: str) -> str:
    """The most memory held, less the libraries'."""
    found = row.figures.get(name)
    return f"{found.memory / 1e6:.0f}" if found and found.memory is not None else ""


def number(value: float | None) -> str:
    """Two places."""
    return "" if value is None else f"{value:.2f}"


def markdown(cells: Cells) -> str:
    """A table whose columns line up in a terminal too; numbers stand to the right."""
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
