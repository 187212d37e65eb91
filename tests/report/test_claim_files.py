"""The claim files of a folder: order, selection, seeds, references, problems."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import ldl
from ldl.errors import UsageError
from ldl.execute import prepare
from ldl.report.claim_files import ClaimFile, ClaimFolder, read_report_titles

from .helpers import experiment

JUDGED = "metrics: [{name: r2, measured: regression.r2, at_least: 0.5}]"


def claim(name: str, more: str = "") -> str:
    """The text of a claim with one metric."""
    return f"id: {name}\nwhat: a line\n{JUDGED}\n{more}"


def claim_files(folder: Path, *only: str, profile: str = "full") -> dict[str, ClaimFile]:
    """The claim files by stem, in their order."""
    files = ClaimFolder(folder, only).files(profile)  # type: ignore[arg-type]
    return {file.stem: file for file in files}


def test_files_in_the_order_of_their_ids(tmp_path: Path) -> None:
    """By letter and number, uncounted files last; files without a claim are left out."""
    experiment(tmp_path, "b1", claim("b1"))
    experiment(tmp_path, "a10", claim("a10"))
    experiment(tmp_path, "a2-more", claim("a2", "fault: twice"))
    experiment(tmp_path, "a2", claim("a2"))
    (tmp_path / "plain.yaml").write_text("data: {source: iris}\nnetwork: [linear]\n")
    assert list(claim_files(tmp_path)) == ["a2", "a2-more", "a10", "b1"]


def test_one_job_per_seed(tmp_path: Path) -> None:
    """Seeds count from that of the file; the first job draws plots; each has one thread."""
    experiment(tmp_path, "a1", claim("a1", "seeds: 3"), more="seed: 7\n")
    jobs = claim_files(tmp_path)["a1"].jobs
    assert [job.seed for job in jobs] == [7, 8, 9]
    assert [job.draws_plots for job in jobs] == [True, False, False]
    assert all("train.threads=1" in job.overrides for job in jobs)
    assert len({job.key for job in jobs}) == 3
    (file,) = ClaimFolder(tmp_path).files("faithful", 100)
    assert [(job.seed, job.draws_plots) for job in file.jobs] == [
        (107, True),
        (108, False),
        (109, False),
    ]


def test_the_key_depends_on_all_that_changes_the_result(tmp_path: Path) -> None:
    """It changes with settings, seeds and the user's data, not with the claim."""

    def key(text: str, epochs: int = 3) -> str:
        experiment(tmp_path, "a1", text, epochs)
        return claim_files(tmp_path)["a1"].jobs[0].key

    before = key(claim("a1"))
    assert key(claim("a1", "because: another reason")) == before
    assert key(claim("a1"), epochs=4) != before
    table = tmp_path / "t.csv"
    table.write_text("x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(20)))
    source = "data: {source: {csv: {path: t.csv, target: y}}}\nnetwork: [linear]\n"
    (tmp_path / "a2.yaml").write_text(f"{source}claim: {{id: a2, what: x, {JUDGED}}}\n")
    before = claim_files(tmp_path)["a2"].jobs[0].key
    table.write_text("x,y\n" + "".join(f"{i},{3 * i}\n" for i in range(20)))
    assert claim_files(tmp_path)["a2"].jobs[0].key != before


def test_the_key_finds_the_runs_of_earlier_reports(tmp_path: Path) -> None:
    """Its form stays: SHA-256 of a JSON list of texts, as job.json holds it."""
    (job,) = claim_files(experiment(tmp_path, "a1", claim("a1")).parent)["a1"].jobs
    plain = tmp_path / "plain.yaml"
    plain.write_text(job.path.read_text().partition("claim:")[0])
    parts = [prepare(plain).key_text, "", ldl.__version__, ""]
    assert job.key == hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def test_selection_of_claims(tmp_path: Path) -> None:
    """By id, file or document; files that they refer to are added."""
    experiment(tmp_path, "a1", claim("a1"))
    experiment(tmp_path, "a2", claim("a2", "after: a1"))
    other = "metrics: [{name: x, measured: regression.r2, less_than: a2}]"
    experiment(tmp_path, "b1-one", f"id: b1\nwhat: x\n{other}")
    experiment(tmp_path, "b2", claim("b2"))
    assert list(claim_files(tmp_path, "a2")) == ["a1", "a2"]
    assert (
        list(claim_files(tmp_path, "b1"))
        == list(claim_files(tmp_path, "b1-one"))
        == ["a1", "a2", "b1-one"]
    )
    assert list(claim_files(tmp_path, "a")) == ["a1", "a2"]
    with pytest.raises(UsageError, match="called c9; there are a1, a2, b1, b2"):
        claim_files(tmp_path, "c9")


def test_weights_of_another_file(tmp_path: Path) -> None:
    """Each job starts from the job with the same seed; its key depends on that job's."""
    experiment(tmp_path, "a1", claim("a1", "seeds: 2"))
    experiment(tmp_path, "a2", claim("a2", "after: a1\nseeds: 3"))
    files = claim_files(tmp_path)
    before, after = files["a1"].jobs, files["a2"].jobs
    assert [job.after for job in after] == [before[0].key, before[1].key, before[1].key]
    assert [(job.seed, job.split_seed) for job in after] == [(0, 0), (1, 1), (2, 1)]
    assert "data.split.seed=1" in after[2].overrides
    experiment(tmp_path, "a1", claim("a1", "seeds: 2"), epochs=9)
    assert claim_files(tmp_path)["a2"].jobs[0].key != after[0].key


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ("after: a9", "a1.yaml:10:10: names the file a9, which is not there"),
        ("after: a1", "a1.yaml:10:10: `after` goes in a circle: a1 → a1"),
    ],
)
def test_invalid_references(more: str, word: str, tmp_path: Path) -> None:
    """The file is broken, and its problem names the reference."""
    experiment(tmp_path, "a1", claim("a1", more))
    file = claim_files(tmp_path)["a1"]
    assert word in file.problem and file.broken and not file.jobs


