"""CIFAR-10 from a tar, a folder, the binary batches, the cache and OpenML; the real set."""

from __future__ import annotations

import io
import os
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ldl.data import (
    SOURCES,
    DataSpec,
    SplitSpec,
    describe_data,
    fetch,
    list_sources,
    load_data,
    verify,
)
from ldl.data import openml as openml_module
from ldl.data.dataset import DatasetInfo
from ldl.data.sources import cifar10 as module
from ldl.data.sources.cifar10 import CLASSES, Cifar10
from ldl.errors import DataError

HOME = os.environ.get("LDL_DATA_DIR", "")
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    def refuse(url: str) -> Any:
        raise OSError("no network in tests")

    path = tmp_path / "data"
    path.mkdir()
    monkeypatch.setattr(openml_module, "_open", refuse)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LDL_DATA_DIR", str(path))
    return path


def jpeg(
    colour: tuple[int, int, int], size: tuple[int, int] = (32, 32), mode: str = "RGB"
) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).convert(mode).save(file, "JPEG", quality=95)
    return file.getvalue()


def files(train: int = 2, test: int = 1) -> dict[str, bytes]:
    """JPEG files; an image's colour encodes its split, class and number."""
    return {
        f"{split}/{name}/{i:04}.jpg": jpeg((25 * c, 80 * i, 200 if split == "test" else 40))
        for split, count in (("train", train), ("test", test))
        for c, name in enumerate(CLASSES)
        for i in range(count)
    }


def write_tar(path: Path, content: dict[str, bytes], mode: str = "w:xz") -> None:
    with tarfile.open(path, mode) as archive:
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def write_folder(path: Path, content: dict[str, bytes]) -> None:
    for name, data in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)


def check(raw: Any) -> None:
    """The samples are those of `files`, by split, class and number."""
    assert raw.info.official_test == 10
    assert raw.targets.tolist() == [*np.repeat(range(10), 2), *range(10)]
    x = raw.inputs["x"].reshape(30, 32, 32, 3).astype(int)
    colours = [(25 * c, 80 * i, 40) for c in range(10) for i in (0, 1)]
    colours += [(25 * c, 0, 200) for c in range(10)]
    assert np.abs(x - np.array(colours)[:, None, None]).max() <= 3  # JPEG rounds


@pytest.mark.parametrize("form", ["tar.xz", "tar.gz", "tar", "./tar", "shuffled", "folder"])
def test_jpeg_files(folder: Path, form: str) -> None:
    content = files()
    if form == "shuffled":
        content = {name: content[name] for name in RNG.permutation(list(content))}
    if form == "./tar":
        content = {f"./cifar10/{name}": data for name, data in content.items()}
    if form == "folder":
        write_folder(folder / "cifar10", content)
    else:
        suffix = {"tar.gz": "tar.gz", "tar": "tar"}.get(form, "tar.xz")
        modes = {"tar.gz": "w:gz", "tar": "w"}
        write_tar(folder / f"cifar10-jpeg.{suffix}", content, modes.get(form, "w:xz"))
    check(SOURCES["cifar10"]().read(0))
    assert {line.name: line.state for line in list_sources()}["cifar10"] == "found"


def test_description_reads_no_file() -> None:
    info = describe_data(DataSpec(SOURCES["cifar10"](), shape="image"))
    assert (info.inputs, info.image) == ({"x": (32, 32, 3)}, (32, 32, 3))
    assert (info.samples, info.official_test, info.target.names) == (60000, 10000, CLASSES)


