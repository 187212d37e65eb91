"""Pages of runs, comparisons and claims: complete, escaped, accessible, fast to write."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from time import process_time
from typing import Any
from unittest.mock import Mock

import pytest

from ldl.cli import main
from ldl.compile import Claim, ClaimedMetric
from ldl.config import read
from ldl.errors import Diverged
from ldl.execute import Callbacks, prepare, train
from ldl.plots import draw
from ldl.report.claim_files import ClaimFile, ReportTitles, SourceDocument
from ldl.report.claims_markdown import claims_markdown
from ldl.report.claims_page import claims_page
from ldl.report.comparison_page import comparison_page
from ldl.report.reproduce import ClaimCase, ClaimResult, Reproduction
from ldl.report.run_page import run_page, with_run_page, write_run_page
from ldl.report.setup import ReportedSetting
from ldl.report.verdicts import MetricVerdict
from ldl.runs import RunFolder
from ldl.runs.comparison import compare_runs
from ldl.runs.run_list import list_runs
from ldl.runs.status import RunState, Status
from ldl.signals import HANDLED_SIGNALS

from .helpers import LINE, check_page, make_run

DIGITS = """\
name: digits
data: {source: digits, scale: minmax}
network: [{linear: 8}, tanh, linear]
train: {epochs: 3}
"""
TEXTS = ("what", "case", "where", "outcome", "because", "cause", "time")
EVIL = "<script>alert(1)</script>&\"'<img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run with plots."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "digits.yaml").write_text(DIGITS)
    return train(prepare(folder / "digits.yaml"), folder / "runs", Callbacks(draw=draw))


def test_page_of_a_run(run: RunFolder) -> None:
    """It has all sections, a chart per metric, and the plots that charts do not replace."""
    page = check_page(run_page(run))
    for word in (
        *("digits", "completed", "Results", "Curves", "Contingency", "Plots"),
        *("Configuration", "Environment", "accuracy", "Loss by epoch", "training", "validation"),
    ):
        assert word in page.text, word
    assert DIGITS.splitlines()[2] in page.text
    charts = [attributes for _, attributes in page.tags if "data-chart" in attributes]
    assert len(charts) >= 2
    assert [t for t, a in page.tags if a.get("role") == "img"] == ["svg"] * len(charts)
    assert len(page.all("img")) == 1  # the mistakes; charts and tables replace the others


def test_contingency_matrix_is_a_table(run: RunFolder) -> None:
    """The table has every count of the CSV file."""
    (path,) = run.contingency.glob("*.csv")
    counts = [line.split(",")[1:] for line in path.read_text().splitlines()[1:]]
    text = run_page(run)
    table = text[text.index('class="matrix"') :]
    cells = re.findall(r'<td class="[^"]*">(\d+)</td>', table[: table.index("</table>")])
    assert cells == [count for row in counts for count in row]


def test_hostile_texts_of_a_run_are_escaped(tmp_path: Path) -> None:
    """Names, reasons, results, matrices and configurations are escaped."""
    results = {EVIL: {"part": EVIL, "notes": [EVIL], EVIL: 1.0, "classes": {EVIL: {"a": 1}}}}
    run = make_run(tmp_path, results, {"epoch": [1, 2], "train_loss": [1.0, 2.0]}, status="failed")
    (run.path / "source.yaml").write_text(EVIL)
    (run.path / "config.yaml").write_text(EVIL)
    (run.path / "overrides.yaml").write_text(EVIL)
    (run.path / "environment.json").write_text('{"argv": ["</script><script>x"], "seed": "<i>"}')
    (run.path / "contingency").mkdir()
    (run.path / "contingency" / "x.csv").write_text('"<b>\\<i>","<u>"\n"<u>",3\n')
    page = check_page(run_page(run))
    assert EVIL in page.text
    assert len(page.all("script")) == 1 and not page.all("i") and not page.all("u")


def test_hostile_texts_of_a_comparison_are_escaped(tmp_path: Path) -> None:
    """Names of runs, settings and their values, metrics, curves."""
    names = [f"20261120T091502Z-<script>alert(1)<i>-3f9a1{i}" for i in "ab"]
    columns = {"epoch": [1, 2], "train_<u>": [1.0, 2.0]}
    runs = [make_run(tmp_path, {"<u>": {EVIL: 1.0}}, columns, name=name) for name in names]
    settings = iter([{EVIL: EVIL}, {EVIL: [EVIL]}])
    page = check_page(comparison_page(compare_runs(runs, lambda path: next(settings)), runs))
    assert EVIL in page.text and names[0] in page.text and "<u>" in page.text
    assert len(page.all("script")) == 1 and not page.all("i") and not page.all("u")


def test_hostile_texts_of_claims_are_escaped(tmp_path: Path) -> None:
    """Titles, documents, every text of a claim, names of metrics, problems, configurations."""
    metric = ClaimedMetric(name=EVIL, measured="r.v", claimed=EVIL, at_least=0.0, unit=EVIL)
    unjudged = ClaimedMetric(name=EVIL, measured="r.v", comparison="not_judged", reason=EVIL)
    judged = ClaimedMetric(name=EVIL, measured="r.v", claimed=1.0, less_than=EVIL)
    texts = dict.fromkeys(TEXTS, f"{EVIL} `<i>`")
    counted = Claim(id="a1", metrics=[metric, unjudged, judged], **texts)  # type: ignore[arg-type]
    fault = Claim(id="a1", what=EVIL, fault=EVIL)
    setup = (
        ReportedSetting(EVIL, {EVIL: [EVIL]}, {EVIL: {EVIL: EVIL}}, True, EVIL),
        ReportedSetting(EVIL, EVIL, EVIL, False),
    )
    files = [ClaimFile(f"a1{EVIL}", tmp_path / f"{EVIL[:8]}{i}.yaml", claim, {EVIL: EVIL}, (EVIL,),
                       setup) for i, claim in enumerate((counted, fault))]  # fmt: skip
    verdicts = (
        MetricVerdict(metric, "not measured", reason=EVIL, valid_paths=(EVIL,), printed=EVIL),
        MetricVerdict(unjudged, "not judged", (1.0, 2.0)),
        MetricVerdict(judged, "reproduced", (1.0, 2.0), (3.0, 5.0), p=0.04),
    )
    cases = [ClaimCase(file, metrics=verdicts, reason=f"{EVIL}\n  ^") for file in files]
    result = ClaimResult("a1", (cases[0], cases[0]), (cases[1],))
    titles = ReportTitles(EVIL, EVIL, {"a": SourceDocument("a", EVIL, EVIL)})
    reproduction = Reproduction(titles, "quick", (result,))
    page = check_page(claims_page(reproduction, tmp_path, {EVIL: EVIL}))
    assert EVIL in page.text and "<i>" in page.text
    assert len(page.all("script")) == 1 and not page.all("i") and not page.all("img")
    text = claims_markdown(reproduction, tmp_path, {EVIL: EVIL})
    assert "<script>" not in text.replace("\\<", "")


@pytest.mark.parametrize("status", ["running", "interrupted", "diverged", "failed"])
def test_unfinished_runs_have_a_page(status: str, tmp_path: Path) -> None:
    """With a single epoch, without finite values, without any file."""
    for i, columns in enumerate(
        [
            None,
            {"epoch": [1], "train_loss": [2.0]},
            {"epoch": [1, 2], "train_loss": [None, None]},
            {"epoch": [1, 2], "train_loss": [float("inf"), 1.0]},
            {
                "epoch": [1, 2, 3],
                "train_loss": [0.0, 0.0, 0.0],
                "validation_loss": [-1.0, 0.0, 1.0],
            },
        ]
    ):
        run = make_run(tmp_path / str(i), None, columns, status=status)
        page = check_page(run_page(run))
        assert status in page.text or status == "running"


def test_ldl_train_leaves_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ldl train` writes the page, and `ldl report` writes the same again."""

    def ldl(*words: str) -> None:
        monkeypatch.setattr("sys.argv", ["ldl", *words, f"--runs={runs}"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code

    runs = tmp_path / "runs"
    (tmp_path / "x.yaml").write_text(LINE.format(name="x", epochs=2))
    ldl("train", str(tmp_path / "x.yaml"), "-q")
    (page,) = runs.glob("*/report.html")
    text = page.read_text()
    assert "completed" in check_page(text).text
    page.unlink()
    ldl("report", "last")
    assert page.read_text() == text


def test_a_run_that_diverges_leaves_a_page(tmp_path: Path) -> None:
    """The error is raised again, and the page shows the status."""
    text = LINE.format(name="x", epochs=500).replace("gd: 0.1", "gd: 1000")
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(Diverged):
        with_run_page(lambda: train(prepare(tmp_path / "x.yaml"), tmp_path / "runs"))
    (page,) = (tmp_path / "runs").glob("*/report.html")
    assert "diverged" in check_page(page.read_text()).text


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "no space left"), MemoryError()])
def test_a_page_that_cannot_be_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    """Exit code 1 and how to write it; the run is completed, and `resume` writes the page."""
    (tmp_path / "x.yaml").write_text(LINE.format(name="x", epochs=2))
    command = ["train", str(tmp_path / "x.yaml"), "--runs", str(tmp_path)]
    with monkeypatch.context() as patched:
        patched.setattr("ldl.report.run_page.write_text", Mock(side_effect=error))
        assert _exit_code(monkeypatch, *command) == 1
    assert "`ldl report " in capsys.readouterr().err
    (run,) = list_runs(tmp_path)
    assert run.status == "completed" and not (run.path / "report.html").exists()
    assert _exit_code(monkeypatch, "resume", str(run.path)) == 0
    assert (run.path / "report.html").exists()


