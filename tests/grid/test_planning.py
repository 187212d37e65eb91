"""Plans: numbers, ids, seeds and notes; the same file gives the same plan."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml

import ldl
from ldl.config import extends
from ldl.config.reader import parse
from ldl.errors import ConfigError, DataError
from ldl.execute import prepare, train
from ldl.grid import planning
from ldl.grid.planning import check
from ldl.grid.trial import Trial

from .plans import BASE, RATES, SIZES, checked_grid, grid_plan, write_config

GAUSSIANS = "name: drawn\ndata: {source: {gaussians: {samples: 60}}}\nnetwork: [linear]\n"


def trials(folder: Path, block: str, *overrides: str, base: str = BASE) -> list[Trial]:
    """The trials that the search asks for first."""
    return grid_plan(folder, block, *overrides, base=base).search.ask([])


# --- numbers and ids ------------------------------------------------------------------------


def test_the_same_file_gives_the_same_trials(tmp_path: Path) -> None:
    """Ids, numbers, order, texts."""
    block = f"seeds: 2\nvary:\n  {SIZES}\n  {RATES}"
    assert trials(tmp_path, block) == trials(tmp_path, block)


def test_each_candidate_has_all_seeds(tmp_path: Path) -> None:
    """seed, seed + 1 …; trials of one candidate share its number and its key, not their ids."""
    first = trials(tmp_path, f"seeds: 3\nvary: {{{SIZES}}}", "seed=5")
    assert [(trial.number, trial.seed) for trial in first] == [
        (number, seed) for number in (1, 2, 3) for seed in (5, 6, 7)
    ]
    assert len({trial.id for trial in first}) == 9
    assert [len({t.setting for t in first if t.number == n}) for n in (1, 2, 3)] == [1, 1, 1]
    assert len({trial.setting for trial in first}) == 3
    assert all(len(t.id) == 16 and set(t.id) <= set("0123456789abcdef") for t in first)


@pytest.mark.parametrize(
    ("search", "method"),
    [("grid", "grid"), ("{random: 2}", "random"), ("halving", "halving"), ("{tpe: 2}", "tpe")],
)
def test_a_plan_names_its_search(search: str, method: str, tmp_path: Path) -> None:
    """Halving alone continues trials from the checkpoints of others."""
    plan = grid_plan(tmp_path, f"search: {search}\nvary: {{{SIZES}}}")
    assert (plan.method, plan.keep_checkpoints) == (method, method == "halving")


def test_more_values_and_seeds_keep_ids(tmp_path: Path) -> None:
    """Only new trials have new ids, in any place of the block."""
    fewer = {t.id for t in trials(tmp_path, f"vary: {{{SIZES}}}")}
    longer = SIZES.replace("[8,", "[4, 8,")
    more = {t.id for t in trials(tmp_path, f"seeds: 2\nvary: {{{longer}}}")}
    other = {t.id for t in trials(tmp_path, f"vary:\n  network.1: [relu, tanh]\n  {SIZES}")}
    assert fewer < more and len(more) == 8
    assert fewer < other and len(other) == 6


def test_ids_depend_on_data_and_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same configuration on other data, or by another version, is another trial."""
    table = tmp_path / "t.csv"
    base = "data: {source: {csv: {path: t.csv, target: y}}}\nnetwork: [linear]\n"
    table.write_text("x,y\n" + "1,p\n2,q\n" * 20)
    before = trials(tmp_path, "seeds: 2", base=base)
    assert before == trials(tmp_path, "seeds: 2", base=base)
    table.write_text("x,y\n" + "1,p\n3,q\n" * 20)
    after = trials(tmp_path, "seeds: 2", base=base)
    monkeypatch.setattr(ldl, "__version__", "99.0")
    later = trials(tmp_path, "seeds: 2", base=base)
    assert [t.yaml for t in before] == [t.yaml for t in after] == [t.yaml for t in later]
    assert len({t.id for t in (*before, *after, *later)}) == 6
    assert len({t.setting for t in (*before, *after, *later)}) == 3


