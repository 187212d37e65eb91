"""NPZ files: keys, shapes and targets; damage and false headers raise DataError."""

from __future__ import annotations

import contextlib
import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ldl.data import SOURCES, DataSpec, SplitSpec, describe_data, load_data
from ldl.data import npz as npz_module
from ldl.errors import DataError, SettingError

Npz = SOURCES["npz"]
RNG = np.random.default_rng(0)


def write(tmp_path: Path, **arrays: object) -> str:
    path = tmp_path / "set.npz"
    np.savez_compressed(path, **{k: np.asarray(v) for k, v in arrays.items()})
    return str(path)


def zipped(tmp_path: Path, content: bytes, name: str = "x.npy", method: int = 8) -> str:
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name, content)
    return str(path)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_flat_inputs_and_classes(tmp_path: Path) -> None:
    raw = Npz(write(tmp_path, x=RNG.random((5, 3)), y=["b", "a", "b", "c", "a"])).read(0)
    assert raw.info.inputs == {"x": (3,)}
    assert raw.info.samples == 5
    assert raw.info.image is None
    assert raw.info.target.names == ("a", "b", "c")
    assert raw.targets.tolist() == [1, 0, 1, 2, 0]


@pytest.mark.parametrize(
    ("y", "kind", "names"),
    [
        ([3, 1, 1], "classes", ("1", "3")),
        (np.array([b"u", b"v", b"u"]), "classes", ("u", "v")),
        ([True, False, True], "classes", ("False", "True")),
        ([0.5, 1.5, 2.0], "values", ("y",)),
        ([[1.0, 2.0]] * 3, "values", ("y0", "y1")),
        ([[1], [2], [1]], "classes", ("1", "2")),
    ],
)
def test_targets(tmp_path: Path, y: object, kind: str, names: tuple[str, ...]) -> None:
    source = Npz(write(tmp_path, x=np.zeros((3, 2)), y=y))
    target = source.describe().target
    assert (target.kind, target.names) == (kind, names)
    assert source.read(0).info.target == target


def test_task_decides(tmp_path: Path) -> None:
    path = write(tmp_path, x=np.zeros((3, 2)), y=[1, 2, 4], z=[1.0, 2.0, 2.5])
    assert Npz(path, task="values").read(0).targets.tolist() == [[1], [2], [4]]
    assert Npz(path, target="z", task="classes").describe().target.names == ("1", "2", "2.5")


def test_no_target_and_other_key(tmp_path: Path) -> None:
    raw = Npz(write(tmp_path, pixels=np.arange(12).reshape(4, 3)), inputs="pixels").read(0)
    assert raw.targets is None
    assert raw.info.target.kind == "none"
    assert list(raw.inputs) == ["x"] == list(raw.info.inputs)


@pytest.mark.parametrize(
    ("shape", "image"),
    [((6,), None), ((6, 4), None), ((6, 3, 4), (3, 4, 1)), ((6, 3, 4, 3), (3, 4, 3))],
)
def test_shapes(tmp_path: Path, shape: tuple[int, ...], image: tuple[int, ...] | None) -> None:
    x = RNG.random(shape, np.float32)
    path = write(tmp_path, x=x)
    flat = DataSpec(Npz(path), split=SplitSpec(None, 0, 0))
    info = describe_data(flat)
    assert info.image == image
    assert info.inputs == {"x": (x[0].size,)}
    assert load_data(flat, 0).train.inputs["x"].shape == (6, x[0].size)
    if image:
        spec = DataSpec(Npz(path), split=SplitSpec(None, 0, 0), shape="image")
        assert (
            load_data(spec, 0).train.inputs["x"].shape
            == (6, *image)
            == (6, *describe_data(spec).image)
        )


def test_several_inputs_keep_their_keys_and_rows(tmp_path: Path) -> None:
    left, right = np.arange(40).reshape(10, 2, 2), np.arange(10) * 4
    path = write(tmp_path, left=left, right=right, y=np.arange(10) % 2)
    spec = DataSpec(Npz(path, ["left", "right"]), split=SplitSpec(None, 0.2, 0.2), shape="image")
    info = describe_data(spec)
    assert info.inputs == {"left": (2, 2, 1), "right": (1,)}
    assert info.image is None
    dataset = load_data(spec, 0)
    for split in (dataset.train, dataset.validation, dataset.test):
        np.testing.assert_array_equal(split.inputs["left"][:, 0, 0], split.inputs["right"])


def test_official_test_set(tmp_path: Path) -> None:
    arrays = {"x_train": RNG.random((8, 2)), "y_train": [0, 1] * 4}
    path = write(tmp_path, **arrays, x_test=RNG.random((4, 2)), y_test=[1, 0, 1, 1])
    spec = DataSpec(Npz(path), split=SplitSpec(None, 2, None))
    assert (describe_data(spec).samples, describe_data(spec).official_test) == (12, 4)
    dataset = load_data(spec, 0)
    assert (len(dataset.train), len(dataset.validation)) == (6, 2)
    assert dataset.test.targets.tolist() == [1, 0, 1, 1]
    path = write(tmp_path, **arrays)
    assert describe_data(DataSpec(Npz(path), split=SplitSpec(None, 2, 2))).official_test == 0


