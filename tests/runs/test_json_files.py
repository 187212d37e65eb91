"""JSON files: strict, stable and exact."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldl.errors import RunFolderError
from ldl.runs.json_files import (
    dump_state,
    is_number,
    load_state,
    read_json,
    to_json,
    write_json,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner),
    max_leaves=10,
)


def test_non_finite_floats_are_strings_and_the_file_is_strict_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"z": [math.nan, math.inf], "a": -math.inf, "f": np.float32("nan")})

    def refuse(constant: str) -> Any:
        raise AssertionError(constant)

    values = json.loads(path.read_text(), parse_constant=refuse)
    assert values == {"z": ["NaN", "Infinity"], "a": "-Infinity", "f": "NaN"}
    assert list(values) == ["z", "a", "f"]
    assert path.read_text().endswith("}\n")


def test_numpy_values_paths_and_tuples_become_json_types(tmp_path: Path) -> None:
    value = {"n": np.int64(3), "x": np.float32(0.1), "a": np.eye(2), "p": Path("b"), 5: (1, True)}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == {
        "n": 3,
        "x": float(np.float32(0.1)),
        "a": [[1.0, 0.0], [0.0, 1.0]],
        "p": "b",
        "5": [1, True],
    }


def test_a_file_name_that_is_not_utf8_is_read_back(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", ["caf\udce9.yaml", "é"])
    assert read_json(tmp_path / "a.json") == ["caf\udce9.yaml", "é"]


@pytest.mark.parametrize("value", [object(), {1.5: 0}, {True: 0}, {"a": {1, 2}}, 1j])
def test_other_types_are_refused_before_writing(tmp_path: Path, value: Any) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", value)
    assert not list(tmp_path.iterdir())


def test_every_truncation_is_detected(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"status": "running", "x": [1.5, None]})
    whole = path.read_bytes()
    for size in range(len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(RunFolderError, match=r"a\.json is damaged: not valid JSON"):
            read_json(path)


@pytest.mark.parametrize("data", [b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000, b"{'a': 1}"])
def test_damage_is_a_clear_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(RunFolderError, match="damaged"):
        read_json(path)
    with pytest.raises(RunFolderError, match="No such file"):
        read_json(tmp_path / "b.json")


@given(st.dictionaries(st.text(), VALUES))
def test_a_state_is_read_back_exactly(state: dict[str, Any]) -> None:
    restored = load_state(dump_state(state))
    assert restored == state
    assert json.dumps(restored, sort_keys=True) == json.dumps(state, sort_keys=True)


def test_equal_states_give_equal_text_and_nan_is_read_back() -> None:
    assert dump_state({"a": 1, "b": {"d": 2, "c": 3}}) == dump_state(
        {"b": {"c": 3, "d": 2}, "a": 1}
    )
    restored = load_state(dump_state({"best": math.inf, "loss": math.nan, "low": -math.inf}))
    assert (
        restored["best"] == math.inf
        and math.isnan(restored["loss"])
        and restored["low"] == -math.inf
    )


def test_a_generator_continues_from_its_state() -> None:
    generator = np.random.default_rng(5)
    generator.random(7)
    text = dump_state({"rng": generator.bit_generator.state})
    other = np.random.default_rng(0)
    other.bit_generator.state = load_state(text)["rng"]
    assert np.array_equal(other.random(9), generator.random(9))


def test_a_hundred_levels_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for levels in (100, 101):
        path.write_text('{"a": [' * (levels // 2) + "[]" * (levels % 2) + "]}" * (levels // 2))
        if levels == 100:
            assert list(read_json(path)) == ["a"]
        else:
            with pytest.raises(RunFolderError, match="nested more than 100 deep"):
                read_json(path)


def test_numbers_that_a_float_holds() -> None:
    assert all(map(is_number, (0, -1.5, 10**299, -1e299)))
    assert not any(map(is_number, (True, "1", None, math.inf, math.nan, 10**301, -1e300)))
    assert to_json({"a": [1]}) == b'{\n  "a": [\n    1\n  ]\n}\n'
