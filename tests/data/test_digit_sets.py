"""MNIST and USPS: the IDX parser, the search for files, the download, the real sets."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

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
from ldl.data.sources.digit_sets import Mnist, Usps, idx_bytes, read_idx
from ldl.errors import DataError, UsageError

HOME = os.environ.get("LDL_DATA_DIR", "")
RNG = np.random.default_rng(0)
NAMES = list(Mnist.checksums)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(url: str) -> Any:
        raise URLError("no network in tests")

    monkeypatch.setattr(openml_module, "_open", refuse)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.mkdir()
    monkeypatch.setenv("LDL_DATA_DIR", str(path))
    return path


def tiny() -> list[np.ndarray]:
    """Training images and labels, then test images and labels."""
    return [
        RNG.integers(0, 256, (30, 28, 28), np.uint8),
        np.arange(30, dtype=np.uint8) % 10,
        RNG.integers(0, 256, (10, 28, 28), np.uint8),
        np.arange(10, dtype=np.uint8),
    ]


def write_mnist(folder: Path, arrays: list[np.ndarray], zipped: bool = False) -> None:
    for name, array in zip(NAMES, arrays, strict=True):
        data = idx_bytes(array)
        path = folder / (name + ".gz" * zipped)
        path.write_bytes(gzip.compress(data) if zipped else data)


# --- the IDX format -----------------------------------------------------------------------------


def test_idx_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "file"
    data = bytes.fromhex("00000802 00000002 00000003 01 02 03 04 05 ff")
    path.write_bytes(data)
    assert read_idx(path, 2).tolist() == [[1, 2, 3], [4, 5, 255]]
    assert idx_bytes(read_idx(path, 2)) == data
    path.write_bytes(gzip.compress(data))
    assert read_idx(path, 2).tolist() == [[1, 2, 3], [4, 5, 255]]


BAD = {
    "empty": ("", "not an IDX file"),
    "text": (b"<html>".hex(), "not an IDX file, it begins with 3c 68 74 6d"),
    "type": ("00000d01 00000001 00000000", "type 0xd with 1 dimensions"),
    "dimensions": ("00000803 00000001 00000001 00000001 00", "interchanged"),
    "cut header": ("00000801 0000", "ends within its header"),
    "short": ("00000801 00000003 0102", "declares 3 values of shape .* holds 2"),
    "long": ("00000801 00000001 0102", "declares 1 values of shape .* holds more"),
    "false size": ("00000801 ffffffff 01", "declares 4,294,967,295"),
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("kind", BAD)
def test_bad_idx_files(tmp_path: Path, kind: str, zipped: bool) -> None:
    content, message = BAD[kind]
    data = bytes.fromhex(content)
    path = tmp_path / "labels"
    path.write_bytes(gzip.compress(data) if zipped else data)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path, 1)
    assert str(path) in str(caught.value)


def test_larger_than_any_memory(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(bytes.fromhex("00000803 ffffffff ffffffff ffffffff 01"))
    with pytest.raises(DataError, match="declares 79,228,"):
        read_idx(path, 3)


def test_damaged_gzip_files(tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    whole = gzip.compress(idx_bytes(RNG.integers(0, 256, 200, np.uint8)))
    for trial in range(200):
        data = bytearray(whole)
        if trial % 2:
            data = data[: int(RNG.integers(2, len(data)))]
        else:
            data[int(RNG.integers(10, len(data)))] ^= 1 << int(RNG.integers(0, 8))
        path.write_bytes(data)
        with pytest.raises(DataError):
            read_idx(path, 1)


# --- finding and loading ------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [False, True])
def test_tiny_mnist(folder: Path, zipped: bool) -> None:
    arrays = tiny()
    write_mnist(folder, arrays, zipped)
    dataset = load_data(DataSpec(SOURCES["mnist"](), shape="image"), 0)
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (27, 3, 10)
    assert dataset.info.samples == 40
    assert dataset.info.image == (28, 28, 1)
    np.testing.assert_array_equal(dataset.test.inputs["x"][..., 0], arrays[2])
    assert dataset.test.targets.tolist() == list(range(10))


def test_the_cache_is_searched_too(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "ldl"
    cache.mkdir(parents=True)
    write_mnist(cache, tiny())
    assert SOURCES["mnist"]().find() == cache
    write_mnist(folder, tiny())
    assert SOURCES["mnist"]().find() == folder


def test_descriptions_read_no_file(folder: Path) -> None:
    mnist, usps = (describe_data(DataSpec(SOURCES[name]())) for name in ("mnist", "usps"))
    assert mnist.inputs == {"x": (784,)}
    assert (mnist.samples, mnist.official_test) == (70000, 10000)
    assert usps.inputs == {"x": (256,)}
    assert (usps.samples, usps.official_test) == (9298, 2007)


def damaged(kind: str) -> list[np.ndarray]:
    arrays = tiny()
    if kind == "28×28":
        arrays[0] = arrays[0][:, :14]
    elif kind == "30 images, 29 labels":
        arrays[1] = arrays[1][:-1]
    else:
        arrays[3] = arrays[3] + np.uint8(1)
    return arrays


@pytest.mark.parametrize("kind", ["28×28", "30 images, 29 labels", "a label is 10"])
def test_unsuitable_mnist_files(folder: Path, kind: str) -> None:
    write_mnist(folder, damaged(kind))
    with pytest.raises(DataError, match=kind):
        SOURCES["mnist"]().read(0)


def test_some_files_missing(folder: Path) -> None:
    write_mnist(folder, tiny())
    (folder / NAMES[3]).unlink()
    with pytest.raises(DataError, match=f"the files {NAMES[3]}"):
        SOURCES["mnist"]().read(0)
    states = {line.name: line.state for line in list_sources()}
    assert states["mnist"] == "incomplete"
    assert states["usps"] == "missing"


@pytest.mark.parametrize("name", ["mnist", "usps"])
def test_missing_files_are_named(folder: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError) as caught:
        SOURCES[name]().read(0)
    text = str(caught.value)
    file = "train-images-idx3-ubyte" if name == "mnist" else "usps.npz"
    for phrase in (
        file,
        str(folder),
        str(tmp_path / "cache" / "ldl"),
        "LDL_DATA_DIR",
        "no network",
    ):
        assert phrase in text
    assert not list((tmp_path / "cache").rglob("*.npz"))
    with pytest.raises(DataError, match=f"ldl data fetch {name}"):
        verify(name)


def test_usps_of_another_shape(folder: Path) -> None:
    np.savez(folder / "usps.npz", x=np.zeros((20, 256)), y=np.arange(20) % 10)
    with pytest.raises(DataError, match="x_train, y_train, x_test, y_test are needed"):
        SOURCES["usps"]().read(0)
    np.savez(
        folder / "usps.npz",
        x_train=np.zeros((4, 256)),
        y_train=np.arange(4),
        x_test=np.zeros((2, 256)),
        y_test=np.arange(2),
    )
    with pytest.raises(DataError, match="digits 0 to 9"):
        SOURCES["usps"]().read(0)


def test_a_damaged_file_should_be_downloaded_again(folder: Path) -> None:
    (folder / "usps.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(DataError, match="not a valid npz file") as caught:
        SOURCES["usps"]().read(0)
    text = str(caught.value)
    assert "remove usps.npz, and `ldl data fetch usps` downloads it again" in text
    assert "savez" not in text


def test_a_damaged_mnist_file_should_be_downloaded_again(folder: Path) -> None:
    write_mnist(folder, tiny())
    (folder / NAMES[1]).write_bytes(b"\0\0\x08\x01\0")
    with pytest.raises(DataError, match="or remove all four, and `ldl data fetch mnist`"):
        SOURCES["mnist"]().read(0)


def test_only_sets_with_files_are_fetched() -> None:
    for name, message in (("digits", "needs no download"), ("mnits", "is no data set")):
        with pytest.raises(UsageError, match=message):
            fetch(name)
        with pytest.raises(UsageError, match=message):
            verify(name)


# --- the download -------------------------------------------------------------------------------


class Response(io.BytesIO):
    """A response of `urlopen`, with the attributes that the download uses."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.headers = {"Content-Length": str(len(content))}


