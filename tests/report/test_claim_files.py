"""What a folder of claims asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldl.errors import UsageError
from ldl.report.claim_files import ClaimFile, read_claim_files, read_report_titles

from .helpers import experiment

ROOT = Path(__file__).parents[2]
JUDGED = "figures: [{name: r2, measured: regression.r2, at_least: 0.5}]"


def claim(name: str, more: str = "") -> str:
    """A claim with one figure."""
    return f"id: {name}\nwhat: a line\n{JUDGED}\n{more}"


def entries(folder: Path, *only: str, profile: str = "full") -> dict[str, ClaimFile]:
    """The entries by file, in their order."""
    found = read_claim_files(folder, profile, only)  # type: ignore[arg-type]
    return {entry.stem: entry for entry in found}


def test_files_in_the_order_of_their_ids(tmp_path: Path) -> None:
    """By letter and number; what is only shown stands last; files without a claim are left out."""
    experiment(tmp_path, "b1", claim("b1"))
    experiment(tmp_path, "a10", claim("a10"))
    experiment(tmp_path, "a2-more", claim("a2", "fault: twice"))
    experiment(tmp_path, "a2", claim("a2"))
    (tmp_path / "plain.yaml").write_text("data: {source: iris}\nnetwork: [linear]\n")
    assert list(entries(tmp_path)) == ["a2", "a2-more", "a10", "b1"]


def test_a_job_a_seed(tmp_path: Path) -> None:
    """Seeds follow that of the file; the first draws pictures; all share the cores."""
    experiment(tmp_path, "a1", claim("a1", "seeds: 3"), more="seed: 7\n")
    jobs = entries(tmp_path)["a1"].jobs
    assert [job.seed for job in jobs] == [7, 8, 9]
    assert [job.pictures for job in jobs] == [True, False, False]
    assert all("train.threads=1" in job.overrides for job in jobs)
    assert len({job.key for job in jobs}) == 3
    (entry,) = read_claim_files(tmp_path, seed_offset=100)
    assert [(job.seed, job.pictures) for job in entry.jobs] == [
        (107, True),
        (108, False),
        (109, False),
    ]


def test_the_key_is_what_the_result_depends_on(tmp_path: Path) -> None:
    """Words of the claim change nothing; settings, seeds and the user's own data do."""

    def key(text: str, epochs: int = 3) -> str:
        experiment(tmp_path, "a1", text, epochs)
        return entries(tmp_path)["a1"].jobs[0].key

    before = key(claim("a1"))
    assert key(claim("a1", "because: another reason")) == before
    assert key(claim("a1"), epochs=4) != before
    table = tmp_path / "t.csv"
    table.write_text("x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(20)))
    source = "data: {source: {csv: {path: t.csv, target: y}}}\nnetwork: [linear]\n"
    (tmp_path / "a2.yaml").write_text(f"{source}claim: {{id: a2, what: x, {JUDGED}}}\n")
    one = entries(tmp_path)["a2"].jobs[0].key
    table.write_text("x,y\n" + "".join(f"{i},{3 * i}\n" for i in range(20)))
    assert entries(tmp_path)["a2"].jobs[0].key != one


def test_only_some(tmp_path: Path) -> None:
    """By id, file or document; with what they are judged by and go on from."""
    experiment(tmp_path, "a1", claim("a1"))
    experiment(tmp_path, "a2", claim("a2", "after: a1"))
    other = "figures: [{name: x, measured: regression.r2, less_than: a2}]"
    experiment(tmp_path, "b1-one", f"id: b1\nwhat: x\n{other}")
    experiment(tmp_path, "b2", claim("b2"))
    assert list(entries(tmp_path, "a2")) == ["a1", "a2"]
    assert (
        list(entries(tmp_path, "b1")) == list(entries(tmp_path, "b1-one")) == ["a1", "a2", "b1-one"]
    )
    assert list(entries(tmp_path, "a")) == ["a1", "a2"]
    with pytest.raises(UsageError, match="called c9; there are a1, a2, b1, b2"):
        entries(tmp_path, "c9")


def test_weights_of_another_file(tmp_path: Path) -> None:
    """Each seed goes on from the same seed; what changes there changes here."""
    experiment(tmp_path, "a1", claim("a1", "seeds: 2"))
    experiment(tmp_path, "a2", claim("a2", "after: a1\nseeds: 3"))
    found = entries(tmp_path)
    before, after = found["a1"].jobs, found["a2"].jobs
    assert [job.after for job in after] == [before[0].key, before[1].key, before[1].key]
    experiment(tmp_path, "a1", claim("a1", "seeds: 2"), epochs=9)
    assert entries(tmp_path)["a2"].jobs[0].key != after[0].key


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ("after: a9", "names the file a9, which is not there; there are a1"),
        ("after: a1", "in a circle: a1 → a1"),
    ],
)
def test_a_reference_that_leads_nowhere(more: str, word: str, tmp_path: Path) -> None:
    """The file is at fault, and says so."""
    experiment(tmp_path, "a1", claim("a1", more))
    entry = entries(tmp_path)["a1"]
    assert word in entry.problem and entry.broken and not entry.jobs


