"""Trials in processes of their own: results, statuses, signals, and that none affects another."""

from __future__ import annotations

import json
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ldl.errors import Interrupted
from ldl.evaluate import EVALUATIONS
from ldl.execute import evaluate, prepare, train, worker_pool
from ldl.execute.worker_pool import Task, TaskReport, TaskResult, WorkerPool, WorkerPoolError
from ldl.grid.grid_plan import GridOptions
from ldl.grid.leases import Leases
from ldl.grid.objective import Objective
from ldl.grid.run import GridRun
from ldl.grid.trial import TrialOutcome
from ldl.grid.trial_store import TrialStore
from ldl.grid.trial_training import TrialFolder
from ldl.grid.trial_worker import TRIAL_WORKER, trial_task, worker_arguments
from ldl.runs import read_json, read_metrics
from ldl.train import Trainer, TrainProgress

from .running import (
    LOSS,
    MSE,
    TEXT,
    RecordedEvents,
    as_trial,
    entries,
    leases,
    plan_of,
    run_all,
    trial,
    trials,
    weights,
)

ENDLESS = 1_000_000  # epochs
OPEN = TEXT.replace("tanh], decoder: mirror", "relu], decoder: [linear]").replace("bce", "mse")


def act_during(
    folder: Path, act: Callable[[int], None], id: str, epochs: int = 2, killed: Sequence[int] = ()
) -> threading.Thread:
    """Start a thread that calls `act` with the process of a trial after some epochs.

    Processes that were `killed` before may own the trial still.
    """

    def watch() -> None:
        metrics = folder / "trials" / id / "metrics.csv"
        for _ in range(3000):  # a busy machine takes seconds to start a process
            time.sleep(0.02)
            owner = Leases(folder / "claims").owner(id)
            if (
                owner
                and owner.pid not in killed
                and metrics.exists()
                and metrics.read_text().count("\n") > epochs
            ):
                act(owner.pid)
                return

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def local_pool(folder: Path, jobs: int) -> WorkerPool:
    """A pool for the trials of a grid folder."""
    return WorkerPool(TRIAL_WORKER, worker_arguments(folder, LOSS), jobs)


def kill(pid: int) -> None:
    """SIGKILL, as the kernel sends it when memory is short."""
    os.kill(pid, signal.SIGKILL)


def test_all_trials_are_trained_and_evaluated(tmp_path: Path) -> None:
    """Each leaves a run folder; the objective belongs to the weights that are kept."""
    planned = trials(4)
    summary, events = run_all(tmp_path, planned)
    assert (summary.completed, summary.failed, summary.waiting) == (4, 0, 0)
    assert events.outcomes.keys() == {item.id for item in planned} and leases(tmp_path) == []
    store = TrialStore(tmp_path)
    for item in planned:
        outcome, run = store.read_outcome(item.id), store.run_folder(item.id)
        rows = read_metrics(run.metrics)
        assert outcome is not None and outcome.epochs == 2 and outcome.status == "completed"
        assert outcome.objective == min(row["validation_loss"] or 9 for row in rows)
        assert run.read_status().status == "completed"
        assert not run.checkpoints.exists() and not list(run.path.glob("**/*.png"))
    assert summary.best == min(events.outcomes.values(), key=lambda o: o.objective or 9).id
    assert events.last is not None and (events.last.done, events.last.total) == (4, 4)
    assert (tmp_path / "plan.csv").read_text().count("\n") == 5


def test_a_trial_is_the_run_that_its_configuration_describes(tmp_path: Path) -> None:
    """The same bits as `ldl train` on its config.yaml."""
    (one,) = trials(1)
    run_all(tmp_path / "grid", [one])
    folder = TrialStore(tmp_path / "grid").run_folder(one.id)
    again = train(prepare(folder.config), tmp_path)
    assert again.model.read_bytes() == folder.model.read_bytes()
    assert (
        read_json(again.environment)["data_sha256"] == read_json(folder.environment)["data_sha256"]
    )


