"""`ldl report FOLDER`, from claim files to verdicts: runs are reused, resumed, never lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ldl.cli import main
from ldl.compile import Claim, ClaimedMetric
from ldl.report import job_pool, wording
from ldl.report.claim_files import ClaimFile, ReportTitles
from ldl.report.reproduce import ClaimCase, ClaimResult, Reproduction, SeedOffset
from ldl.report.run_index import RunIndex
from ldl.report.verdicts import MetricVerdict, Verdict
from ldl.runs.process import exclusive_lock

from .helpers import check_page, experiment

GOOD = "id: a1\nwhat: a line\nmetrics: [{name: R², measured: regression.r2, at_least: 0.5}]"
Report = Callable[..., tuple[int, str, str]]


@pytest.fixture
def report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Report:
    """`ldl report claims --runs runs …`: exit code, stdout, stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        folder, runs = str(tmp_path / "claims"), str(tmp_path / "runs")
        monkeypatch.setattr(sys, "argv", ["ldl", "report", folder, "--runs", runs, *words])
        code: Any = 0
        try:
            main()
        except SystemExit as error:
            code = error.code or 0
        return code, *capsys.readouterr()

    return run


def verdicts(folder: Path, profile: str = "") -> dict[str, Any]:
    """The claims of report.json by id."""
    report = json.loads((folder / "runs" / f"report{profile}.json").read_text())
    return {claim["id"]: claim for claim in report["claims"]}


def test_from_files_to_verdicts(report: Report, tmp_path: Path) -> None:
    """Runs all seeds, logs each, gives verdicts, writes the page and the Markdown."""
    claims = tmp_path / "claims"
    experiment(claims, "a1", f"{GOOD}\nseeds: 2\nbecause: of <b>this</b>", epochs=60)
    bad = "id: a2\nwhat: not so\nmetrics: [{name: R², measured: regression.r2, claimed: 2}]"
    experiment(claims, "a2", bad)
    lost = "id: a3\nwhat: lost\nmetrics: [{name: R², measured: regression.r3, claimed: 0}]"
    experiment(claims, "a3", lost)
    (claims / "report.toml").write_text('title = "Redone"\n[sources.a]\ntitle = "A"\nclaims = 4\n')
    code, out, err = report()
    assert code == 1, err  # a3 names a metric that is not there
    assert "a3.yaml: " in out and "there is no `regression.r3`" in out
    assert "4 of 4 runs to do" in err and "[4/4]" in err
    assert "4 claims: 1 consistent with, 1 not reproduced, 1 not measured, 1 not run" in out
    results = verdicts(tmp_path)
    assert {k: v["verdict"] for k, v in results.items()} == {
        "a1": "consistent with", "a2": "not reproduced", "a3": "not measured", "a4": "not run",
    }  # fmt: skip
    assert len(results["a1"]["cases"][0]["figures"][0]["values"]) == 2
    assert "regression.r2" in results["a3"]["cases"][0]["trouble"][0]
    page = check_page((tmp_path / "runs" / "report.html").read_text())
    assert "of <b>this</b>" in page.text and "no file reproduces it yet" in page.text
    text = (tmp_path / "runs" / "report.md").read_text()
    assert "# Redone" in text and "### a1 a line" in text
    for line in text.splitlines():
        if line.startswith("!["):
            assert (tmp_path / "runs" / line.rpartition("(")[2].rstrip(")")).exists()


def test_a_second_call_reuses_all_runs(report: Report, tmp_path: Path) -> None:
    """Texts of a claim only change the page; a changed setting runs its file again."""
    claims, page = tmp_path / "claims", tmp_path / "runs" / "report.html"
    experiment(claims, "a1", GOOD)
    experiment(claims, "a2", GOOD.replace("a1", "a2"))
    report()
    runs = sorted((tmp_path / "runs").glob("2*"))
    text, written = page.read_text(), page.stat().st_mtime_ns
    code, _, err = report()
    assert code == 0 and "all 2 runs are there" in err
    assert page.stat().st_mtime_ns == written
    experiment(claims, "a1", f"{GOOD}\nbecause: I say so")
    _, _, err = report()
    assert "all 2 runs are there" in err and "I say so" in page.read_text()
    experiment(claims, "a1", GOOD, epochs=4)
    _, _, err = report()
    assert "1 of 2 runs to do" in err and "a1 seed 0" in err
    assert len(sorted((tmp_path / "runs").glob("2*"))) == len(runs) + 1
    experiment(claims, "a1", GOOD)
    report()
    assert page.read_text() == text  # the first runs are still there, and give the same page


