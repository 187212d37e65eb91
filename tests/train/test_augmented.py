"""Training on augmented images: the same bits with and without prefetching, and resumed."""

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
from ldl.errors import Diverged, Interrupted, RunError
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
    """In place of `prefetch`: each batch is computed on demand."""
    yield from items


def test_prefetching_does_not_change_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They differ from those without augmentation, and are the same for both shapes."""
    prefetched = trained(tmp_path, flat())
    image_shaped = saved(trained(tmp_path, TEXT.replace("SHAPE", "image")))
    monkeypatch.setattr(loop, "prefetch", at_once)
    now = trained(tmp_path, flat())
    assert prefetched.model.read_bytes() == now.model.read_bytes()
    assert same(saved(prefetched), image_shaped)
    without = trained(tmp_path, flat(), "data.augment=[{center_crop: 7}]")
    assert not same(saved(without), saved(now))


def test_no_thread_without_augmentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "prefetch", lambda _: pytest.fail("a thread was asked for"))
    trained(tmp_path, flat(), "data.augment=[]")
    trained(tmp_path, flat(), "data.augment=[{center_crop: 7}]")


@pytest.mark.parametrize(
    ("step", "shuffle"),  # nine steps an epoch
    [(1, True), (8, False), (9, True), (13, True), (13, False)],
)
def test_resumed_within_an_epoch(
    step: int, shuffle: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the epoch has the same images."""
    monkeypatch.setattr(trainer, "PROGRESS_INTERVAL", -1.0)
    setting = f"train.shuffle={shuffle}".lower()
    uninterrupted = trained(tmp_path, flat(), setting)
    reports = 0

    def interrupt(progress: TrainProgress) -> None:
        nonlocal reports
        reports += progress.row is None
        if reports == step and progress.row is None:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(prepared(tmp_path, flat(), setting), tmp_path / "cut", Callbacks(training=interrupt))
    (path,) = run_folders(tmp_path / "cut")
    run = RunFolder.open(path)
    resume(run)
    assert run.model.read_bytes() == uninterrupted.model.read_bytes()
    assert run.results.read_bytes() == uninterrupted.results.read_bytes()
    losses = [[row["train_loss"] for row in rows(each)] for each in (run, uninterrupted)]
    assert losses[0] == losses[1]


class Spy(AugmentedBatches):
    """Records the batches."""

    def __init__(self, inner: AugmentedBatches) -> None:
        super().__init__(inner.augmentations, inner.inputs, inner.seed)
        self.recorded: list[dict[str, Array]] = []

    def batch(self, rows: Array) -> dict[str, Array]:
        batches = super().batch(rows)
        self.recorded.append({**batches, "rows": rows})
        return batches


@pytest.mark.parametrize("noise", ["noise: {gaussian: 0.1}", "noise: null"])
def test_an_autoencoders_target_is_the_augmented_clean_image(noise: str, tmp_path: Path) -> None:
    experiment = prepared(tmp_path, AUTOENCODER.replace("NOISE", noise)).experiment
    dataset = load_data(experiment.config.data, 0)
    assert dataset.uncropped is not None
    batches = trainer.augmented_batches(
        dataset, experiment.config.data, 0, experiment.input_targets
    )
    assert batches is not None
    spy = Spy(batches)
    arrays = experiment.arrays(dataset.train)
    model = Model(experiment.graph)
    run = TrainLoop(model, experiment.config.optimizer, arrays, 16, 0, augmented=spy)
    run.run_epoch(1, EpochMetrics())
    clean = dataset.uncropped.clean["x"].reshape(-1, 8, 8)
    assert len(spy.recorded) == 4
    for given in spy.recorded:
        target = given["target.x" if "null" not in noise else "x"].reshape(-1, 6, 6)
        for row, image_shaped in zip(given["rows"], target, strict=True):
            crops = [clean[row, i : i + 6, j : j + 6] for i in range(3) for j in range(3)]
            assert any(np.array_equal(image_shaped, crop) for crop in crops)
    if "null" not in noise:
        assert not np.array_equal(spy.recorded[0]["x"], spy.recorded[0]["target.x"])


def test_the_thread_ends_with_a_divergence(tmp_path: Path) -> None:
    with pytest.raises(Diverged):
        trained(tmp_path, flat().replace("tanh", "relu"), "optimizer={sgd: 1e30}")


def test_an_exception_in_the_thread_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(AugmentedBatches, "batch", fail)
    with pytest.raises(RunError, match="not enough memory: no room"):
        trained(tmp_path, flat())


def test_evaluation_crops_the_centre(tmp_path: Path) -> None:
    """Predictions of whole images are those of their centres; the run holds the zca scaler."""
    text = flat().replace("scale: standard", "scale: {zca: 0.1}")
    text = text.replace("{size: 7, padding: 1}", "{size: 6}")
    run = trained(tmp_path, text)
    data = load_data(prepared(tmp_path, text).experiment.config.data, 3)
    assert (run.path / "scaler.safetensors").exists()
    raw = data.scaler.inverse({"x": _whole(text, tmp_path)})["x"] if data.scaler else None
    np.savez(tmp_path / "new.npz", x=np.asarray(raw).reshape(-1, 8, 8))
    experiment, outputs = predict(run, tmp_path / "new.npz")
    assert data.test is not None and data.test.targets is not None
    expected = float((experiment.predicted_classes(outputs) == data.test.targets).mean())
    accuracy = evaluate(run)["classification"]["accuracy"]
    assert expected == pytest.approx(accuracy, abs=1e-9)


def _whole(text: str, folder: Path) -> Array:
    """The scaled test images before the crop."""
    config = prepared(folder, text, "data.augment=[]").experiment.config
    test = load_data(config.data, 3).test
    assert test is not None
    return test.inputs["x"]


def test_a_damaged_scaler_is_refused(tmp_path: Path) -> None:
    from ldl.errors import RunFolderError

    run = trained(tmp_path, flat().replace("scale: standard", "scale: zca"))
    file = run.path / "scaler.safetensors"
    uninterrupted = file.read_bytes()
    file.write_bytes(uninterrupted[:-1] + bytes([uninterrupted[-1] ^ 1]))
    with pytest.raises(RunFolderError, match="damaged"):
        evaluate(run)
    file.unlink()
    with pytest.raises(RunFolderError, match="lacks"):
        evaluate(run)