def test_ids_depend_on_pretrained_weights(tmp_path: Path) -> None:
    """Not on the folder's name alone: it may hold another run later."""
    path = write_config(tmp_path, "")
    overrides = (["seed=0", "train.epochs=1"], ["seed=1", "train.epochs=1"])
    runs = [train(prepare(path, changes), tmp_path / "runs") for changes in overrides]
    runs[0].path.rename(tmp_path / "pretrained")
    start = f"start_from={tmp_path / 'pretrained'}"
    before = trials(tmp_path, "seeds: 2", start)
    assert before == trials(tmp_path, "seeds: 2", start)
    shutil.rmtree(tmp_path / "pretrained")
    runs[1].path.rename(tmp_path / "pretrained")
    after = trials(tmp_path, "seeds: 2", start)
    assert [t.yaml for t in before] == [t.yaml for t in after]
    assert not {t.id for t in before} & {t.id for t in after}


def test_generated_data_differs_by_seed(tmp_path: Path) -> None:
    """The trials share one candidate."""
    first, second = trials(tmp_path, "seeds: 2", base=GAUSSIANS)
    assert first.setting == second.setting and first.id != second.id


def test_values_are_those_of_the_block(tmp_path: Path) -> None:
    """Plain data, without keys that `when` rules out."""
    block = (
        "vary: {optimizer: [adam, {sgd: 0.1}], optimizer.sgd.momentum: [0.9]}\n"
        "when: {optimizer.sgd.momentum: {optimizer: sgd}}"
    )
    assert [trial.values for trial in trials(tmp_path, block)] == [
        {"optimizer": "adam"},
        {"optimizer": {"sgd": 0.1}, "optimizer.sgd.momentum": 0.9},
    ]


# --- duplicates ------------------------------------------------------------------------------


def test_equal_candidates_run_once(tmp_path: Path) -> None:
    """The first keeps its number; a note names both."""
    block = "vary: {optimizer: [adam, {adam: 0.01}, {adam: {learning_rate: 1e-2}}, {sgd: 0.1}]}"
    grid = checked_grid(tmp_path, block)
    assert [candidate.number for candidate in grid.candidates] == [1, 2]
    (note,) = grid.notes
    assert note.startswith("2 settings are the same as another and run once: ")
    assert "(optimizer: {adam: 0.01}) is setting 1 (optimizer: adam)" in note


def test_an_included_candidate_that_exists(tmp_path: Path) -> None:
    """It runs once."""
    grid = checked_grid(tmp_path, f"vary: {{{SIZES}}}\ninclude: [{{train.batch_size: 8}}]")
    assert len(grid.candidates) == 3 and "one setting is the same" in grid.notes[0]


def test_no_note_where_all_differ(tmp_path: Path) -> None:
    """There are no duplicates."""
    assert checked_grid(tmp_path, f"vary: {{{SIZES}}}").notes == []


def test_losses_that_do_not_compare(tmp_path: Path) -> None:
    """A note, unless the objective is another metric."""
    vary = "vary: {loss: [cross_entropy, mse]}"
    assert "do not compare" in checked_grid(tmp_path, vary).notes[0]
    assert checked_grid(tmp_path, f"objective: validation.accuracy\n{vary}").notes == []


# --- the base -------------------------------------------------------------------------------


def test_the_base_is_the_file_without_its_grid(tmp_path: Path) -> None:
    """Other values and seeds are the same grid; another configuration or objective is not."""
    first = grid_plan(tmp_path, f"vary: {{{SIZES}}}").base_digest
    assert (
        grid_plan(tmp_path, f"seeds: 3\nsearch: {{random: 2}}\nvary: {{{RATES}}}").base_digest
        == first
    )
    assert grid_plan(tmp_path, f"vary: {{{SIZES}}}", "grid.seeds=2").base_digest == first
    others = {
        grid_plan(tmp_path, f"vary: {{{SIZES}}}", "train.epochs=8").base_digest,
        grid_plan(tmp_path, f"vary: {{{SIZES}}}", "seed=1").base_digest,
        grid_plan(tmp_path, f"objective: train.loss\nvary: {{{SIZES}}}").base_digest,
        grid_plan(tmp_path, f"goal: max\nvary: {{{SIZES}}}").base_digest,
    }
    assert len(others) == 4 and first not in others


