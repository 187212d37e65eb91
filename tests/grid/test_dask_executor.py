"""Trials on a real scheduler and workers, each a process of its own, that die and come back."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import distributed
import pytest
from distributed.comm import CommClosedError

from ldl.errors import UsageError
from ldl.execute.worker_pool import WorkerPoolError
from ldl.grid import dask_executor
from ldl.grid.grid_plan import GridOptions

from .killing import CONFIG, check_same, ended, grid, kill
from .running import entries, leases, run_all, trial, trials, weights

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


class Cluster:
    """`dask scheduler` and `dask worker`."""

    def __init__(self, scheme: str = "tcp", **environment: str) -> None:
        self.environment = {**os.environ, **environment}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"{scheme}://127.0.0.1:{port}"
        place = "--host", "127.0.0.1", "--port", str(port), "--protocol", scheme
        self.scheduler = self._start("scheduler", *place)
        self.workers: list[subprocess.Popen[bytes]] = []
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)

    def add(self) -> None:
        """One more worker, with one thread, that nobody starts again."""
        self.workers.append(self._start("worker", self.address, "--nthreads", "1", "--no-nanny"))

    def close(self) -> None:
        """End everything."""
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *words, "--no-dashboard"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.environment,
        )


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A scheduler with two workers."""
    made = Cluster()
    made.add()
    made.add()
    yield made
    made.close()


def test_the_results_are_those_without_a_cluster(cluster: Cluster, tmp_path: Path) -> None:
    """The same bits and statuses."""
    planned = trials(6)
    summary, events = run_all(tmp_path / "dask", planned, options=GridOptions(dask=cluster.address))
    assert summary.completed == 6 and events.outcomes.keys() == {item.id for item in planned}
    run_all(tmp_path / "here", planned)
    assert weights(tmp_path / "dask") == weights(tmp_path / "here")
    assert leases(tmp_path / "dask") == []
    assert (
        run_all(tmp_path / "dask", planned, options=GridOptions(dask=cluster.address))[0].completed
        == 6
    )


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_a_cluster_with_certificates(tmp_path: Path) -> None:
    """`tls://` takes certificates from Dask's configuration; without them it is an error."""
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    settings = {"distributed.comm.tls.ca-file": certificate}
    for role in ("scheduler", "worker", "client"):
        settings |= {f"distributed.comm.tls.{role}.key": key}
        settings |= {f"distributed.comm.tls.{role}.cert": certificate}
    variables = {
        f"DASK_{name.replace('.', '__').replace('-', '_').upper()}": path
        for name, path in settings.items()
    }
    cluster = Cluster("tls", **variables)
    try:
        cluster.add()
        options = GridOptions(dask=cluster.address)
        with pytest.raises(UsageError, match="needs certificates"):
            run_all(tmp_path / "grid", trials(2), options=options)
        with dask.config.set(settings):
            assert run_all(tmp_path / "grid", trials(2), options=options)[0].completed == 2
    finally:
        cluster.close()


def test_killed_workers(
    cluster: Cluster,
    whole: tuple[Path, Path, float],
    tmp_path: Path,
) -> None:
    """Ten are replaced: no trial is lost or run twice, and the results are the same."""
    file, undisturbed, seconds = whole
    rng, folder = random.Random(3), tmp_path / "grid"
    process = grid(file, folder, "--dask", cluster.address, "--retry", "100")
    before: dict[str, bytes] = {}
    kills = 0
    while process.poll() is None:
        time.sleep(rng.uniform(0.05, 0.15) * seconds)
        if kills < 10 and entries(folder):
            victim = cluster.workers.pop(rng.randrange(2))
            victim.kill()
            victim.wait()
            cluster.add()
            kills += 1
        now = entries(folder)
        assert now.items() >= before.items()
        before = now
    assert process.wait() == 0 and kills == 10
    check_same(folder, undisturbed)
    assert sum(ended(folder).values()) <= len(before) + kills


def test_killed_grid_processes(
    cluster: Cluster,
    whole: tuple[Path, Path, float],
    tmp_path: Path,
) -> None:
    """The cluster finishes the running trials, and the next call runs the rest."""
    file, undisturbed, seconds = whole
    rng, folder = random.Random(4), tmp_path / "grid"
    for _ in range(3):
        process = grid(file, folder, "--dask", cluster.address)
        time.sleep(2.0 + rng.uniform(0.0, 0.2) * seconds)
        kill([process.pid])
        process.wait()
    assert grid(file, folder, "--dask", cluster.address).wait() == 0
    check_same(folder, undisturbed)
    assert set(ended(folder).values()) == {1}