def arff(arrays: list[np.ndarray], sparse: bool) -> bytes:
    x = np.concatenate([arrays[0], arrays[2]]).reshape(len(arrays[1]) + len(arrays[3]), -1)
    y = np.concatenate([arrays[1], arrays[3]])
    lines = ["% a comment", "@RELATION digits", ""]
    lines += [f"@ATTRIBUTE pixel{i} real" for i in range(x.shape[1])]
    lines += ["@attribute 'class' {0,1,2,3,4,5,6,7,8,9}", "@DATA"]
    for row, label in zip(x.tolist(), y.tolist(), strict=True):
        cells = [*row, label]
        if sparse:
            lines.append("{" + ",".join(f"{i} {v}" for i, v in enumerate(cells) if v) + "}")
        else:
            lines.append(",".join(map(str, cells)))
    return "\n".join(lines).encode()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A fake OpenML; tests put the file that it serves into the dict."""
    state: dict[str, Any] = {}

    def respond(url: str) -> Response:
        if "/api/" not in url:
            return Response(state["file"])
        description = {
            "url": "https://example.org/set.arff",
            "md5_checksum": state.get("md5", hashlib.md5(state["file"]).hexdigest()),
            "default_target_attribute": "class",
        }
        return Response(json.dumps({"data_set_description": description}).encode())

    monkeypatch.setattr(openml_module, "_open", respond)
    return state


def use_small_set(monkeypatch: pytest.MonkeyPatch, cls: type, arrays: list[np.ndarray]) -> None:
    """Make the tiny set the expected content of the class."""
    info = cls.info
    count = len(arrays[1]) + len(arrays[3])
    small = type(info)(info.inputs, info.target, info.image, count, len(arrays[3]))
    monkeypatch.setattr(cls, "info", small)
    named = dict(zip(("x_train", "y_train", "x_test", "y_test"), arrays, strict=True))
    checksums = {k: hashlib.sha256(v).hexdigest() for k, v in cls().contents(named).items()}
    monkeypatch.setattr(cls, "checksums", checksums)


@pytest.mark.parametrize("sparse", [False, True])
def test_mnist_is_downloaded_once_and_verified(
    monkeypatch: pytest.MonkeyPatch, folder: Path, served: dict[str, Any], sparse: bool
) -> None:
    arrays = tiny()
    use_small_set(monkeypatch, Mnist, arrays)
    served["file"] = arff(arrays, sparse)
    seen: list[tuple[str, int, int]] = []
    raw = SOURCES["mnist"]().read(0, lambda *report: seen.append(report))
    np.testing.assert_array_equal(raw.inputs["x"][30:].reshape(10, 28, 28), arrays[2])
    assert seen[-1] == ("downloading mnist", len(served["file"]), len(served["file"]))
    served.clear()
    assert fetch("mnist").name == "mnist.npz"
    assert SOURCES["mnist"]().read(0).sha256() == raw.sha256()
    assert all(check.matches for check in verify("mnist"))
    assert [p.name for p in fetch("mnist").parent.iterdir()] == ["mnist.npz"]


def test_usps_is_scaled_to_zero_one_and_digits(
    monkeypatch: pytest.MonkeyPatch, folder: Path, served: dict[str, Any]
) -> None:
    shape = (16, 16)
    arrays = [
        RNG.integers(0, 2001, (30, *shape)) / 1000 - 1,
        np.arange(30) % 10 + 1,
        RNG.integers(0, 2001, (10, *shape)) / 1000 - 1,
        np.arange(10) + 1,
    ]
    arrays[0][0, 0, :2] = -1, 1
    served["file"] = arff(arrays, False)
    converted = [(arrays[0] + 1) / 2, arrays[1] - 1, (arrays[2] + 1) / 2, arrays[3] - 1]
    use_small_set(
        monkeypatch, Usps, [a.astype(np.uint8) if i % 2 else a for i, a in enumerate(converted)]
    )
    raw = SOURCES["usps"]().read(0)
    assert raw.inputs["x"].min() == 0
    assert raw.inputs["x"].max() == 1
    assert raw.targets[30:].tolist() == list(range(10))
    assert all(check.matches for check in verify("usps"))


@pytest.mark.parametrize("kind", ["checksum", "content", "rows", "cut", "labels"])
def test_bad_downloads_leave_nothing(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path, served: dict[str, Any], kind: str
) -> None:
    arrays = tiny()
    use_small_set(monkeypatch, Mnist, arrays)
    served["file"] = arff(arrays, False)
    message = "OpenML gave data that is not mnist"
    if kind == "checksum":
        served["md5"], message = "0" * 32, "MD5"
    elif kind == "content":
        arrays[0][3, 3, 3] ^= 1
        served["file"] = arff(arrays, False)
    elif kind == "rows":
        served["file"], message = arff([a[1:] for a in arrays], False), "OpenML gave"
    elif kind == "cut":
        served["file"], message = served["file"][:-20], "a row of"
    else:
        served["file"] = served["file"][:-1] + b"x"
        message = "OpenML gave"
    with pytest.raises(DataError, match=message):
        fetch("mnist")
    assert not list((tmp_path / "cache").rglob("*npz*"))


# --- the real sets ------------------------------------------------------------------------------


def real(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The set in the LDL_DATA_DIR of the environment; skips the test without it."""
    monkeypatch.setenv("LDL_DATA_DIR", HOME)
    source = SOURCES[name]()
    if not HOME or source.find() is None:
        pytest.skip(f"LDL_DATA_DIR holds no {name}")
    return source


@pytest.mark.parametrize("name", ["mnist", "usps"])
def test_real_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    source = real(name, monkeypatch)
    assert all(check.matches for check in verify(name))
    spec = DataSpec(source, split=SplitSpec(500, 100, 200))
    info, dataset = describe_data(spec), load_data(spec, 0)
    assert dataset.info == info
    maximum = 255 if name == "mnist" else 1
    assert dataset.train.inputs["x"].max() == maximum
    assert dataset.train.inputs["x"].min() == 0
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (500, 100, 200)
    assert set(dataset.train.targets.tolist()) == set(range(10))
    assert {line.name: line.state for line in list_sources()}[name] == "found"