def test_results_depend_on_neither_jobs_nor_order(tmp_path: Path) -> None:
    """One worker, or two and the trials in reverse; two seeds, each with its own noise."""
    noisy = TEXT.replace(
        "scale: minmax", "scale: minmax, noise: {gaussian: 0.2}, fresh_noise: true"
    )
    planned = [trial(rate, seed=seed, text=noisy) for rate in (0.1, 0.2) for seed in (0, 1)]
    first, events = run_all(tmp_path / "one", planned, options=GridOptions(jobs=1))
    second, other = run_all(tmp_path / "two", planned[::-1], options=GridOptions(jobs=2))
    assert weights(tmp_path / "one") == weights(tmp_path / "two")
    assert len(set(weights(tmp_path / "one").values())) == 4
    assert first.best == second.best
    figures = {id: outcome.objective for id, outcome in events.outcomes.items()}
    assert figures == {id: outcome.objective for id, outcome in other.outcomes.items()}


def test_only_missing_trials_run(tmp_path: Path) -> None:
    """A second call runs nothing; a call with more trials runs only the new ones."""
    planned = trials(4)
    run_all(tmp_path, planned[:2])
    before = entries(tmp_path)
    summary, events = run_all(tmp_path, planned[:2])
    assert summary.completed == 2 and summary.best and not events.outcomes
    _, events = run_all(tmp_path, planned)
    assert events.outcomes.keys() == {item.id for item in planned[2:]}
    assert events.last is not None and events.last.already_done == 2
    assert entries(tmp_path).items() >= before.items()


def test_an_evaluation_as_the_objective(tmp_path: Path) -> None:
    """Only this evaluation runs, on the validation split."""
    (one,) = trials(1)
    _, events = run_all(tmp_path, [one], objective=MSE)
    results = read_json(TrialStore(tmp_path).run_folder(one.id).results)
    assert list(results) == ["reconstruction-validation"]
    assert events.outcomes[one.id].objective == results["reconstruction-validation"]["mse"]


@pytest.mark.parametrize("keep", ["average", "last"])
def test_the_objective_is_that_of_the_kept_weights(keep: str, tmp_path: Path) -> None:
    """Also in both rounds of halving, and as the metric of an evaluation."""
    text = TEXT.replace("train: {", f"train: {{average: {{ema: 0.999}}, keep: {keep}, ")
    short = trial(text=text)
    long = trial(epochs=4, after=short, text=text)
    for objective, name in ((LOSS, "loss"), (MSE, "mse")):
        _, events = run_all(
            tmp_path / name, [short], [long], objective=objective, keep_checkpoints=True
        )
        for item in (short, long):
            run = TrialStore(tmp_path / name).run_folder(item.id)
            results = read_json(run.results)
            losses = {key: results["average"][key]["loss"] for key in ("last", "average")}
            assert losses["average"] > losses["last"]
            measured = (
                losses[keep] if name == "loss" else results["reconstruction-validation"][name]
            )
            assert events.outcomes[item.id].objective == measured
            if name == "mse":
                kept = evaluate(run, [EVALUATIONS["reconstruction"](split="validation")])
                assert kept["reconstruction-validation"]["mse"] == measured


def test_a_trial_that_fails_affects_no_other(tmp_path: Path) -> None:
    """Divergence, a problem found late, and a configuration that is no longer valid."""
    wild = trial(1e30, text=OPEN)
    missing = as_trial(
        trials(1)[0].yaml.replace("source: digits", "source: {csv: {path: gone.csv, target: x}}")
    )
    good = trials(3)
    summary, events = run_all(tmp_path, [good[0], wild, missing, *good[1:]])
    assert (summary.completed, summary.diverged, summary.failed) == (3, 1, 1)
    assert events.outcomes[wild.id].status == "diverged"
    assert "learning_rate" in events.outcomes[wild.id].reason
    assert "gone.csv" in events.outcomes[missing.id].reason
    run_all(tmp_path / "alone", good)
    assert weights(tmp_path).items() >= weights(tmp_path / "alone").items()


