"""New samples: read like the training data, refused where they do not fit the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ldl.data import (
    AUGMENTATIONS,
    SCALERS,
    SOURCES,
    DatasetInfo,
    DataSpec,
    InputScalers,
    SplitSpec,
    Target,
    load_data,
    prepare_inputs,
    read_new_samples,
    to_source_units,
)
from ldl.errors import DataError

FLOWERS = DatasetInfo(
    {"x": (2,)}, Target("classes", ("a", "b"), "kind"), None, 9, features=("width", "height")
)
HEIGHTS = DatasetInfo({"x": (1,)}, Target("values", ("u", "v")), None, 9, features=("x",))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "new.csv"
    path.write_text(text)
    return path


def savez(tmp_path: Path, **arrays: object) -> Path:
    path = tmp_path / "new.npz"
    np.savez(path, **{k: np.asarray(v) for k, v in arrays.items()})
    return path


def test_columns_are_taken_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, "id,height,kind,width\nq1,1,b,2\nq2,3,a,4\n")
    samples = read_new_samples(path, FLOWERS)
    assert samples.inputs["x"].tolist() == [[2, 1], [4, 3]]
    assert samples.inputs["x"].dtype == np.float32
    assert samples.targets.tolist() == [1, 0]


def test_targets_may_be_absent(tmp_path: Path) -> None:
    assert read_new_samples(write(tmp_path, "width,height\n1,2\n"), FLOWERS).targets is None
    assert read_new_samples(write(tmp_path, "x,u\n1,2\n"), HEIGHTS).targets is None
    both = read_new_samples(write(tmp_path, "v,x,u\n1,2,3\n"), HEIGHTS).targets
    assert both.tolist() == [[3, 1]]
    assert both.dtype == np.float32


def test_scaled_like_the_training_data(tmp_path: Path) -> None:
    spec = DataSpec(SOURCES["iris"](), SCALERS["standard"](), SplitSpec(0.5, 0, 0.5))
    dataset = load_data(spec, 0)
    raw = SOURCES["iris"]().read(0)
    rows = "".join(",".join(map(repr, map(float, row))) + "\n" for row in raw.inputs["x"])
    names = ",".join(dataset.info.features)
    samples = read_new_samples(write(tmp_path, f"{names}\n{rows}"), dataset.info, dataset.scaler)
    np.testing.assert_array_equal(samples.inputs["x"], dataset.scaler.transform(raw.inputs)["x"])
    again = InputScalers.from_state(dataset.scaler.state(), {})
    labelled = write(tmp_path, f"{names},class\n1,2,3,4,virginica\n")
    named = read_new_samples(labelled, dataset.info, again)
    assert named.targets.tolist() == [2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("width,kind\n1,a\n", 'no column "height" for the network\'s inputs'),
        ("width,height\n1,2\n1,?\n", 'line 3, column "height": missing value'),
        ("width,height,kind\n1,2,c\n", 'line 2, column "kind": "c" is no class'),
        ("width,height\n1\n", "line 2: 1 cell where"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_new_samples(write(tmp_path, text), FLOWERS)


def test_known_names_are_never_taken_by_position(tmp_path: Path) -> None:
    info = SOURCES["diabetes"]().describe()
    header = ",".join(info.features).replace("bmi", "BMI").replace("s1", "S1")
    with pytest.raises(DataError, match='no column "bmi", "s1"') as caught:
        read_new_samples(write(tmp_path, f"{header}\n{','.join('1' * 10)}\n"), info)
    assert 'did you mean "BMI" for "bmi", "S1" for "s1"?' in str(caught.value)
    reversed_file = write(tmp_path, ",".join(reversed(info.features)) + "\n0,1,2,3,4,5,6,7,8,9\n")
    assert read_new_samples(reversed_file, info).inputs["x"].tolist() == [
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    ]


def test_columns_without_known_names(tmp_path: Path) -> None:
    info = DatasetInfo({"x": (2,)}, Target("classes", ("0", "1")))
    assert read_new_samples(write(tmp_path, "b,a\n1,2\n"), info).inputs["x"].tolist() == [[1, 2]]
    numbered = write(tmp_path, "x2,note,x1\n1,,2\n")
    assert read_new_samples(numbered, info).inputs["x"].tolist() == [[2, 1]]


@pytest.mark.parametrize("text", ["width;height\n1;2\n", "width;height\n1,5;2,25\n3;4,5\n"])
def test_another_delimiter(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match='";" seems to separate them: replace it by ","'):
        read_new_samples(write(tmp_path, text), FLOWERS)
    if "1,5" not in text:
        assert read_new_samples(write(tmp_path, text), FLOWERS, delimiter=";").inputs["x"].size == 2


@pytest.mark.parametrize("name", ["images", "one.png", "array.npy"])
def test_other_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x89PNG") if path.suffix else path.mkdir()
    with pytest.raises(DataError, match=r"come in a \.csv or \.npz file\n.*\(n, 4, 4, 1\)"):
        read_new_samples(path, IMAGES)
    with pytest.raises(DataError, match=r"in a \.csv or \.npz file$"):
        read_new_samples(path, FLOWERS)


def test_wrong_number_of_nameless_columns(tmp_path: Path) -> None:
    info = DatasetInfo({"x": (4,)}, Target("classes", ("0", "1")))
    with pytest.raises(DataError, match="3 columns of inputs, where the network takes 4"):
        read_new_samples(write(tmp_path, "a,b,c\n1,2,3\n"), info)


IMAGES = DatasetInfo({"x": (4, 4, 1)}, Target("classes", ("0", "1")), (4, 4, 1))


@pytest.mark.parametrize("shape", [(3, 16), (3, 4, 4), (3, 4, 4, 1)])
@pytest.mark.parametrize("key", ["x", "images"])
def test_npz_of_any_equivalent_shape(tmp_path: Path, shape: tuple[int, ...], key: str) -> None:
    x = np.arange(48.0).reshape(shape)
    samples = read_new_samples(savez(tmp_path, **{key: x, "y": [1, 0, 1]}), IMAGES)
    assert samples.inputs["x"].shape == (3, 4, 4, 1)
    assert samples.targets.tolist() == [1, 0, 1]
    np.testing.assert_array_equal(samples.inputs["x"].ravel(), np.arange(48))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": [1.0], "b": [1.0]}, 'no array "x"; the arrays are "a", "b"'),
        ({"x": np.zeros((2, 15))}, "takes .*, 16 numbers"),
        ({"x": np.full((2, 16), np.nan)}, "not finite"),
        ({"x": [["a"] * 16]}, "real numbers"),
        ({"x": np.zeros((2, 16)), "y": [1]}, "same number of samples"),
        ({"x": np.zeros((0, 16))}, "same number of samples"),
        ({"x": np.zeros((2, 16)), "y": [1, 7]}, 'unknown classes "7"'),
        ({"x": np.zeros((2, 16)), "y": [[1, 0], [0, 1]]}, r"shape \(2, 2\)"),
    ],
)
def test_bad_npz(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_new_samples(savez(tmp_path, **arrays), IMAGES)


COLOURED = DatasetInfo({"x": (48,)}, Target("classes", ("0", "1")), (4, 4, 3))


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (2, 16, 3), (2, 4, 12)])
def test_images_of_another_layout(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"takes \(4, 4, 3\) or flat, 48 numbers") as caught:
        read_new_samples(savez(tmp_path, x=np.zeros(shape)), COLOURED)
    assert ("put the channels last" in str(caught.value)) == (shape == (2, 3, 4, 4))


@pytest.mark.parametrize("shape", [(2, 48), (2, 4, 4, 3)])
def test_images_of_the_expected_layout(tmp_path: Path, shape: tuple[int, ...]) -> None:
    samples = read_new_samples(savez(tmp_path, x=np.arange(96.0).reshape(shape)), COLOURED)
    assert samples.inputs["x"].ravel().tolist() == list(range(96))


@pytest.mark.parametrize("scaler", [None, *SCALERS])
def test_reconstructions_in_source_units(scaler: str | None) -> None:
    spec = DataSpec(SOURCES["iris"](), SCALERS[scaler]() if scaler else None)
    dataset = load_data(spec, 0)
    raw = SOURCES["iris"]().read(0)
    prepared = prepare_inputs(raw.inputs, dataset.info, dataset.scaler)["x"]
    back = to_source_units(prepared, dataset.info, dataset.scaler)
    np.testing.assert_allclose(back, raw.inputs["x"], rtol=2e-5)


@pytest.mark.parametrize("per", ["all", "channel", "feature"])
@pytest.mark.parametrize("shape", ["flat", "image"])
def test_reconstructions_of_cropped_images_in_source_units(per: str, shape: str) -> None:
    scale, crop = SCALERS["standard"](per), AUGMENTATIONS["center_crop"](5)
    spec = DataSpec(SOURCES["digits"](), scale, augment=(crop,), shape=shape)
    dataset = load_data(spec, 0)
    raw = SOURCES["digits"]().read(0)
    prepared = prepare_inputs(raw.inputs, dataset.info, dataset.scaler)["x"]
    unscaled = prepare_inputs(raw.inputs, dataset.info, None)["x"]
    back = to_source_units(prepared, dataset.info, dataset.scaler)
    np.testing.assert_allclose(back, unscaled, atol=1e-5)
    whitened = load_data(replace(spec, scale=SCALERS["zca"]()), 0)
    assert to_source_units(prepared, whitened.info, whitened.scaler) is None


def test_several_inputs_come_as_npz(tmp_path: Path) -> None:
    info = DatasetInfo({"left": (2,), "right": (1,)}, Target("values", ("t",)))
    path = savez(tmp_path, left=[[1.0, 2]], right=[3.0], t=[0.5])
    samples = read_new_samples(path, info)
    assert samples.inputs["right"].tolist() == [[3]]
    assert samples.targets.tolist() == [[0.5]]
    with pytest.raises(DataError, match="give them as npz"):
        read_new_samples(write(tmp_path, "a,b,c\n1,2,3\n"), info)


@pytest.mark.parametrize("y", [[["1", "2"]], [[1, 2, 3]], [[1, np.nan]]])
def test_bad_values_as_targets_of_npz(y: object, tmp_path: Path) -> None:
    assert read_new_samples(savez(tmp_path, x=[[1.0]], y=[[1, 2]]), HEIGHTS).targets.shape == (1, 2)
    with pytest.raises(DataError, match='"y"'):
        read_new_samples(savez(tmp_path, x=[[1.0]], y=y), HEIGHTS)
