"""Augmentations compared with values by hand or a plain loop; random numbers per sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from ldl.data import (
    AUGMENTATIONS,
    NOISES,
    SOURCES,
    DataSpec,
    SplitSpec,
    augmented_batches,
    describe_data,
    load_data,
    redraw_noise,
)
from ldl.data.augmentation import center_crop
from ldl.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.random((40, 7, 9, 3)).astype(np.float32) + 1
SETTINGS: dict[str, dict[str, Any]] = {
    "random_crop": {"size": 5, "padding": 1},
    "center_crop": {"size": 4},
    "horizontal_flip": {},
    "rotation": {"degrees": 30.0},
    "shift": {"pixels": 3},
    "cutout": {"size": 3},
}


def entry(name: str, **settings: Any) -> Any:
    return AUGMENTATIONS[name](**(settings or SETTINGS[name]))


def draws(augmentation: Any, count: int = len(X)) -> np.ndarray:
    return RNG.random((count, augmentation.draws))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_entry(name: str) -> None:
    """The declared shape, float32, unchanged inputs, each image by its own numbers alone."""
    augmentation, before = entry(name), X.copy()
    u = draws(augmentation)
    y = augmentation.apply(X, u)
    assert y.shape == (len(X), *augmentation.output_size(X.shape[1:]))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(augmentation.apply(X[7:8], u[7:8])[0], y[7])
    if augmentation.draws:
        assert not np.array_equal(augmentation.apply(X, draws(augmentation)), y)


@pytest.mark.parametrize(("size", "padding"), [(5, 0), (7, 0), (5, 2), (9, 1), (1, 0)])
def test_random_crop_is_a_slice(size: int, padding: int) -> None:
    augmentation = entry("random_crop", size=size, padding=padding)
    u = draws(augmentation)
    p = padding
    padded = np.pad(X, ((0, 0), (p, p), (p, p), (0, 0)))
    tops = np.floor(u[:, 0] * (padded.shape[1] - size + 1)).astype(int)
    lefts = np.floor(u[:, 1] * (padded.shape[2] - size + 1)).astype(int)
    expected = [
        padded[i, t : t + size, k : k + size]
        for i, (t, k) in enumerate(zip(tops, lefts, strict=True))
    ]
    np.testing.assert_array_equal(augmentation.apply(X, u), expected)


def test_random_crop_reaches_every_position_and_no_other() -> None:
    """Also at the ends of [0, 1)."""
    augmentation = entry("random_crop", size=7)
    image = np.tile(np.arange(9, dtype=np.float32)[None, None, :, None], (1, 7, 1, 1))
    for u, left in [(0.0, 0), (0.34, 1), (0.9, 2), (np.nextafter(1, 0), 2)]:
        assert augmentation.apply(image, np.array([[0.5, u]]))[0, 0, 0, 0] == left


def test_flip() -> None:
    u = np.array([[0.2], [0.8]])
    y = entry("horizontal_flip").apply(X[:2], u)
    np.testing.assert_array_equal(y[0], X[0, :, ::-1])
    np.testing.assert_array_equal(y[1], X[1])
    np.testing.assert_array_equal(entry("horizontal_flip", probability=0.0).apply(X[:2], u), X[:2])
    always = entry("horizontal_flip", probability=1.0).apply(X[:2], u)
    np.testing.assert_array_equal(always, X[:2, :, ::-1])


@pytest.mark.parametrize("shape", [(8, 8, 1), (7, 9, 3), (1, 5, 2)])
def test_rotation_equals_scipy(shape: tuple[int, int, int]) -> None:
    """`ndimage.rotate` with order 1 about the same centre, zeros outside."""
    x = RNG.random((6, *shape)).astype(np.float32)
    augmentation = entry("rotation", degrees=180.0)
    u = RNG.random((6, 1))
    y = augmentation.apply(x, u)
    for image, rotated, (v,) in zip(x, y, u, strict=True):
        padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))  # SciPy does not blend at the edge
        expected = ndimage.rotate(
            padded.astype(float), (2 * v - 1) * 180, axes=(1, 0), reshape=False, order=1
        )[1:-1, 1:-1]
        np.testing.assert_allclose(rotated, expected, atol=2e-5)


def test_rotation_by_0_and_by_90_degrees() -> None:
    x = RNG.random((2, 6, 6, 3)).astype(np.float32)
    augmentation = entry("rotation", degrees=90.0)
    np.testing.assert_array_equal(augmentation.apply(x, np.full((2, 1), 0.5)), x)
    quarter = augmentation.apply(x, np.zeros((2, 1)))
    np.testing.assert_allclose(quarter, np.rot90(x, -1, (1, 2)), atol=1e-6)


def test_shift() -> None:
    """Whole pixels in both directions; zeros move in."""
    x = X[:3, :5, :5]
    y = entry("shift", pixels=2).apply(x, np.array([[0.5, 0.5], [0.0, 0.5], [0.99, 0.0]]))
    np.testing.assert_array_equal(y[0], x[0])
    np.testing.assert_array_equal(y[1, 2:], x[1, :-2])
    assert not y[1, :2].any()
    np.testing.assert_array_equal(y[2, :-2, 2:], x[2, 2:, :-2])
    assert not y[2, -2:].any() and not y[2, :, :2].any()


def test_cutout() -> None:
    """A square of zeros around the drawn pixel, clipped at the image's edges."""
    y = entry("cutout", size=3).apply(X[:2], np.array([[0.5, 0.5], [0.0, 0.99]]))
    zeros = y == 0
    assert zeros[0, 2:5, 3:6].all() and zeros[0].sum() == 27
    assert zeros[1, :2, 7:].all() and zeros[1].sum() == 12
    np.testing.assert_array_equal(y[~zeros], X[:2][~zeros])