@pytest.mark.parametrize(
    ("arrays", "settings", "message"),
    [
        ({"a": [1.0]}, {}, 'no array "x"; the arrays are "a"'),
        ({"x": [1.0]}, {"target": "t"}, 'no array "t"'),
        ({"x": [1.0]}, {"task": "classes"}, 'no "y" for the task'),
        ({"x": [1.0, 2.0], "y": [1]}, {}, 'different numbers of samples: "x" 2, "y" 1'),
        ({"x": np.zeros((0, 2))}, {}, "no samples"),
        ({"x": 3.0}, {}, "no samples"),
        ({"x": ["a", "b"]}, {}, "inputs are real numbers"),
        ({"x": [1j, 2j]}, {}, "inputs are real numbers"),
        ({"x": np.zeros((2, 1, 1, 1, 1))}, {}, "of shape"),
        ({"x": np.zeros((2, 0))}, {}, "of shape"),
        ({"x": np.array([None, {}])}, {}, "Python objects"),
        ({"x": [1.0, np.nan, np.inf]}, {}, r"2 values that are not finite.*the first nan at \[1\]"),
        ({"x": [1.0, 1e39]}, {}, "not finite 32-bit"),
        ({"x": np.array([1.0, np.inf], np.float16)}, {}, "not finite 32-bit"),
        ({"x_train": np.zeros((2, 3)), "x_test": np.array([["a"] * 3])}, {}, '"x_test" is of type'),
        ({"x": [1.0, 2.0], "y": [1.0, np.nan]}, {}, '"y" has 1 values'),
        ({"x": [1.0, 2.0], "y": [[1, 2], [3, 4]]}, {"task": "classes"}, "classes are"),
        ({"x": [1.0, 2.0], "y": ["a", "b"]}, {"task": "values"}, "must be numbers"),
        ({"x": [1.0, 2.0], "y": [1j, 2j]}, {}, "targets are numbers or text"),
        (
            {"x_train": np.zeros((2, 3)), "x_test": np.zeros((2, 4))},
            {},
            'the arrays of "x" have samples of different shapes',
        ),
        (
            {"x_train": [1.0, 2], "x_test": [3.0], "y_train": [1, 2]},
            {},
            r'"x" 2 \+ 1, "y" 2',
        ),
    ],
)
def test_unsuitable_arrays(
    tmp_path: Path, arrays: dict[str, object], settings: dict[str, object], message: str
) -> None:
    path = write(tmp_path, **arrays)
    with pytest.raises(DataError, match=message) as caught:
        Npz(path, **settings).read(0)
    assert str(caught.value).startswith(path)


def with_header(shape: tuple[int, ...], data: bytes) -> bytes:
    """An array file whose header declares `shape`."""
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + data


def test_header_that_declares_terabytes(tmp_path: Path) -> None:
    path = zipped(tmp_path, with_header((5_000_000_000_000,), bytes(80)))
    with pytest.raises(DataError, match="declares 40,000,000,000,128 bytes and holds 208"):
        Npz(path).describe()


def test_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, x=np.zeros((1000, 100)))
    assert Path(path).stat().st_size < 5000
    monkeypatch.setattr(npz_module, "MAX_DATA_BYTES", 100_000)
    with pytest.raises(DataError, match="unpacks to 800,128 bytes; the maximum is 100,000"):
        Npz(path).read(0)


def test_sizes_beyond_what_deflate_can_do(tmp_path: Path) -> None:
    """The archive's directory and the array's header agree on an impossible size."""
    content = with_header((9_000_000,), bytes(8))
    path = Path(zipped(tmp_path, content))
    size = (len(content) + 8 * 8_999_999).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(len(content).to_bytes(4, "little"), size))
    with pytest.raises(DataError, match=r"unpacks .* bytes to 72,000,128, over 200 times as many"):
        Npz(str(path)).describe()


def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    """80 MB of zeros in 80 kB; what is written uncompressed is read at once, not twice."""
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x=np.zeros((10, 1_000_000)))
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    with pytest.raises(DataError, match=r"over 200 times as many; .*numpy\.savez"):
        Npz(str(path)).read(0)
    np.savez(path, x=np.ones((20, 100_000)))
    tracemalloc.reset_peak()
    assert Npz(str(path)).read(0).inputs["x"].nbytes == 16_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30_000_000


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip file at all", npy(np.zeros(3))])
def test_not_an_npz_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a valid npz file"):
        Npz(str(path)).read(0)


def test_truncated_and_flipped_files_never_crash(tmp_path: Path) -> None:
    path = Path(write(tmp_path, x=np.eye(40), y=np.arange(40) % 3))
    rng = np.random.default_rng(1)
    whole, expected = path.read_bytes(), Npz(str(path)).read(0).sha256()
    readable = 0
    for trial in range(400):
        data = bytearray(whole)
        if trial % 4 == 0:
            data = data[: int(rng.integers(0, len(data)))]
        else:
            data[int(rng.integers(0, len(data)))] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(data)
        with contextlib.suppress(DataError):
            assert Npz(str(path)).read(trial).sha256() == expected
            readable += 1
    assert 0 < readable < 150


@pytest.mark.parametrize(
    ("settings", "setting"),
    [({"inputs": []}, "inputs"), ({"inputs": ["a", "a"]}, "inputs"), ({"target": "x"}, "target")],
)
def test_bad_settings(settings: dict[str, object], setting: str) -> None:
    with pytest.raises(SettingError) as caught:
        Npz("file.npz", **settings)
    assert caught.value.setting == setting