def test_failed_trials_are_retried_on_request(tmp_path: Path) -> None:
    """Otherwise they are left. Trials that diverged would diverge again."""
    table = tmp_path / "table.csv"
    text = TEXT.replace("source: digits, scale: minmax", f"source: {{csv: {{path: {table}}}}}")
    text = text.replace("split: {train: 200, validation: 50, test: 50}", "target: inputs")
    rows = "".join(f"{i % 7 / 7},{i % 5 / 5},{i % 3 / 3}\n" for i in range(40))
    table.write_text("a,b,c\n" + rows)
    late, wild = trial(text=text), trial(1e30, text=OPEN)
    table.unlink()
    folder = tmp_path / "grid"
    assert run_all(folder, [late, wild])[0].failed == 1
    table.write_text("a,b,c\n" + rows)
    assert run_all(folder, [late, wild])[0].failed == 1
    summary, events = run_all(folder, [late, wild], options=GridOptions(jobs=2, retry_failed=True))
    assert (summary.completed, summary.diverged, summary.failed) == (1, 1, 0)
    assert events.outcomes.keys() == {late.id}


def test_a_trial_that_the_system_failed_is_tried_again(tmp_path: Path) -> None:
    """The same command does that by itself."""
    planned = trials(1)
    store = TrialStore(tmp_path)
    reason = "cannot write status.json: No space left on device"
    store.write_outcome(TrialOutcome(planned[0].id, "system", reason, None, 0, 0.1, 1, "here"))
    summary, events = run_all(tmp_path, planned)
    assert (summary.completed, summary.failed) == (1, 0)
    assert events.outcomes[planned[0].id].status == "completed"


def test_fail_fast_stops_with_checkpoints(tmp_path: Path) -> None:
    """Running trials can be resumed; waiting trials are not started."""
    bad = as_trial(trials(1)[0].yaml.replace("source: digits", "source: {csv: gone.csv}"))
    slow, later = trial(epochs=ENDLESS), trial(epochs=ENDLESS - 1)
    summary, _ = run_all(tmp_path, [slow, bad, later], options=GridOptions(jobs=2, fail_fast=True))
    assert (summary.failed, summary.waiting) == (1, 2)
    assert leases(tmp_path) == []


def test_a_trial_beyond_its_time_limit(tmp_path: Path) -> None:
    """Its status is timeout; it leaves a checkpoint, from which a retry continues."""
    slow = trial(epochs=ENDLESS)
    options = GridOptions(jobs=2, trial_timeout=0.4)
    summary, events = run_all(tmp_path, [slow, *trials(2)], options=options)
    outcome, run = events.outcomes[slow.id], TrialStore(tmp_path).run_folder(slow.id)
    assert (summary.completed, summary.failed) == (2, 1)
    assert (outcome.status, outcome.attempts, outcome.objective) == ("timeout", 1, None)
    assert outcome.epochs > 0 and run.load_checkpoint("last") is not None
    summary, events = run_all(
        tmp_path, [slow], options=replace(options, retry_failed=True, retry=1)
    )
    assert events.outcomes[slow.id].epochs > outcome.epochs
    assert events.outcomes[slow.id].attempts == 2


def test_a_killed_trial_resumes_from_its_checkpoint(tmp_path: Path) -> None:
    """It ends with the same bits; other trials are not affected."""
    slow, *others = trial(epochs=200), *trials(3)
    thread = act_during(tmp_path / "killed", kill, slow.id)
    summary, events = run_all(tmp_path / "killed", [slow, *others])
    thread.join()
    assert summary.completed == 4 and events.outcomes[slow.id].attempts == 2
    assert all(events.outcomes[item.id].attempts == 1 for item in others)
    run_all(tmp_path / "whole", [slow, *others])
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")