@pytest.mark.parametrize("sizes", [(7, 9, 4, 4), (6, 8, 3, 5), (4, 4, 6, 6), (4, 7, 6, 6)])
def test_center_crop(sizes: tuple[int, int, int, int]) -> None:
    """Within half a pixel of the centre, zeros beyond the image."""
    height, width, to_height, to_width = sizes
    x = np.ones((1, height, width, 2), np.float32)
    y = center_crop(x, to_height, to_width)
    assert y.shape == (1, to_height, to_width, 2)
    assert y.flags.c_contiguous
    assert y.sum() == 2 * min(height, to_height) * min(width, to_width)
    for axis in (1, 2):
        covered = np.flatnonzero(y[0].any(axis=(2 - axis, 2)))
        assert abs(covered[0] - (y.shape[axis] - 1 - covered[-1])) <= 1


# --- in a data set ------------------------------------------------------------------------------


def spec(*augment: Any, **settings: Any) -> DataSpec:
    return DataSpec(SOURCES["digits"](), split=SplitSpec(50, 20, 20), augment=augment, **settings)


def batches(spec: DataSpec, epoch: int, rows: list[int], **targets: str) -> dict[str, np.ndarray]:
    augmented = augmented_batches(load_data(spec, 3), spec, 3, targets)
    assert augmented is not None
    augmented.start(epoch)
    return augmented.batch(np.array(rows))


@pytest.mark.parametrize(("shape", "size"), [("flat", (36,)), ("image", (6, 6, 1))])
def test_shapes_are_known_before_reading(shape: Any, size: tuple[int, ...]) -> None:
    """A random crop in training, the centre elsewhere; `describe_data` gives its size."""
    data_spec = spec(entry("random_crop", size=6), entry("cutout", size=2), shape=shape)
    info, dataset = describe_data(data_spec), load_data(data_spec, 3)
    assert info == dataset.info
    assert (info.inputs, info.image) == ({"x": size}, (6, 6, 1))
    whole = load_data(spec(shape="image"), 3)
    for name in ("train", "validation", "test"):
        centre = getattr(whole, name).inputs["x"][:, 1:7, 1:7]
        covered = getattr(dataset, name).inputs["x"]
        np.testing.assert_array_equal(covered.reshape(centre.shape), centre)
        assert covered.flags.c_contiguous and covered.shape[1:] == size
    assert batches(data_spec, 1, [4, 9])["x"].shape == (2, *size)


