"""metrics.csv: exact numbers, and rows that survive kills and full disks."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldl.errors import RunError, RunFolderError
from ldl.runs import metrics_file
from ldl.runs.metrics_file import MetricsWriter, _format, _parse, read_last_row, read_metrics

COLUMNS = ("epoch", "train.loss", "validation.loss")


def fill(path: Path, epochs: int) -> None:
    with MetricsWriter(path, COLUMNS) as writer:
        for epoch in range(1, epochs + 1):
            writer.append({"epoch": epoch, "train.loss": 1 / epoch})


@given(st.floats(allow_nan=False) | st.integers() | st.none())
def test_a_number_is_read_back_bit_for_bit(number: Any) -> None:
    parsed = _parse(_format(number))
    assert parsed == number and type(parsed) is type(number) and repr(parsed) == repr(number)


def test_numpy_numbers_and_non_finite_ones() -> None:
    assert _format(np.float64(0.1)) == "0.1" and _format(np.int64(3)) == "3"
    assert _format(np.array(0.5)) == "0.5" and _format(True) == "1"
    assert _parse(_format(np.float32(0.1))) == np.float32(0.1)
    assert math.isnan(_parse(_format(math.nan)) or 0.0) and _parse(_format(-math.inf)) == -math.inf


def test_rows_are_in_the_file_when_append_returns(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    writer = MetricsWriter(path, COLUMNS)
    assert read_metrics(path) == [] and read_last_row(path) is None
    writer.append({"epoch": 1, "validation.loss": 0.25})
    assert path.read_text() == "epoch,train.loss,validation.loss\n1,,0.25\n"
    row = {"epoch": 1, "train.loss": None, "validation.loss": 0.25}
    assert read_metrics(path) == [row] and read_last_row(path) == row
    with pytest.raises(ValueError, match=r"no such column: test\.loss"):
        writer.append({"epoch": 2, "test.loss": 0.5})
    writer.close()
    writer.close()


@pytest.mark.parametrize("cut", range(1, 8))
def test_an_incomplete_last_row_is_left_out_and_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "metrics.csv"
    fill(path, 3)
    os.truncate(path, path.stat().st_size - cut)
    assert [row["epoch"] for row in read_metrics(path)] == [1, 2]
    assert (read_last_row(path) or {})["epoch"] == 2
    with MetricsWriter(path, COLUMNS) as writer:
        writer.append({"epoch": 3, "train.loss": 0.5})
    assert [(row["epoch"], row["train.loss"]) for row in read_metrics(path)][1:] == [
        (2, 0.5),
        (3, 0.5),
    ]


def test_truncate_to_keeps_the_bytes_of_the_remaining_rows(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    fill(path, 3)
    three = path.read_bytes()
    with MetricsWriter(path, COLUMNS) as writer:
        for epoch in (4, 5):
            writer.append({"epoch": epoch, "train.loss": 1 / epoch})
        five = path.read_bytes()
        assert writer.truncate_to(3) == 3
        assert path.read_bytes() == three
        for epoch in (4, 5):
            writer.append({"epoch": epoch, "train.loss": 1 / epoch})
        assert path.read_bytes() == five
        assert writer.truncate_to(9) == 5
        assert writer.truncate_to(0) == 0
    assert read_metrics(path) == []


def test_an_empty_or_incomplete_header_is_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    for text in ("", "epoch,tra"):
        path.write_text(text)
        assert read_metrics(path) == [] and read_last_row(path) is None
        fill(path, 1)
        assert len(read_metrics(path)) == 1


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    fill(path, 1)
    with pytest.raises(RunFolderError, match=r"other columns: epoch,train\.loss"):
        MetricsWriter(path, ("epoch", "train.loss"))
    for columns in (("loss",), ("epoch", "a,b"), ("epoch", "a\nb"), ()):
        with pytest.raises(ValueError, match="first column is epoch"):
            MetricsWriter(tmp_path / "b.csv", columns)


@pytest.mark.parametrize("line", ["4,0.5", "4,0.5,0.5,0.5", "4,x,0.5", "four,1,1", "4,\xff,1"])
def test_a_damaged_row_is_an_error(tmp_path: Path, line: str) -> None:
    path = tmp_path / "metrics.csv"
    fill(path, 3)
    with path.open("ab") as file:
        file.write(line.encode("latin-1") + b"\n")
    with pytest.raises(RunFolderError, match=r"metrics\.csv is damaged"):
        read_metrics(path)
    with pytest.raises(RunFolderError, match=r"metrics\.csv is damaged"):
        read_last_row(path)


def test_a_full_disk_leaves_complete_rows(tmp_path: Path) -> None:
    class Full:
        """Writes half of the data and reports so."""

        def __init__(self, file: Any) -> None:
            self.file = file

        def write(self, data: bytes) -> int:
            return int(self.file.write(data[: len(data) // 2]))

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    path = tmp_path / "metrics.csv"
    fill(path, 2)
    before = path.read_bytes()
    with MetricsWriter(path, COLUMNS) as writer:
        real = writer._file
        writer._file = Full(real)  # type: ignore[assignment]
        with pytest.raises(RunError, match=r"cannot write .*metrics\.csv: the disk is full"):
            writer.append({"epoch": 3})
        assert path.read_bytes() == before
        writer._file = real
        writer.append({"epoch": 3})
    assert [row["epoch"] for row in read_metrics(path)] == [1, 2, 3]


def test_the_last_row_of_a_long_file_and_of_long_rows(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    fill(path, 2000)
    assert read_last_row(path) == read_metrics(path)[-1]
    wide = ("epoch", *(f"column{n}" for n in range(3000)))
    with MetricsWriter(tmp_path / "wide.csv", wide) as writer:
        for epoch in (1, 2):
            writer.append(dict.fromkeys(wide, epoch))
    assert read_last_row(tmp_path / "wide.csv") == dict.fromkeys(wide, 2)


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_the_last_row_with_any_part_of_the_file_read(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.csv"
    fill(path, rows)
    expected = read_metrics(path)[-1] if rows else None
    for size in range(1, path.stat().st_size + 2):
        monkeypatch.setattr(metrics_file, "TAIL_BYTES", size)
        assert read_last_row(path) == expected