@pytest.mark.parametrize("form", ["tar", "folder"])
def test_decoded_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Read from the cache until a file changes; a damaged cache is replaced."""
    path = folder / ("cifar10-jpeg.tar.xz" if form == "tar" else "cifar10")
    write = write_tar if form == "tar" else write_folder
    write(path, files())
    first = SOURCES["cifar10"]().read(0)
    (cached,) = (tmp_path / "cache" / "ldl").iterdir()

    with monkeypatch.context() as patched:
        patched.setattr(module, "_from_jpegs", lambda *_: pytest.fail("decoded again"))
        again = SOURCES["cifar10"]().read(0)
    assert again.sha256() == first.sha256()
    assert again.info == first.info

    data = bytearray(cached.read_bytes())
    data[len(data) // 2] ^= 1
    cached.write_bytes(data)
    assert SOURCES["cifar10"]().read(0).sha256() == first.sha256()

    time.sleep(0.01)
    write(path, {**files(), "train/cat/0000.jpg": jpeg((255, 255, 255))})
    changed = SOURCES["cifar10"]().read(0)
    assert changed.sha256() != first.sha256()
    assert (changed.inputs["x"][6] > 250).all()
    assert [p.name for p in cached.parent.iterdir()] == [cached.name]


def test_a_cache_that_cannot_be_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tar(folder / "cifar10-jpeg.tar.xz", files())
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    check(SOURCES["cifar10"]().read(0))


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"train/cat/9.jpg": jpeg((0, 0, 0), (30, 32))}, "train/cat/9.jpg is 32×30 RGB"),
        ({"train/cat/9.jpg": jpeg((0, 0, 0), mode="L")}, "is 32×32 L"),
        ({"test/dog/9.jpg": b"<html>"}, "test/dog/9.jpg cannot be read"),
        ({"test/dog/9.jpg": jpeg((9, 99, 9))[:-200]}, "test/dog/9.jpg cannot be read"),
        ({"train/fish/1.jpg": jpeg((0, 0, 0))}, "train/ must hold the folders airplane"),
        ({"train/cat/9.jpg": b"\xff" * (1 << 21)}, "train/cat/9.jpg is 2,097,152 bytes"),
    ],
)
def test_unsuitable_images(folder: Path, tmp_path: Path, extra: Any, message: str) -> None:
    write_tar(folder / "cifar10-jpeg.tar.xz", {**files(), **extra})
    with pytest.raises(DataError, match=message):
        SOURCES["cifar10"]().read(0)
    assert not list((tmp_path / "cache").rglob("*npz*"))


def test_damaged_archives(folder: Path) -> None:
    path = folder / "cifar10-jpeg.tar.xz"
    write_tar(path, files())
    whole, refused = path.read_bytes(), list[str]()
    for trial in range(30):
        data = bytearray(whole)
        if trial % 2:
            data = data[: int(RNG.integers(1, len(data)))]
        else:
            data[int(RNG.integers(0, len(data)))] ^= 1 << int(RNG.integers(0, 8))
        path.write_bytes(data)
        try:
            check(SOURCES["cifar10"]().read(0))  # a flipped bit in the padding does no harm
        except DataError as error:
            refused.append(str(error))
    assert len(refused) > 20 and all(str(path) in text for text in refused)


def test_links_in_a_tar_are_ignored(folder: Path) -> None:
    path = folder / "cifar10-jpeg.tar"
    write_tar(path, files(), "w")
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("train/cat/evil.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    check(SOURCES["cifar10"]().read(0))


def test_temporary_files_of_killed_writers_are_removed(folder: Path, tmp_path: Path) -> None:
    """After a day; younger ones may belong to a live writer."""
    write_tar(folder / "cifar10-jpeg.tar.xz", files())
    cache = tmp_path / "cache" / "ldl"
    cache.mkdir(parents=True)
    for name, age in (("1-0a1b2c3d", 90_000), ("2-0a1b2c3d", 10)):
        temporary = cache / f".cifar10.decoded.npz.{name}.tmp"
        temporary.touch()
        os.utime(temporary, (time.time() - age,) * 2)
    SOURCES["cifar10"]().read(0)
    names = {path.name for path in cache.iterdir()}
    assert names == {"cifar10.decoded.npz", ".cifar10.decoded.npz.2-0a1b2c3d.tmp"}


# --- the binary batches -------------------------------------------------------------------------


def batches(samples: int = 4) -> dict[str, np.ndarray]:
    names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    rows = RNG.integers(0, 256, (6, samples, 3073), np.uint8)
    rows[:, :, 0] %= 10
    return dict(zip(names, rows, strict=True))


@pytest.mark.parametrize("form", ["tar", "folder"])
def test_binary_batches(folder: Path, form: str) -> None:
    arrays = batches()
    content = {f"cifar-10-batches-bin/{name}": rows.tobytes() for name, rows in arrays.items()}
    content["cifar-10-batches-bin/readme.html"] = b"hello"
    if form == "tar":
        write_tar(folder / "cifar-10-binary.tar.gz", content, "w:gz")
    else:
        write_folder(folder, content)
    raw = SOURCES["cifar10"]().read(0)
    assert (raw.info.samples, raw.info.official_test) == (24, 4)
    rows = np.concatenate(list(arrays.values()))
    assert raw.targets.tolist() == rows[:, 0].tolist()
    x = raw.inputs["x"].reshape(-1, 32, 32, 3)
    assert x[7, 2, 5, 1] == rows[7, 1 + 1024 + 2 * 32 + 5]
    assert x[23, 31, 0, 2] == rows[23, 1 + 2 * 1024 + 31 * 32]


def test_unsuitable_binary_batches(folder: Path) -> None:
    path = folder / "cifar-10-batches-bin"
    content = {name: rows.tobytes() for name, rows in batches().items()}
    write_folder(path, {**content, "test_batch.bin": content["test_batch.bin"][:-1]})
    with pytest.raises(DataError, match=r"test_batch\.bin is 12,291 bytes, not 3073 per image"):
        SOURCES["cifar10"]().read(0)
    write_folder(path, {**content, "test_batch.bin": b"\x0a" + content["test_batch.bin"][1:]})
    with pytest.raises(DataError, match="a label is 10"):
        SOURCES["cifar10"]().read(0)
    (path / "test_batch.bin").unlink()
    with pytest.raises(DataError, match=r"without test_batch\.bin"):
        SOURCES["cifar10"]().read(0)


@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz", "cifar-10-batches-py"])
def test_pickles_are_never_opened(folder: Path, name: str) -> None:
    (folder / name).touch() if name.endswith("gz") else (folder / name).mkdir()
    with pytest.raises(DataError, match=r"pickles.*put cifar-10-binary\.tar\.gz there instead"):
        SOURCES["cifar10"]().read(0)
    assert {line.name: line.state for line in list_sources()}["cifar10"] == "incomplete"


# --- missing, OpenML ----------------------------------------------------------------------------


def test_missing_files_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        SOURCES["cifar10"]().read(0)
    for text in ("cifar10-jpeg.tar.xz", "cifar-10-binary.tar.gz", str(folder), "LDL_DATA_DIR"):
        assert text in str(caught.value)
    with pytest.raises(DataError, match="ldl data fetch cifar10"):
        verify("cifar10")


def openml_rows(monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, list[str]]:
    """Twenty training and ten test rows, in the planes of the original."""
    small = DatasetInfo({"x": (3072,)}, Cifar10.info.target, Cifar10.info.image, 30, 10)
    monkeypatch.setattr(Cifar10, "info", small)
    x = RNG.integers(0, 256, (30, 3072)).astype(np.float32)
    x[0, [0, 1024, 2048]] = 59, 62, 63
    first_train, first_test = [6, 9, 9, 4, 1, 1, 2, 7, 8, 3], [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    labels = [*first_train, *range(10), *first_test]
    return x, list(map(str, labels))


def test_openml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    x, labels = openml_rows(monkeypatch)
    monkeypatch.setattr("ldl.data.sources.image_set.download", lambda *_: (x, labels))
    raw = SOURCES["cifar10"]().read(0)
    assert raw.targets.tolist() == list(map(int, labels))
    assert raw.info.official_test == 10
    images = raw.inputs["x"].reshape(-1, 32, 32, 3)
    np.testing.assert_array_equal(images[5, :, :, 2].ravel(), x[5, 2048:])
    assert fetch("cifar10") == tmp_path / "cache" / "ldl" / "cifar10.npz"
    with pytest.raises(DataError, match="SHA-256 are known for cifar10-jpeg"):
        verify("cifar10")


@pytest.mark.parametrize("kind", ["order", "layout", "rows"])
def test_other_data_from_openml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> None:
    x, labels = openml_rows(monkeypatch)
    if kind == "order":
        labels = labels[::-1]
    elif kind == "layout":
        x = np.ascontiguousarray(x.reshape(30, 3, 1024).transpose(0, 2, 1).reshape(30, 3072))
    else:
        x = x[:-1]
    monkeypatch.setattr("ldl.data.sources.image_set.download", lambda *_: (x, labels))
    with pytest.raises(DataError, match="OpenML gave"):
        fetch("cifar10")
    assert not list((tmp_path / "cache").rglob("*npz*"))


# --- the real set -------------------------------------------------------------------------------


def real(monkeypatch: pytest.MonkeyPatch) -> Cifar10:
    """The set in the LDL_DATA_DIR of the environment; skips the test without it."""
    monkeypatch.setenv("LDL_DATA_DIR", HOME)
    source = Cifar10()
    if not HOME or source.find() is None:
        pytest.skip("LDL_DATA_DIR holds no cifar10")
    return source


@pytest.mark.slow
def test_real_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Complete, with the expected checksums, and read from the cache the second time."""
    source = real(monkeypatch)
    assert all(check.matches for check in verify("cifar10"))
    seen: list[tuple[str, int, int]] = []
    first = source.read(0, lambda *report: seen.append(report))
    assert seen[-1] == ("decoding cifar10", 60_000, 60_000)
    again = source.read(0, lambda *_: pytest.fail("decoded again"))
    assert first.sha256() == again.sha256()
    assert np.bincount(again.targets).tolist() == [6000] * 10
    assert np.bincount(again.targets[-10_000:]).tolist() == [1000] * 10
    mean = again.inputs["x"][:50_000].reshape(-1, 3).mean(axis=0) / 255
    np.testing.assert_allclose(mean, [0.491, 0.482, 0.447], atol=0.001)
    spec = DataSpec(source, split=SplitSpec(500, 100, 200), shape="image")
    dataset = load_data(spec, 0)
    assert dataset.info == describe_data(spec)
    assert dataset.train.inputs["x"].shape == (500, 32, 32, 3)
    assert set(dataset.test.targets.tolist()) == set(range(10))


def test_the_first_files_of_the_real_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads only the beginning of the tar."""
    path = real(monkeypatch).find()
    assert path is not None
    if path.name not in module.JPEGS:
        pytest.skip("the set has another form")
    (split, name, _), content = next(module._jpegs(path))
    assert split in ("train", "test") and name in CLASSES
    assert Image.open(io.BytesIO(content)).size == (32, 32)