def test_a_signal_stops_the_trials_of_a_cluster(
    cluster: Cluster,
    whole: tuple[Path, Path, float],
    tmp_path: Path,
) -> None:
    """They leave checkpoints and release their leases."""
    file, undisturbed, _ = whole
    folder = tmp_path / "grid"
    process = grid(file, folder, "--dask", cluster.address)
    while not entries(folder):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert process.wait() == 143 and time.monotonic() - began < 20
    assert leases(folder) == [] and len(entries(folder)) < 12
    assert grid(file, folder, "--jobs", "2").wait() == 0
    check_same(folder, undisturbed)


def test_a_local_cluster(tmp_path: Path) -> None:
    """`--dask local` starts and ends it."""
    file = tmp_path / "small.yaml"
    text = CONFIG.replace("epochs: 120", "epochs: 2").replace("seeds: 2", "seeds: 1")
    file.write_text(text)
    assert grid(file, tmp_path / "grid", "--dask", "local", "--jobs", "2").wait() == 0
    assert len(entries(tmp_path / "grid")) == 6 and leases(tmp_path / "grid") == []


def test_no_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error within a few seconds."""
    monkeypatch.setattr(dask_executor, "SCHEDULER_TIMEOUT", 2.0)
    with pytest.raises(WorkerPoolError, match="no Dask scheduler answers"):
        run_all(tmp_path, trials(2), options=GridOptions(dask="tcp://127.0.0.1:9"))


def test_an_invalid_address(tmp_path: Path) -> None:
    """An error at once."""
    with pytest.raises(UsageError, match="not foo://x"):
        run_all(tmp_path, trials(2), options=GridOptions(dask="foo://x"))


def test_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error with a hint after a while; with a worker the grid runs."""
    monkeypatch.setattr(dask_executor, "WORKER_TIMEOUT", 3.0)
    lonely, planned = Cluster(), trials(2)
    try:
        with pytest.raises(WorkerPoolError, match=f"dask worker {lonely.address}"):
            run_all(tmp_path, planned, options=GridOptions(dask=lonely.address))
        monkeypatch.setattr(dask_executor, "WORKER_TIMEOUT", 30.0)
        lonely.add()
        assert (
            run_all(tmp_path, planned, options=GridOptions(dask=lonely.address))[0].completed == 2
        )
    finally:
        lonely.close()


def test_all_workers_lost(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their trials leave checkpoints, from which the next call continues."""
    monkeypatch.setattr(dask_executor, "WORKER_TIMEOUT", 3.0)
    slow = trial(epochs=600)

    def lose() -> None:
        time.sleep(2.0)
        kill([worker.pid for worker in cluster.workers])

    thread = threading.Thread(target=lose)
    thread.start()
    with pytest.raises(WorkerPoolError, match="no Dask worker"):
        run_all(
            tmp_path, [slow, trial(epochs=1_000_000)], options=GridOptions(dask=cluster.address)
        )
    thread.join()
    assert leases(tmp_path) == []
    assert run_all(tmp_path, [slow])[0].completed == 1


def test_a_lost_reply_loses_no_trial(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder holds the outcomes of finished trials."""
    fetch, lost = distributed.Future.result, []

    def result(self: distributed.Future, timeout: float | None = None) -> object:
        if len(lost) < 3:
            lost.append(self.key)
            raise CommClosedError("Connection reset by peer")
        return fetch(self, timeout)

    monkeypatch.setattr(distributed.Future, "result", result)
    options = GridOptions(dask=cluster.address)
    assert run_all(tmp_path, trials(6), options=options)[0].completed == 6
    assert len(lost) == 3 and sum(ended(tmp_path).values()) == 6


def test_a_lost_scheduler(
    cluster: Cluster,
    whole: tuple[Path, Path, float],
    tmp_path: Path,
) -> None:
    """An error after a while; the next call, here without a cluster, runs the rest."""
    file, undisturbed, _ = whole
    folder = tmp_path / "grid"
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).parents[2] / "cli.py"), "grid", str(file),
         "--folder", str(folder), "--dask", cluster.address],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not entries(folder):
        time.sleep(0.1)
    began = time.monotonic()
    kill([cluster.scheduler.pid])
    said = process.communicate()[1]
    assert process.returncode == 1 and time.monotonic() - began < 60
    assert "the Dask scheduler at" in said and "is gone" in said, said
    assert "the same command continues" in said
    assert grid(file, folder, "--jobs", "2").wait() == 0
    check_same(folder, undisturbed)


def test_workers_have_one_thread_and_ignore_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[dict[str, Any], bool]] = []

    def make(**settings: Any) -> None:
        calls.append((settings, signal.getsignal(signal.SIGINT) is signal.SIG_IGN))

    monkeypatch.setattr(distributed, "LocalCluster", make)
    before = signal.getsignal(signal.SIGINT)
    dask_executor._local_cluster(3)
    assert signal.getsignal(signal.SIGINT) is before
    ((settings, ignored),) = calls
    assert ignored and (settings["n_workers"], settings["threads_per_worker"]) == (3, 1)