@pytest.mark.slow
def test_a_trial_that_is_killed_twice(tmp_path: Path) -> None:
    """It is retried once; then its status is killed."""
    slow, killed = trial(epochs=ENDLESS), list[int]()

    def kill_twice(pid: int) -> None:
        kill(pid)
        killed.append(pid)
        act_during(tmp_path, kill, slow.id, killed=killed).join()

    thread = act_during(tmp_path, kill_twice, slow.id)
    summary, events = run_all(tmp_path, [slow, *trials(2)])
    thread.join()
    outcome = events.outcomes[slow.id]
    assert (summary.completed, summary.failed) == (2, 1) and leases(tmp_path) == []
    assert (outcome.status, outcome.attempts) == ("killed", 2) and "SIGKILL" in outcome.reason


def test_the_next_call_resumes_a_stopped_trial(tmp_path: Path) -> None:
    """A signal leaves checkpoints and no leases; the result is that of an undisturbed grid."""
    planned = [trial(epochs=200), *trials(2)]
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    thread = act_during(tmp_path / "stopped", lambda _: os.kill(os.getpid(), 15), planned[0].id)
    with pytest.raises(Interrupted) as caught:
        run_all(tmp_path / "stopped", planned)
    thread.join()
    assert caught.value.exit_code == 143 and leases(tmp_path / "stopped") == []
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    run = TrialStore(tmp_path / "stopped").run_folder(planned[0].id)
    assert run.read_status().status == "interrupted"
    checkpoint = run.load_checkpoint("last")
    assert checkpoint is not None and checkpoint[1]["epoch"] > 0
    summary, _ = run_all(tmp_path / "stopped", planned)
    assert summary.completed == 3
    run_all(tmp_path / "whole", planned)
    assert weights(tmp_path / "stopped") == weights(tmp_path / "whole")


def test_a_longer_training_continues_a_shorter_one(tmp_path: Path) -> None:
    """The bits are those of an unbroken training; earlier epochs are not trained again."""
    short = trial(epochs=3)
    long = trial(epochs=7, after=short)
    summary, _ = run_all(tmp_path / "rounds", [short], [long], keep_checkpoints=True)
    assert summary.completed == 2
    run_all(tmp_path / "once", [replace(long, after=None)])
    assert weights(tmp_path / "rounds")[long.id] == weights(tmp_path / "once")[long.id]
    store = TrialStore(tmp_path / "rounds")
    rows = {
        epochs: read_metrics(store.run_folder(trial.id).metrics)
        for epochs, trial in ((3, short), (7, long))
    }
    assert rows[7][:3] == rows[3] and len(rows[7]) == 7


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["checkpoints/last.safetensors", "metrics.csv", "status.json"])
def test_a_trial_damaged_by_a_power_cut_starts_again(tmp_path: Path, damage: str) -> None:
    """An empty file beside a checkpoint does not fail the trial."""
    one = trial(epochs=200)
    thread = act_during(tmp_path / "cut", lambda _: os.kill(os.getpid(), 15), one.id)
    with pytest.raises(Interrupted):
        run_all(tmp_path / "cut", [one])
    thread.join()
    (tmp_path / "cut" / "trials" / one.id / damage).write_bytes(b"")
    assert run_all(tmp_path / "cut", [one])[0].completed == 1
    run_all(tmp_path / "whole", [one])
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")


def test_a_trial_leased_elsewhere_is_waited_for(tmp_path: Path) -> None:
    """Its outcome counts when it is there."""
    own, other = trials(2)
    store = TrialStore(tmp_path)
    assert store.leases.acquire(other.id)

    def finish() -> None:
        time.sleep(1.0)
        store.write_outcome(TrialOutcome(other.id, "completed", "", -1.0, 1, 1.0, 1, "elsewhere"))
        store.leases.release(other.id)

    thread = threading.Thread(target=finish)
    thread.start()
    summary, events = run_all(tmp_path, [other, own])
    thread.join()
    assert summary.completed == 2 and summary.best == other.id
    assert events.outcomes[other.id].worker == "elsewhere"