def test_a_file_with_mistakes_is_listed(tmp_path: Path) -> None:
    """With all of them, each with its place; the others go on."""
    experiment(tmp_path, "a1", claim("a1"), more="sede: 3\n")
    experiment(tmp_path, "a2", claim("a2"))
    found = entries(tmp_path)
    assert "unknown key `sede`" in found["a1"].problem and found["a1"].broken
    assert "a1.yaml:6:1" in found["a1"].problem
    assert not found["a2"].problem


def test_a_data_set_that_is_not_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listed with the reason and how to get it; who goes on from it is listed too."""
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
    found = entries(tmp_path)
    for name in ("a1", "a2", "a3"):
        assert "ldl data fetch mnist" in found[name].problem, found[name]
        assert not found[name].broken


def test_the_quick_profile(tmp_path: Path) -> None:
    """Overrides are taken, a file without them stays out, and so does one that needs a data set."""
    experiment(tmp_path, "a1", claim("a1", "quick: [train.epochs=1]\nseeds: 3"))
    experiment(tmp_path, "a2", claim("a2"))
    experiment(tmp_path, "a3", claim("a3", "quick: []\nseeds: 2"))
    experiment(tmp_path, "a5", claim("a5", "quick: [train.epoch=1]"))
    (tmp_path / "a4.yaml").write_text(
        "data: {source: mnist}\nnetwork: [linear]\n"
        f"claim: {{id: a4, what: x, quick: [], {JUDGED}}}\n"
    )
    found = entries(tmp_path, profile="quick")
    (job,) = found["a1"].jobs
    assert "train.epochs=1" in job.overrides
    assert found["a2"].problem == "the quick profile leaves it out"
    assert "for it needs mnist" in found["a4"].problem
    assert len(found["a3"].jobs) == 2 and found["a3"].overrides == ()
    assert found["a5"].broken and "epoch" in found["a5"].problem


def test_nothing_to_do(tmp_path: Path) -> None:
    """A folder without claims is a mistake of the caller's."""
    with pytest.raises(UsageError, match="no configuration with a claim"):
        read_claim_files(tmp_path)


def test_titles(tmp_path: Path) -> None:
    """From report.toml; a mistake in it names the file."""
    assert read_report_titles(tmp_path).title
    (tmp_path / "report.toml").write_text('title = "T"\n[sources.a]\ntitle = "A"\nclaims = 2\n')
    found = read_report_titles(tmp_path)
    assert (found.title, found.sources["a"].claims) == ("T", 2)
    for text in ("title = ", 'titel = "T"\n', "[sources.a]\nwho = 1\n", "sources = 3\n"):
        (tmp_path / "report.toml").write_text(text)
        with pytest.raises(UsageError, match=r"report\.toml"):
            read_report_titles(tmp_path)


def test_the_shipped_claims_are_sound() -> None:
    """Every file of configs/reports can be read, bears its name, and is judged by something."""
    for entry in read_claim_files(ROOT / "configs" / "reports"):
        assert not entry.broken, entry.problem
        assert entry.claim is not None
        assert entry.stem.startswith(entry.claim.id)
        figures = entry.claim.figures
        judged = [figure for figure in figures if figure.sense != "shown"]
        assert judged or not entry.claim.counted, f"{entry.stem} is judged by nothing"
