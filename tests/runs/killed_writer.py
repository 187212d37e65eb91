"""A run writer to be killed: forks one writer for each line `ROOT EPOCHS EVENT` on stdin.

The writer starts or resumes the run in ROOT and continues to EPOCHS (0: without end). It kills
itself just before its EVENT-th audit event (open, rename, mkdir, remove …; 0: never). Forking saves
the start of Python and NumPy for each writer.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path

import numpy as np
import safetensors.numpy  # noqa: F401  (loaded once, before the forks)

from ldl.runs.json_files import write_json
from ldl.runs.metrics_file import MetricsWriter
from ldl.runs.run_folder import RunFolder
from ldl.runs.run_list import find_run, run_folders

COLUMNS = ("epoch", "loss")
SIZE = 20_000
CONTENTS = {"config.yaml": b"a: 1", "source.yaml": b"a: 1"}


def write(root: Path, epochs: int) -> None:
    exists = bool(run_folders(root))
    run = find_run(root, "last") if exists else RunFolder.create(root, "kill", "abcdef", CONTENTS)
    with run.lock():
        run.set_status("running")
        checkpoint = run.load_checkpoint("last")
        epoch = checkpoint[1]["epoch"] if checkpoint else 0
        with MetricsWriter(run.metrics, COLUMNS) as writer:
            assert writer.truncate_to(epoch) == epoch, epoch
            while not epochs or epoch < epochs:
                epoch += 1
                step(run, writer, epoch)
        write_json(run.results, {"length": {"epochs": epoch}})
        run.set_status("completed")


def step(run: RunFolder, writer: MetricsWriter, epoch: int) -> None:
    writer.append({"epoch": epoch, "loss": 1 / epoch})
    arrays = {"w": np.full(SIZE, epoch, np.float32), "m": np.full(3, epoch)}
    if epoch % 2 == 0:
        run.save_checkpoint("best", arrays, {"epoch": epoch})
    run.save_checkpoint("last", arrays, {"epoch": epoch, "best": epoch - epoch % 2})


def kill_at(event: int) -> None:
    count = 0

    def on_event(name: str, _: object) -> None:
        nonlocal count
        if name == "open" or name.startswith(("os.", "shutil.")):
            count += 1
            if count == event:
                os.kill(os.getpid(), signal.SIGKILL)

    if event:
        sys.addaudithook(on_event)


def main() -> None:
    for line in sys.stdin:
        root, epochs, event = line.rstrip("\n").rsplit(" ", 2)
        pid = os.fork()
        if pid == 0:
            try:
                kill_at(int(event))
                write(Path(root), int(epochs))
            except BaseException:
                traceback.print_exc()
                os._exit(3)
            os._exit(0)
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    main()