@pytest.mark.slow
def test_a_trial_that_has_lost_its_lease_records_nothing(tmp_path: Path) -> None:
    """As when this computer slept, and another one took the trial over."""
    slow = trial(epochs=ENDLESS)
    store = TrialStore(tmp_path)

    def take(pid: int) -> None:
        owner = json.loads(store.leases.path(slow.id).read_text())
        store.leases.path(slow.id).write_text(json.dumps({**owner, "machine": "another"}))
        for _ in range(200):
            time.sleep(0.05)
            if not Path(f"/proc/{pid}").exists():
                break
        store.write_outcome(TrialOutcome(slow.id, "completed", "", 0.5, 1, 1.0, 1, "another"))
        store.leases.release(slow.id)

    thread = act_during(tmp_path, take, slow.id)
    summary, events = run_all(tmp_path, [slow])
    thread.join()
    assert summary.completed == 1 and events.outcomes[slow.id].worker == "another"


@pytest.mark.slow
def test_a_trial_without_enough_memory(tmp_path: Path) -> None:
    """Its status is memory; other trials are not affected."""
    big = trial(text=TEXT.replace("linear: 16", "linear: 10000}, {linear: 20000"))
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (3 << 29, before[1]))
    try:
        summary, events = run_all(tmp_path, [big, *trials(2)])
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert (summary.completed, summary.failed) == (2, 1)
    assert (
        events.outcomes[big.id].status == "memory" and "allocate" in events.outcomes[big.id].reason
    )


@pytest.mark.slow
def test_a_trial_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    """After its time limit, when it does not react to SIGTERM."""
    slow = trial(epochs=ENDLESS)
    thread = act_during(tmp_path, lambda pid: os.kill(pid, signal.SIGSTOP), slow.id)
    options = GridOptions(jobs=2, trial_timeout=1.0)
    program = "import ldl.execute.fork_server as f; f.Worker.grace = 1.0; f.main()"
    before = worker_pool.COMMAND
    worker_pool.COMMAND = ("-c", program)
    try:
        _, events = run_all(tmp_path, [slow], options=options)
    finally:
        worker_pool.COMMAND = before
    thread.join()
    outcome = events.outcomes[slow.id]
    assert outcome.status == "timeout" and "would not stop" in outcome.reason


def test_later_trials_inherit_imports(tmp_path: Path) -> None:
    """The fork server imports what a trial had to import."""
    text = TEXT.replace("{encoder: [{linear: 16}, tanh], decoder: mirror}", "[{linear: 10}]")
    text = text.replace("loss: bce", "loss: cross_entropy")
    judged = Objective("x", "max", evaluation="classification", metric="accuracy")
    planned = [trial(rate, text=text) for rate in (0.1, 0.2, 0.3)]
    summary, events = run_all(tmp_path, planned, options=GridOptions(jobs=1), objective=judged)
    assert summary.completed == 3
    assert all(outcome.objective for outcome in events.outcomes.values())


@pytest.mark.slow
def test_the_death_of_the_fork_server_is_an_error_and_its_trials_stop(tmp_path: Path) -> None:
    """They see that their parent has died and leave a checkpoint; the next call resumes them."""
    slow = trial(epochs=200)

    def orphan(pid: int) -> None:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        kill(int(stat[1]))

    thread = act_during(tmp_path / "orphan", orphan, slow.id)
    with pytest.raises(WorkerPoolError, match="signal 9"):
        run_all(tmp_path / "orphan", [slow])
    thread.join()
    for _ in range(100):
        if not leases(tmp_path / "orphan"):
            break
        time.sleep(0.05)
    assert leases(tmp_path / "orphan") == []
    assert run_all(tmp_path / "orphan", [slow])[0].completed == 1
    run_all(tmp_path / "whole", [slow])
    assert weights(tmp_path / "orphan") == weights(tmp_path / "whole")


def test_a_closed_executor_leaves_no_process(tmp_path: Path) -> None:
    """As when the process that uses it dies: the end of the pipe stops the trials."""
    slow = trial(epochs=ENDLESS)
    store = TrialStore(tmp_path)
    local = local_pool(tmp_path, 1)
    pids: list[int] = []
    thread = act_during(tmp_path, pids.append, slow.id)
    local.start(trial_task(slow))
    thread.join()
    local.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    assert store.leases.status(slow.id) == "free" and store.read_outcome(slow.id) is None