def test_overrides_of_the_block(tmp_path: Path) -> None:
    """Overrides and `extends` apply; the rest of a path is one dotted key."""
    block = f"seeds: 3\nvary: {{{SIZES}}}"
    changes = ["grid.seeds=1", "grid.vary.train.batch_size=[4]", "grid.vary.network.1=[tanh, relu]"]
    assert [t.values for t in trials(tmp_path, block, *changes)] == [
        {"train.batch_size": 4, "network.1": layer} for layer in ("tanh", "relu")
    ]
    over = tmp_path / "over.yaml"
    over.write_text("extends: small.yaml\ngrid: {seeds: 2, search: {random: {trials: 2}}}\n")
    assert len(planning.read_grid(over).plan().search.ask([])) == 4


def test_check(tmp_path: Path) -> None:
    """The experiment alone where there is no block; else all problems of the file."""
    plain = tmp_path / "plain.yaml"
    plain.write_text(BASE)
    prepared, grid = check(plain)
    assert grid is None and prepared.experiment.task == "classification"
    _, grid = check(write_config(tmp_path, f"vary: {{{SIZES}}}"))
    assert grid is not None and grid.max_trials == 3
    with pytest.raises(ConfigError) as caught:
        check(write_config(tmp_path, "vary: {train.epoch: [1]}", BASE.replace("epochs", "epoch")))
    assert len(caught.value.problems) == 2


@pytest.mark.slow
def test_ten_thousand_trials_take_seconds(tmp_path: Path) -> None:
    """About two on an idle machine; the limit is higher, for shared machines."""
    block = (
        "vary:\n  optimizer.adam.learning_rate: {logspace: [-4, -1, 100]}\n"
        "  train.batch_size: {range: [1, 51, 1]}\n  network.1: [tanh, relu]"
    )
    began = time.process_time()
    assert len(trials(tmp_path, block)) == 10_000
    assert time.process_time() - began < 20


@pytest.mark.parametrize("broken", ["", "epochs: 9", "objective: validation.loss"])
@pytest.mark.parametrize("command", [check, planning.read_grid])
def test_a_file_is_parsed_once(
    command: Callable[[Path], object], broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is sound, or its experiment or its grid block has problems."""
    path = write_config(tmp_path, f"vary: {{{SIZES}}}")
    path.write_text(path.read_text().replace(broken, broken.replace(": ", "s: "), 1))
    parsed: list[str] = []

    def counted(text: str, *rest: Any) -> Any:
        parsed.append(text)
        return parse(text, *rest)

    monkeypatch.setattr(extends, "parse", counted)
    with pytest.raises(ConfigError) if broken else nullcontext():
        command(path)
    assert parsed == [path.read_text()]


# --- what the trials are evaluated on -------------------------------------------------------


def test_all_seeds_have_one_split(tmp_path: Path) -> None:
    """Whatever the seeds; a note says what varying the split means."""
    block = f"seeds: 3\nvary: {{{SIZES}}}"
    assert {
        yaml.safe_load(trial.yaml)["data"]["split"]["seed"]
        for trial in trials(tmp_path, block, "seed=5", "data.split.seed=7")
    } == {7}
    varied = checked_grid(tmp_path, "vary: {data.split.seed: [0, 1]}")
    assert "`data.split.seed` is varied" in varied.notes[0]


def test_ids_of_trials_that_were_split_by_their_own_seed_stay(tmp_path: Path) -> None:
    """A trial with seed 0 has the id of a trial made before splits had a seed."""
    (trial,) = trials(tmp_path, "objective: validation.accuracy\nvary: {train.epochs: [2]}")
    assert "seed: 0" in trial.yaml
    candidate = checked_grid(tmp_path, "vary: {train.epochs: [2]}").candidates[0]
    assert "split seed" not in candidate.key_text(0) and "split seed: 0" in candidate.key_text(1)


def test_weights_that_know_the_test_split_are_refused_before_any_trial(tmp_path: Path) -> None:
    file = write_config(tmp_path, f"vary: {{{SIZES}}}")
    pretrained = train(prepare(file, ["train.epochs=1"]), tmp_path / "runs")
    start = f"start_from={pretrained.path}"
    assert len(trials(tmp_path, f"vary: {{{SIZES}}}", start)) == 3
    with pytest.raises(DataError, match=r"start_from: 23 of 30 test samples"):
        trials(tmp_path, f"vary: {{{SIZES}}}", start, "data.split.seed=1")
    allowed = f"start_from={{run: {pretrained.path}, allow_overlap: true}}"
    assert len(trials(tmp_path, f"vary: {{{SIZES}}}", allowed, "data.split.seed=1")) == 3