@pytest.mark.parametrize("number", HANDLED_SIGNALS)
def test_a_signal_after_completion_leaves_a_page(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command ends as without a signal."""
    (tmp_path / "x.yaml").write_text(LINE.format(name="x", epochs=2))
    set_status = RunFolder.set_status

    def set_and_signal(run: RunFolder, status: RunState, *args: str, **options: Any) -> Status:
        written = set_status(run, status, *args, **options)
        if status == "completed":
            os.kill(os.getpid(), number)
        return written

    monkeypatch.setattr(RunFolder, "set_status", set_and_signal)
    command = ["train", str(tmp_path / "x.yaml"), "--runs", str(tmp_path)]
    assert _exit_code(monkeypatch, *command) == 0
    (page,) = tmp_path.glob("*/report.html")
    assert "completed" in page.read_text()


def _exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """The exit code of a command in this process."""
    monkeypatch.setattr("sys.argv", ["ldl", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


def test_page_of_several_runs(run: RunFolder, tmp_path: Path) -> None:
    """Settings that differ, overlaid curves, results; runs of the same name are numbered."""
    (tmp_path / "digits.yaml").write_text(DIGITS)
    other = train(prepare(tmp_path / "digits.yaml", ["train.epochs=5"]), tmp_path / "runs")
    compared = compare_runs([run, other], lambda path: {"epochs": len(read(path).tree.mark.file)})
    page = check_page(comparison_page(compared, [run, other]))
    assert run.name in page.text and other.name in page.text
    assert "Loss by epoch, validation" in page.text and "classification.accuracy" in page.text
    charts = [a["data-chart"] or "" for _, a in page.tags if "data-chart" in a]
    assert charts and all("digits (1)" in chart and "digits (2)" in chart for chart in charts)


def test_the_page_is_made_within_150_ms(run: RunFolder) -> None:
    """CPU time, the minimum of three, because every `ldl train` writes one."""

    def once() -> float:
        began = process_time()
        write_run_page(run)
        return process_time() - began

    assert min(once() for _ in range(3)) < 0.15
