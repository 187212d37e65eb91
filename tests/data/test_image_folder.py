"""Images in a folder per class: sizes, channels, splits and unusable files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ldl.data import SOURCES, DataSpec, SplitSpec, describe_data, list_sources, load_data
from ldl.data.sources import image_folder
from ldl.errors import DataError

RNG = np.random.default_rng(0)


def write_image(path: Path, height: int = 6, width: int = 5, mode: str = "RGB", **save: Any) -> Any:
    """Write random pixels to a file; return them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = {"RGB": 3, "RGBA": 4, "CMYK": 4, "LA": 2}.get(mode)
    shape = (height, width) if bands is None else (height, width, bands)
    x = RNG.integers(0, 256, shape, np.uint8)
    image = Image.fromarray(x).convert(mode) if bands is None else Image.frombytes(
        mode, (width, height), x.tobytes()
    )  # fmt: skip
    image.save(path, **save)
    return x


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of three images each."""
    for name in ("cat", "ant"):
        for i in range(3):
            write_image(tmp_path / "images" / name / f"{i}.png")
    return tmp_path / "images"


def images(root: Path, **settings: Any) -> Any:
    return SOURCES["images"](str(root), **settings)


def test_a_folder_per_class(tmp_path: Path) -> None:
    root = tmp_path / "p"
    files = {name: write_image(root / name) for name in ("b/1.png", "a/2.png", "a/10.PNG")}
    (root / "a" / "notes.txt").write_text("not an image")
    (root / ".hidden").mkdir()
    info = images(root).describe()
    assert (info.inputs, info.image, info.samples) == ({"x": (90,)}, (6, 5, 3), 3)
    assert (info.target.names, info.official_test) == (("a", "b"), 0)
    raw = images(root).read(0)
    assert raw.info == info
    order = ["a/10.PNG", "a/2.png", "b/1.png"]
    assert raw.inputs["x"].dtype == np.uint8
    np.testing.assert_array_equal(raw.inputs["x"].reshape(3, 6, 5, 3), [files[n] for n in order])
    assert raw.targets.tolist() == [0, 0, 1]


def test_official_test_set(root: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    root.rename(whole / "train")
    write_image(whole / "test" / "cat" / "9.png")
    info = images(whole).describe()
    assert (info.samples, info.official_test) == (7, 1)
    dataset = load_data(DataSpec(images(whole), split=SplitSpec(4, 2), shape="image"), 0)
    assert dataset.test.inputs["x"].shape == (1, 6, 5, 3)
    assert dataset.test.targets.tolist() == [1]
    write_image(whole / "test" / "dog" / "1.png")
    with pytest.raises(DataError, match='"dog" is in test/ and not in train/'):
        images(whole).describe()
    write_image(whole / "val" / "cat" / "1.png")
    with pytest.raises(DataError, match='beside train and test there is "val"'):
        images(whole).describe()


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey(tmp_path: Path, mode: str) -> None:
    write_image(tmp_path / "p" / "a" / "1.png", mode=mode)
    assert images(tmp_path / "p").describe().image == (6, 5, 1)
    assert images(tmp_path / "p", channels=3).describe().image == (6, 5, 3)
    raw = images(tmp_path / "p", channels=3).read(0).inputs["x"].reshape(6, 5, 3)
    assert (raw == raw[..., :1]).all() and set(np.unique(raw)) != {0}


@pytest.mark.parametrize("mode", ["RGBA", "CMYK", "LA"])
def test_other_colours_need_a_setting(tmp_path: Path, mode: str) -> None:
    write_image(tmp_path / "p" / "a" / "1.tif", mode=mode)
    with pytest.raises(DataError, match=r"(?s)1 of 1 images are not grey or RGB.*channels: 3"):
        images(tmp_path / "p").describe()
    assert images(tmp_path / "p", channels=1).read(0).inputs["x"].shape == (1, 30)


def test_sixteen_bits_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p" / "a").mkdir(parents=True)
    x = np.full((4, 4), 40000, np.uint16)
    Image.fromarray(x).save(tmp_path / "p" / "a" / "1.png")
    for settings in ({}, {"size": (4, 4), "channels": 1}):
        with pytest.raises(DataError, match="more than 8 bits per channel"):
            images(tmp_path / "p", **settings).read(0)


def test_mismatches_are_listed_up_to_ten(root: Path) -> None:
    for i in range(12):
        write_image(root / "ant" / f"tall{i:02}.png", 7)
    for i in range(9):
        write_image(root / "cat" / f"more{i}.png")
    write_image(root / "cat" / "grey.png", mode="L")
    with pytest.raises(DataError) as caught:
        describe_data(DataSpec(images(root)))
    text = str(caught.value)
    assert "13 of 28 images are not 6×5 RGB, as most are" in text
    assert f"{root}/ant/tall09.png 7×5 RGB" in text
    assert "tall10" not in text and "and 3 more" in text
    assert "size: [6, 5], channels: 3" in text


def test_resizing(root: Path) -> None:
    write_image(root / "cat" / "large.png", 60, 50)
    plain = root / "cat" / "plain.png"
    Image.new("RGB", (80, 40), (10, 200, 30)).save(plain)
    raw = images(root, size=(4, 3)).read(0)
    assert raw.info.image == (4, 3, 3)
    x = raw.inputs["x"].reshape(-1, 4, 3, 3)
    assert (x[-1] == [10, 200, 30]).all()
    expected = Image.open(root / "cat" / "large.png").resize((3, 4), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(x[-2], np.asarray(expected))


def test_corrupt_files_are_named(root: Path) -> None:
    good = (root / "cat" / "0.png").read_bytes()
    (root / "cat" / "cut.png").write_bytes(good[: len(good) // 2])
    (root / "ant" / "text.jpg").write_text("<html>")
    for settings in ({}, {"size": (6, 5), "channels": 3}):
        with pytest.raises(DataError) as caught:
            images(root, **settings).read(0)
        assert f"{root}/ant/text.jpg cannot be read" in str(caught.value)
    assert "2 of 8 images are unusable" in str(caught.value)
    assert "cut.png" in str(caught.value)


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "gif", "tif", "ppm", "webp"])
def test_random_damage_is_a_data_error_or_pixels(tmp_path: Path, suffix: str) -> None:
    """No damaged byte raises another exception."""
    path = tmp_path / "p" / "a" / f"1.{suffix}"
    write_image(path, 9, 9)
    whole, refused = path.read_bytes(), list[str]()
    for trial in range(150):
        data = bytearray(whole)
        if trial % 3 == 0:
            data = data[: int(RNG.integers(0, len(data)))]
        else:
            for _ in range(int(RNG.integers(1, 4))):
                data[int(RNG.integers(0, min(len(data), 120)))] = int(RNG.integers(0, 256))
        path.write_bytes(data)
        try:
            raw = images(tmp_path / "p", size=(9, 9), channels=3).read(0)
        except DataError as error:
            refused.append(str(error))
        else:
            assert raw.inputs["x"].shape == (1, 243)
    assert len(refused) > 30 and all(str(path) in text for text in refused)


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "p" / "a" / "1.png", 40, 40)
    for limit in (1000, 300):  # Pillow warns above the limit and raises above twice that
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(DataError, match=r"cannot be read .*decompression bomb"):
            images(tmp_path / "p").describe()


def test_too_much_for_memory(root: Path) -> None:
    with pytest.raises(DataError, match="`size` makes them smaller"):
        images(root, size=(100_000, 100_000), channels=3).describe()


def test_empty_folders(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a folder that can be read"):
        images(tmp_path / "nowhere").describe()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no folders in it"):
        images(tmp_path / "empty").describe()
    (root / "bee").mkdir()
    with pytest.raises(DataError, match="bee: no images in it"):
        images(root).describe()


def test_changed_files_are_seen(root: Path) -> None:
    """Headers are read once, until a file changes."""
    assert images(root).describe().image == (6, 5, 3)
    time.sleep(0.01)
    write_image(root / "cat" / "0.png", 8)
    with pytest.raises(DataError, match="1 of 6 images"):
        images(root).describe()


def test_headers_are_not_read_with_size_and_channels(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("an image was opened"))
    assert images(root, size=(3, 4), channels=1).describe().inputs == {"x": (12,)}


def test_listed_as_yours() -> None:
    assert {line.name: line.state for line in list_sources()}["images"] == "yours"


def test_the_most_bytes_that_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six images of 6×5 pixels in three channels."""
    monkeypatch.setattr(image_folder, "MAX_DATA_BYTES", 6 * 6 * 5 * 3)
    assert images(root).describe().samples == 6
    monkeypatch.setattr(image_folder, "MAX_DATA_BYTES", 6 * 6 * 5 * 3 - 1)
    with pytest.raises(DataError, match="6 images of 6×5 are more than 539 bytes"):
        images(root).describe()
