"""Training on augmented pictures: the same bits ahead of time or not, resumed, and as a target."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ldl.train.loop as loop
import ldl.train.trainer as trainer
from ldl.arrays import Array
from ldl.data import AugmentedBatches, load_data
from ldl.engine.model import Model
from ldl.errors import Diverged, Interrupted
from ldl.execute import Callbacks, evaluate, predict, resume, train
from ldl.runs import RunFolder
from ldl.runs.run_list import run_folders
from ldl.train import EpochMetrics, TrainLoop, TrainProgress

from .helpers import prepared, rows, same, saved, trained

TEXT = """\
name: pictures
seed: 3
data:
  source: digits
  scale: standard
  split: {train: 130, validation: 40, test: 40}
  shape: SHAPE
  augment:
    - random_crop: {size: 7, padding: 1}
    - horizontal_flip
    - {rotation: 20}
    - {cutout: 3}
network: [flatten, {linear: 12}, tanh, linear]
train: {epochs: 4, batch_size: 16, keep: last}
"""
AUTOENCODER = """\
name: pictures
data:
  source: digits
  scale: minmax
  split: {train: 60, validation: 10, test: 10}
  NOISE
  augment: [{random_crop: 6}]
network: {encoder: [{linear: 5}], decoder: mirror}
train: {epochs: 2, batch_size: 16}
"""


def flat(text: str = TEXT) -> str:
    return text.replace("SHAPE", "flat")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Generator[None, None, None]:
    yield
    assert not [t for t in threading.enumerate() if t.name == "prefetch"]


def at_once(items: Iterable[Any]) -> Generator[Any, None, None]:
    """In place of `prefetch`: each batch made when it is asked for."""
    yield from items


def test_made_ahead_or_not_the_weights_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And other than without augmentation, and the same for both shapes."""
    ahead = trained(tmp_path, flat())
    picture = saved(trained(tmp_path, TEXT.replace("SHAPE", "image")))
    monkeypatch.setattr(loop, "prefetch", at_once)
    now = trained(tmp_path, flat())
    assert ahead.model.read_bytes() == now.model.read_bytes()
    assert same(saved(ahead), picture)
    plain = trained(tmp_path, flat(), "data.augment=[{center_crop: 7}]")
    assert not same(saved(plain), saved(now))


def test_no_thread_without_augmentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "prefetch", lambda _: pytest.fail("a thread was asked for"))
    trained(tmp_path, flat(), "data.augment=[]")
    trained(tmp_path, flat(), "data.augment=[{center_crop: 7}]")


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("step", [1, 8, 9, 13])  # nine steps an epoch
def test_resumed_within_an_epoch(
    step: int, shuffle: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the epoch sees the very same pictures."""
    monkeypatch.setattr(trainer, "PROGRESS_INTERVAL", -1.0)
    setting = f"train.shuffle={shuffle}".lower()
    whole = trained(tmp_path, flat(), setting)
    seen = 0

    def interrupt(progress: TrainProgress) -> None:
        nonlocal seen
        seen += progress.row is None
        if seen == step and progress.row is None:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(prepared(tmp_path, flat(), setting), tmp_path / "cut", Callbacks(training=interrupt))
    (path,) = run_folders(tmp_path / "cut")
    run = RunFolder.open(path)
    resume(run)
    assert run.model.read_bytes() == whole.model.read_bytes()
    assert run.results.read_bytes() == whole.results.read_bytes()
    losses = [[row["train_loss"] for row in rows(each)] for each in (run, whole)]
    assert losses[0] == losses[1]


class Spy(AugmentedBatches):
    """Keeps what it gives."""

    def __init__(self, inner: AugmentedBatches) -> None:
        super().__init__(inner.augmentations, inner.inputs, inner.seed)
        self.given: list[dict[str, Array]] = []

    def batch(self, rows: Array) -> dict[str, Array]:
        made = super().batch(rows)
        self.given.append({**made, "rows": rows})
        return made


@pytest.mark.parametrize("noise", ["noise: {gaussian: 0.1}", "noise: null"])
def test_an_autoencoder_gives_the_augmented_clean_picture_back(noise: str, tmp_path: Path) -> None:
    found = prepared(tmp_path, AUTOENCODER.replace("NOISE", noise)).experiment
    dataset = load_data(found.config.data, 0)
    assert dataset.uncropped is not None
    made = trainer.augmented_batches(dataset, found.config.data, 0, found.input_targets)
    assert made is not None
    spy = Spy(made)
    arrays = found.arrays(dataset.train)
    model = Model(found.graph)
    run = TrainLoop(model, found.config.optimizer, arrays, 16, 0, augmented=spy)
    run.run_epoch(1, EpochMetrics())
    clean = dataset.uncropped.clean["x"].reshape(-1, 8, 8)
    assert len(spy.given) == 4
    for given in spy.given:
        target = given["target.x" if "null" not in noise else "x"].reshape(-1, 6, 6)
        for row, picture in zip(given["rows"], target, strict=True):
            crops = [clean[row, i : i + 6, j : j + 6] for i in range(3) for j in range(3)]
            assert any(np.array_equal(picture, crop) for crop in crops)
    if "null" not in noise:
        assert not np.array_equal(spy.given[0]["x"], spy.given[0]["target.x"])


def test_the_thread_ends_with_a_divergence(tmp_path: Path) -> None:
    with pytest.raises(Diverged):
        trained(tmp_path, flat().replace("tanh", "relu"), "optimizer={sgd: 1e30}")


def test_what_the_thread_cannot_do_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(AugmentedBatches, "batch", fail)
    with pytest.raises(MemoryError, match="no room"):
        trained(tmp_path, flat())


def test_judged_on_the_middle(tmp_path: Path) -> None:
    """Predictions of whole pictures are those of their middles; zca travels with the run."""
    text = flat().replace("scale: standard", "scale: {zca: 0.1}")
    text = text.replace("{size: 7, padding: 1}", "{size: 6}")
    run = trained(tmp_path, text)
    data = load_data(prepared(tmp_path, text).experiment.config.data, 3)
    assert (run.path / "scaler.safetensors").exists()
    raw = data.scaler.inverse({"x": _whole(text, tmp_path)})["x"] if data.scaler else None
    np.savez(tmp_path / "new.npz", x=np.asarray(raw).reshape(-1, 8, 8))
    experiment, outputs = predict(run, tmp_path / "new.npz")
    assert data.test is not None and data.test.targets is not None
    right = float((experiment.predicted_classes(outputs) == data.test.targets).mean())
    judged = evaluate(run)["classification"]["accuracy"]
    assert right == pytest.approx(judged, abs=1e-9)


def _whole(text: str, folder: Path) -> Array:
    """The scaled test pictures before the crop."""
    config = prepared(folder, text, "data.augment=[]").experiment.config
    test = load_data(config.data, 3).test
    assert test is not None
    return test.inputs["x"]


def test_a_damaged_scaler_is_refused(tmp_path: Path) -> None:
    from ldl.errors import RunFolderError

    run = trained(tmp_path, flat().replace("scale: standard", "scale: zca"))
    file = run.path / "scaler.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(RunFolderError, match="damaged"):
        evaluate(run)
    file.unlink()
    with pytest.raises(RunFolderError, match="lacks"):
        evaluate(run)