def test_a_partial_report_does_not_replace_the_whole(report: Report, tmp_path: Path) -> None:
    """Selected claims and other seeds have a report of their own."""
    claims, page = tmp_path / "claims", tmp_path / "runs" / "report.html"
    experiment(claims, "a1", GOOD, epochs=50)
    experiment(claims, "a2", GOOD.replace("a1", "a2"), epochs=50)
    report()
    written = page.stat().st_mtime_ns
    assert "report-part.html" in report("--only", "a1")[1]
    assert "report-seeds-7-part.html" in report("--seed-offset", "7", "--only", "a2")[1]
    assert page.stat().st_mtime_ns == written
    assert [*verdicts(tmp_path, "-part")] == ["a1"]
    assert [*verdicts(tmp_path, "-seeds-7-part")] == ["a2"]


def test_a_failed_file_does_not_stop_the_others(report: Report, tmp_path: Path) -> None:
    """Exit code 1. A run that diverges has not failed, but has no results."""
    claims = tmp_path / "claims"
    experiment(claims, "a1", GOOD, epochs=60)
    wild = "optimizer: {gd: 1000}\n"
    path = experiment(claims, "a2", GOOD.replace("a1", "a2"), epochs=200)
    path.write_text(path.read_text().replace("optimizer: {gd: 0.1}\n", wild))
    experiment(claims, "a3", GOOD.replace("a1", "a3"), more="sede: 1\n")
    code, _, err = report()
    assert code == 1 and "unknown key `sede`" in err and "a2 seed 0: diverged" in err
    results = verdicts(tmp_path)
    assert [results[k]["verdict"] for k in ("a1", "a2", "a3")] == [
        "consistent with",
        "not measured",
        "not run",
    ]
    assert "left no results.json" in results["a2"]["cases"][0]["trouble"][0]
    assert "all 2 runs are there" in report()[2]


def test_starting_from_pretrained_weights(report: Report, tmp_path: Path) -> None:
    """A file with `after` starts from the trained weights of the other."""
    claims = tmp_path / "claims"
    experiment(claims, "a1", GOOD, epochs=50)
    first = "metrics: [{name: loss, measured: metrics.train_loss.first, less_than: a1}]"
    experiment(claims, "a2", f"id: a2\nwhat: on\nafter: a1\n{first}", epochs=2)
    assert report()[0] == 0
    results = verdicts(tmp_path)
    assert results["a2"]["verdict"] == "consistent with", results
    assert "all 2 runs are there" in report()[2]