def test_a_metric_compared_with_itself(tmp_path: Path) -> None:
    """It needs another path; this and a wrong reference are reported together."""
    text = "id: a1\nwhat: x\nafter: a9\nmetrics: [{name: x, measured: epochs, less_than: a1"
    experiment(tmp_path, "a1", f"{text}}}]")
    problem = claim_files(tmp_path)["a1"].problem
    assert "compares a metric with itself" in problem and "names the file a9" in problem
    experiment(tmp_path, "a1", f"{text}, other_measured: best_epoch}}]".replace("after: a9\n", ""))
    assert not claim_files(tmp_path)["a1"].problem


def test_a_file_with_errors_is_listed(tmp_path: Path) -> None:
    """With all problems and their positions; other files are planned."""
    experiment(tmp_path, "a1", claim("a1"), more="sede: 3\n")
    experiment(tmp_path, "a2", claim("a2"))
    files = claim_files(tmp_path)
    assert "unknown key `sede`" in files["a1"].problem and files["a1"].broken
    assert "a1.yaml:6:1" in files["a1"].problem
    assert not files["a2"].problem


def test_missing_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listed with a hint; so are the files that start from it."""
    monkeypatch.setenv("LDL_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    for name, source in (("a1", "mnist"), ("a2", "digit_pairs")):
        inside = (
            "[linear]"
            if source == "mnist"
            else "[{concat: {}, from: [first, second]}, flatten, linear]"
        )
        (tmp_path / f"{name}.yaml").write_text(
            f"data: {{source: {source}}}\nnetwork: {inside}\n"
            f"claim: {{id: {name}, what: x, {JUDGED}}}\n"
        )
    experiment(tmp_path, "a3", claim("a3", "after: a1"))
    files = claim_files(tmp_path)
    for name in ("a1", "a2", "a3"):
        assert "ldl data fetch mnist" in files[name].problem, files[name]
        assert not files[name].broken


def test_the_quick_profile(tmp_path: Path) -> None:
    """It applies overrides; it leaves out files without them, and those that need a data set."""
    experiment(tmp_path, "a1", claim("a1", "quick: [train.epochs=1]\nseeds: 3"))
    experiment(tmp_path, "a2", claim("a2"))
    experiment(tmp_path, "a3", claim("a3", "quick: []\nseeds: 2"))
    experiment(tmp_path, "a5", claim("a5", "quick: [train.epoch=1]"))
    (tmp_path / "a4.yaml").write_text(
        "data: {source: mnist}\nnetwork: [linear]\n"
        f"claim: {{id: a4, what: x, quick: [], {JUDGED}}}\n"
    )
    files = claim_files(tmp_path, profile="quick")
    (job,) = files["a1"].jobs
    assert "train.epochs=1" in job.overrides
    assert files["a2"].problem == "the quick profile leaves it out"
    assert "for it needs mnist" in files["a4"].problem
    assert len(files["a3"].jobs) == 2 and files["a3"].overrides == ()
    assert files["a5"].broken and "epoch" in files["a5"].problem


def test_no_claims(tmp_path: Path) -> None:
    """A folder without claims is a usage error."""
    with pytest.raises(UsageError, match="no configuration with a claim"):
        ClaimFolder(tmp_path)


def test_titles(tmp_path: Path) -> None:
    """From report.toml; an error in it names the file."""
    assert read_report_titles(tmp_path).title
    (tmp_path / "report.toml").write_text('title = "T"\n[sources.a]\ntitle = "A"\nclaims = 2\n')
    titles = read_report_titles(tmp_path)
    assert (titles.title, titles.sources["a"].claims) == ("T", 2)
    for text in ("title = ", 'titel = "T"\n', "[sources.a]\nwho = 1\n", "sources = 3\n"):
        (tmp_path / "report.toml").write_text(text)
        with pytest.raises(UsageError, match=r"report\.toml"):
            read_report_titles(tmp_path)
