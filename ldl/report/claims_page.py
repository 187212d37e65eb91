"""The page of a folder of claims: a summary, then a card for each claim."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ldl.report import setup_wording, wording
from ldl.report.interval_chart import IntervalChart, interval_chart
from ldl.report.page import render_page
from ldl.report.plot_files import PlotImage, plot_image, reduced_png, select_plots
from ldl.report.reproduce import ClaimCase, Reproduction
from ldl.report.verdicts import Verdict


def claims_page(reproduction: Reproduction, cache: Path, environment: Mapping[str, str]) -> str:
    """The whole page. Its plots are reduced in size and kept in the folder `cache`."""

    def plots(case: ClaimCase) -> list[PlotImage]:
        return _plots(case, cache)

    return render_page(
        "claims.html",
        titles=reproduction.titles,
        profile=reproduction.profile,
        reproduction=reproduction,
        summary=wording.tally_line(reproduction),
        tally=reproduction.tally,
        bars=_bars(reproduction.tally),
        results=reproduction.results,
        documents=reproduction.documents,
        environment=environment,
        plots=plots,
        intervals=interval_charts,
        wording=wording,
        setup_wording=setup_wording,
    )


def interval_charts(case: ClaimCase) -> list[IntervalChart]:
    """A small plot of each metric that has something to show."""
    return [chart for result in case.metrics if (chart := interval_chart(result)) is not None]


def _bars(tally: Mapping[Verdict, int]) -> list[dict[str, str]]:
    """The share of each verdict as a part of a bar, with a gap of 0.3 %."""
    total, left, bars = sum(tally.values()) or 1, 0.0, []
    for verdict, count in tally.items():
        width = 100 * count / total
        size = f"{max(width - 0.3, 0.1):.2f}%"
        bars.append({"verdict": str(verdict), "x": f"{left:.2f}%", "width": size})
        left += width
    return bars


def _plots(case: ClaimCase, cache: Path) -> list[PlotImage]:
    """The plots of the first seed."""
    if not case.runs:
        return []
    experiment = case.claim.what + (f", {case.claim.case}" if case.claim.case else "")
    seed = case.file.jobs[0].seed
    return [
        plot_image(reduced_png(plot, cache), plot.title, f"{plot.title}: {experiment}, seed {seed}")
        for plot in select_plots(case.runs[0].run, case.claim.plots)
    ]