def test_an_outcome_that_cannot_be_written_stops_the_grid(tmp_path: Path) -> None:
    """As on a full disk."""
    (one,) = trials(1)
    store = TrialStore(tmp_path)
    (store.trials / one.id).write_text("a file where the folder should be")
    with pytest.raises(WorkerPoolError):
        run_all(tmp_path, [one])


@pytest.mark.slow
def test_many_small_trials_share_files_and_memory(tmp_path: Path) -> None:
    """Common files exist once, and the fork server does not grow."""
    store, local = TrialStore(tmp_path), local_pool(tmp_path, 2)
    planned = [trial(0.05 + 0.001 * i, epochs=1) for i in range(150)]
    waiting, sizes = list(planned), []
    done = 0
    while done < len(planned):
        while waiting and local.free_slots:
            local.start(trial_task(waiting.pop()))
        done += len(local.wait(1.0))
        status = Path(f"/proc/{local._process.pid}/status").read_text()
        sizes.append(int(status.partition("VmRSS:")[2].split()[0]))
    local.close()
    assert sizes[-1] - sizes[len(sizes) // 4] < 4000  # kB
    assert len(list((tmp_path / "shared").iterdir())) == 3
    assert all(len(list(store.run_folder(item.id).path.iterdir())) <= 12 for item in planned)
    assert leases(tmp_path) == []


def test_an_executor_without_slots_at_the_end_of_a_round(tmp_path: Path) -> None:
    """The grid asks for the next round all the same."""

    class BusyExecutor:
        """Finishes trials at once; has no free slots when it reports."""

        def __init__(self) -> None:
            self.finished: list[str] = []
            self.free_slots = self.running = 1

        def start(self, task: Task) -> None:
            """Finish the trial."""
            self.finished.append(task.id)
            (tmp_path / "trials" / task.id).mkdir()
            TrialStore(tmp_path).write_outcome(
                TrialOutcome(task.id, "completed", "", 1.0, 1, 1.0, 1, "here:1")
            )
            self.free_slots = self.running = 0

        def wait(self, seconds: float) -> list[TaskReport]:
            """The finished trials."""
            back, self.finished = [TaskReport(id, TaskResult.FINISHED) for id in self.finished], []
            self.free_slots = self.running = 0 if back else 1
            return back

    rounds = [[trial(epochs=epochs)] for epochs in (1, 2, 3)]
    grid = GridRun(plan_of(*rounds), TrialStore(tmp_path), GridOptions(), RecordedEvents())
    grid.begin()
    grid.run(BusyExecutor(), lambda: False)  # type: ignore[arg-type]
    assert grid.summary().completed == 3


def test_an_empty_configuration_is_written_again(tmp_path: Path) -> None:
    """A power cut may empty it."""
    long = trial(epochs=400)
    thread = act_during(tmp_path, lambda pid: os.kill(pid, signal.SIGKILL), long.id)
    run_all(tmp_path, [long], options=GridOptions(jobs=1))
    thread.join()
    config = tmp_path / "trials" / long.id / "config.yaml"
    whole = config.read_text()
    config.write_text("")
    (tmp_path / "trials" / long.id / "trial.json").unlink()
    run_all(tmp_path, [long], options=GridOptions(jobs=1))
    assert config.read_text() == whole


def test_a_signal_in_the_last_epoch_leaves_a_checkpoint(tmp_path: Path) -> None:
    """The run resumes from there; only its evaluation was missing."""
    file = tmp_path / "one.yaml"
    file.write_text(trial(epochs=3).yaml)
    prepared = prepare(file)
    run = TrialFolder(tmp_path / "trial")
    run.path.mkdir()

    def stop(progress: TrainProgress) -> None:
        if progress.row is not None and progress.epoch == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    dataset = prepared.data()
    with pytest.raises(Interrupted):
        Trainer(prepared.experiment, dataset, run, stop).fit()
    assert run.checkpoint("last").exists()
    assert Trainer(prepared.experiment, dataset, run).fit().epochs == 3