def test_only_the_training_split_changes() -> None:
    data_spec = spec(entry("shift", pixels=2))
    plain, changed = load_data(spec(), 3), load_data(data_spec, 3)
    for name in ("train", "validation", "test"):
        augmented, unchanged = (getattr(d, name).inputs["x"] for d in (changed, plain))
        np.testing.assert_array_equal(augmented, unchanged)
    assert changed.uncropped is None
    assert not np.array_equal(batches(data_spec, 1, [0])["x"], plain.train.inputs["x"][:1])


def test_random_numbers_belong_to_sample_and_epoch() -> None:
    """The same in any batch; different in another epoch."""
    data_spec = spec(entry("rotation"), entry("shift"))
    whole = batches(data_spec, 2, list(range(50)))["x"]
    np.testing.assert_array_equal(batches(data_spec, 2, [31, 4])["x"], whole[[31, 4]])
    other = batches(data_spec, 3, list(range(50)))["x"]
    assert (whole != other).any(axis=1).all()


def test_targets_change_with_their_inputs() -> None:
    """The clean image gets the changes of the noisy one."""
    noise = NOISES["gaussian"](0.5)
    data_spec = spec(entry("random_crop", size=5), entry("horizontal_flip"), noise=noise)
    augmented = batches(data_spec, 1, [3, 8, 2], **{"target.x": "x"})
    dataset = load_data(data_spec, 3)
    assert dataset.uncropped is not None
    noise_values = dataset.uncropped.inputs["x"] - dataset.uncropped.clean["x"]
    assert noise_values.any()
    cleaned = spec(entry("random_crop", size=5), entry("horizontal_flip"))
    np.testing.assert_array_equal(augmented["target.x"], batches(cleaned, 1, [3, 8, 2])["x"])
    assert not np.array_equal(augmented["x"], augmented["target.x"])


def test_redrawn_noise_is_in_both_sizes() -> None:
    data_spec = spec(entry("random_crop", size=6), noise=NOISES["gaussian"](0.5), shape="image")
    dataset = load_data(data_spec, 3)
    assert dataset.uncropped is not None
    before = dataset.uncropped.inputs["x"].copy()
    redraw_noise(dataset, data_spec, 3, 1)
    whole = dataset.uncropped.inputs["x"]
    assert not np.array_equal(whole, before)
    np.testing.assert_array_equal(dataset.train.inputs["x"], whole[:, 1:7, 1:7])
    redraw_noise(dataset, data_spec, 3, 0)
    np.testing.assert_array_equal(dataset.uncropped.inputs["x"], before)


def test_without_randomness_there_are_no_augmented_batches() -> None:
    data_spec = spec(entry("center_crop", size=4))
    assert augmented_batches(load_data(data_spec, 0), data_spec, 0, {}) is None
    assert augmented_batches(load_data(spec(), 0), spec(), 0, {}) is None


@pytest.mark.parametrize(
    ("source", "augment", "setting", "message"),
    [
        ("digits", [("random_crop", {"size": 9})], "augment.0", "9×9 pixels cannot be cropped"),
        ("digits", [("random_crop", {"size": 2, "padding": 9})], "augment.0", "9 is more than"),
        ("digits", [("cutout", {}), ("center_crop", {"size": 9})], "augment.1", "from 8×8"),
        ("digits", [("shift", {"pixels": 8})], "augment.0", "can empty 8×8 images"),
        ("iris", [("shift", {})], "augment", "needs images"),
    ],
)
def test_unsuitable_augmentations_are_refused_before_reading(
    source: str, augment: list[Any], setting: str, message: str
) -> None:
    data_spec = DataSpec(SOURCES[source](), augment=tuple(entry(n, **s) for n, s in augment))
    with pytest.raises(DataError, match=message) as caught:
        describe_data(data_spec)
    assert caught.value.setting == setting