def test_no_start_from_a_failed_run(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not start from new weights; it runs once the pretrained run exists."""
    claims = tmp_path / "claims"
    experiment(claims, "a1", GOOD, epochs=50)
    first = "metrics: [{name: loss, measured: metrics.train_loss.first, less_than: a1}]"
    experiment(claims, "a2", f"id: a2\nwhat: on\nafter: a1\n{first}", epochs=2)
    payload = job_pool._payload

    def fail(job: Any, *rest: Any) -> Any:
        return payload(job, *rest) | {"file": str(tmp_path / "gone.yaml")}

    monkeypatch.setattr(job_pool, "_payload", fail)
    code, _, err = report()
    assert code == 1 and "a2 seed 0: failed" in err and "starts from has failed" in err
    assert {k: v["verdict"] for k, v in verdicts(tmp_path).items()}["a2"] == "not run"
    monkeypatch.setattr(job_pool, "_payload", payload)
    assert report()[0] == 0 and verdicts(tmp_path)["a2"]["verdict"] == "consistent with"


def test_workers_run_from_any_folder(tmp_path: Path) -> None:
    """Workers use the same `ldl`, installed or not."""
    experiment(tmp_path / "claims", "a1", GOOD)
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    script = Path(__file__).parents[2] / "cli.py"
    command = [sys.executable, "-S", str(script), "report", "claims", "--runs", "runs"]
    places = os.pathsep.join(p for p in sys.path if "site-packages" in p)
    done = subprocess.run(command, cwd=tmp_path, env={**clean, "PYTHONPATH": places},
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_runs_folder_is_a_file(report: Report, tmp_path: Path) -> None:
    """A file in the place of the folder is a usage error."""
    experiment(tmp_path / "claims", "a1", GOOD)
    (tmp_path / "runs").touch()
    code, _, err = report()
    assert code == 2 and "cannot make runs in" in err


def test_a_fault_is_not_counted(report: Report, tmp_path: Path) -> None:
    """A file with `fault` does not change the verdict."""
    claims = tmp_path / "claims"
    experiment(claims, "a1", GOOD, epochs=60)
    bad = GOOD.replace("0.5", "2").replace("a line", "a line\nfault: softmax applied twice")
    experiment(claims, "a1-fault", bad)
    report()
    assert verdicts(tmp_path)["a1"]["verdict"] == "consistent with"
    page = check_page((tmp_path / "runs" / "report.html").read_text())
    assert "An error of the original, reproduced" in page.text
    assert "softmax applied twice" in page.text


def test_the_quick_profile_gives_no_verdict_on_shortened_runs(
    report: Report, tmp_path: Path
) -> None:
    """Its report has a name of its own."""
    claims = tmp_path / "claims"
    experiment(claims, "a1", f"{GOOD}\nquick: [train.epochs=1]", epochs=100_000)
    experiment(claims, "a2", GOOD.replace("a1", "a2") + "\nquick: []", epochs=60)
    assert report("--profile", "quick")[0] == 0
    results = verdicts(tmp_path, "-quick")
    assert [results[k]["verdict"] for k in ("a1", "a2")] == ["shortened", "consistent with"]
    assert not (tmp_path / "runs" / "report.html").exists()
    assert "No verdicts" in (tmp_path / "runs" / "report-quick.html").read_text()


def test_each_profile_has_a_report_of_its_own(report: Report, tmp_path: Path) -> None:
    """`full` shortens and marks it; where nothing is shortened it is the faithful one."""
    claims, runs = tmp_path / "claims", tmp_path / "runs"
    more = "\nfull: [train.epochs=2]\nsetup: {train.epochs: 60, optimizer.gd.learning_rate: 0.2}"
    experiment(claims, "a1", f"{GOOD}\nseeds: 3{more}", epochs=60)
    assert "report-full.html" in report()[1]
    (case,) = verdicts(tmp_path, "-full")["a1"]["cases"]
    assert (case["verdict"], len(case["runs"])) == ("shortened", 3)
    page = check_page((runs / "report-full.html").read_text())
    assert "train.epochs 60 2 the profile shortens it" in page.text
    assert "optimizer.gd.learning_rate 0.2 0.1 no reason is given" in page.text
    assert "faithful : 0 of 3 runs done" in page.text and "full : 3 of 3" in page.text
    assert not (runs / "report.html").exists()
    assert "report.html" in report("--profile", "faithful")[1]
    assert verdicts(tmp_path)["a1"]["verdict"] == "reproduced"
    page = check_page((runs / "report.html").read_text())
    assert "As reported: train.epochs 60." in page.text
    assert "3 instead of the 5 seeds" in page.text
    assert "ldl report" in page.text and "--only a1 --profile faithful" in page.text
    (picture,) = (a for t, a in page.tags if t == "svg" and "aria-label" in a)
    assert (picture["aria-label"] or "").startswith("R²: limit 0.5; 90 % interval of the mean")


def test_a_dry_run_runs_nothing(report: Report, tmp_path: Path) -> None:
    """It counts the runs of each profile, and estimates by those that are there."""
    experiment(tmp_path / "claims", "a1", f"{GOOD}\nseeds: 2\nquick: [train.epochs=1]", epochs=60)
    code, out, _ = report("--dry-run")
    assert code == 0 and "a1" in out
    assert "faithful: 0 of 2 runs done" in out and "quick: 0 of 1 runs done" in out
    assert not [*(tmp_path / "runs").glob("2*"), *(tmp_path / "runs").glob("report*")]
    report()
    times = json.loads(report("--dry-run", "--json")[1])["times"]
    assert [(time["profile"], time["remaining"]) for time in times][:2] == [
        ("faithful", 0.0),
        ("full", 0.0),
    ]
    assert times[0]["files"][0]["done"] == 2 and times[0]["files"][0]["measured"] > 0


def test_a_dry_run_with_an_error_in_a_file(report: Report, tmp_path: Path) -> None:
    """It lists the other files, names the place of the error, and exits with 2."""
    experiment(tmp_path / "claims", "a1", f"{GOOD}\nafter: a9")
    experiment(tmp_path / "claims", "a2", GOOD.replace("a1", "a2"))
    code, out, err = report("--dry-run")
    assert code == 2 and "a2" in out and "a1.yaml:" in err and "names the file a9" in err


def test_verdicts_with_other_seeds(report: Report, tmp_path: Path) -> None:
    """The page says for how many claims both agree, by the runs that belong to the files."""
    claims = tmp_path / "claims"
    experiment(claims, "a1", f"{GOOD}\nseeds: 3", epochs=60)
    experiment(claims, "a2", GOOD.replace("a1", "a2"), epochs=60)
    report("--seed-offset", "1000")
    assert "higher" not in (tmp_path / "runs/report-seeds-1000.html").read_text()
    report()
    page = check_page((tmp_path / "runs/report.html").read_text())
    assert "With all seeds 1000 higher, 2 of 2 claims have the same verdict." in page.text
    experiment(claims, "a2", GOOD.replace("a1", "a2"), epochs=61)
    report()
    page = check_page((tmp_path / "runs/report.html").read_text())
    assert "With all seeds 1000 higher, 1 of 1 claims have the same verdict." in page.text


def test_claims_that_depend_on_the_seeds_are_marked() -> None:
    """With both verdicts; what has no verdict with one of them is not compared."""

    def result(name: str, verdict: Verdict) -> ClaimResult:
        metric = ClaimedMetric(name="f", measured="x", claimed=1.0)
        file = ClaimFile(name, Path(f"{name}.yaml"), Claim(id=name, what=name))
        return ClaimResult(name, (ClaimCase(file, (), (MetricVerdict(metric, verdict),), verdict),))

    results = (
        result("a1", "exceeded"),
        result("a2", "reproduced"),
        result("a3", "reproduced"),
        result("a4", "not judged"),
    )
    moved = SeedOffset(7, {"a1": "exceeded", "a2": "not reproduced", "a4": "not judged"})
    reproduction = Reproduction(ReportTitles(), "faithful", results, (moved,))
    (line,) = wording.offset_lines(reproduction)
    assert line == (
        "With all seeds 7 higher, 1 of 2 claims have the same verdict; "
        "not a2 (reproduced → not reproduced)."
    )
    assert wording.moved_verdicts(results[1], reproduction) == "not reproduced with seeds 7 higher"
    assert wording.moved_verdicts(results[0], reproduction) == ""


def start(folder: Path) -> subprocess.Popen[bytes]:
    """`ldl report` in a process of its own."""
    words = ["report", str(folder / "claims"), "--runs", str(folder / "runs"), "--workers", "2"]
    program = f"import sys; sys.argv[1:] = {words!r}; from ldl.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def under_way(folder: Path, since: float, seconds: float = 40.0) -> None:
    """Wait until both runs have written a checkpoint since then."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        checkpoints = (folder / "runs").glob("2*/checkpoints/last.safetensors")
        if sum(path.stat().st_mtime > since for path in checkpoints) == 2:
            return
        time.sleep(0.02)
    raise AssertionError("no checkpoints appeared")


def case_metrics(folder: Path) -> list[Any]:
    """The metrics of all cases, which must not depend on interruptions."""
    results = verdicts(folder)
    return [case["figures"] for claim in results.values() for case in claim["cases"]]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_twice_and_resumed(
    number: signal.Signals, report: Report, tmp_path: Path
) -> None:
    """The same metrics as without interruption, from two runs; no worker survives."""
    claims, calm = tmp_path / "claims", tmp_path / "calm"
    epochs = 30_000
    text = "metrics: [{name: loss, measured: metrics.train_loss.last, at_most: 10}]"
    for name in ("a1", "a2"):
        experiment(claims, name, f"id: {name}\nwhat: x\n{text}", epochs)
        path = claims / f"{name}.yaml"
        path.write_text(path.read_text().replace("epochs: ", "checkpoint_seconds: 0.1, epochs: "))
    for _ in range(2):
        began = time.time()
        master = start(tmp_path)
        under_way(tmp_path, began)
        master.send_signal(number)
        code = master.wait(40)
        assert code == (-number if number == signal.SIGKILL else 128 + number)
    assert report()[0] == 0
    runs = sorted((tmp_path / "runs").glob("2*"))
    assert len(runs) == 2
    known = RunIndex.read(tmp_path / "runs").runs
    assert all(run.done for run in known.values())
    for run in known.values():
        pid = run.status.pid
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    calm.mkdir()
    claims.rename(calm / "claims")
    process = start(calm)
    assert process.wait(120) == 0
    assert case_metrics(calm) == case_metrics(tmp_path)


def test_two_processes_at_once(report: Report, tmp_path: Path) -> None:
    """The second process reports the owner of the lock and stops."""
    experiment(tmp_path / "claims", "a1", GOOD)
    (tmp_path / "runs").mkdir()
    with exclusive_lock(tmp_path / "runs" / ".lock"):
        code, _, err = report()
    assert code == 2 and f"in use by process {os.getpid()}" in err
    assert report()[0] == 0
