"""CSV files: the samples, and errors with line and column for every kind of bad file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from ldl.data import SOURCES, DataSpec, SplitSpec, describe_data, load_data
from ldl.data.sources import csv_file
from ldl.errors import DataError, SettingError

Csv = SOURCES["csv"]
GOOD = "height,width,kind\n1,2.5,oak\n-3e2,4,elm\n5,6,oak\n"


def write(tmp_path: Path, content: str | bytes, name: str = "trees.csv") -> str:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_text_is_classes_in_alphabetical_order(tmp_path: Path) -> None:
    raw = Csv(write(tmp_path, GOOD), "kind").read(0)
    assert raw.inputs["x"].tolist() == [[1, 2.5], [-300, 4], [5, 6]]
    assert raw.targets.tolist() == [1, 0, 1]
    target = raw.info.target
    assert (target.kind, target.names, target.label) == ("classes", ("elm", "oak"), "kind")
    assert raw.info.features == ("height", "width")
    assert raw.info.samples == 3


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n")])
def test_byte_order_mark_line_ends_and_blank_last_lines(
    tmp_path: Path, content: str | bytes
) -> None:
    plain = Csv(write(tmp_path, GOOD, "a.csv"), "kind").read(0)
    tail = b"\n\n" if isinstance(content, bytes) else "\n\n"
    other = Csv(write(tmp_path, content + tail, "b.csv"), "kind").read(0)
    assert plain.sha256() == other.sha256()
    assert plain.info == other.info


def test_whole_numbers_are_classes_up_to_twenty(tmp_path: Path) -> None:
    for count, kind in ((20, "classes"), (21, "values")):
        rows = "".join(f"{i},{i % count}\n" for i in range(50))
        target = Csv(write(tmp_path, "x,y\n" + rows, f"{count}.csv"), "y").describe().target
        assert target.kind == kind
    assert Csv(write(tmp_path, "x,y\n" + rows), "y", "classes").describe().target.size == 21
    assert Csv(write(tmp_path, "x,y\n1,2.5\n2,4\n"), "y").describe().target.kind == "values"
    assert Csv(write(tmp_path, "x,y\n1,0\n2,1\n"), "y", "values").describe().target.names == ("y",)


def test_whole_number_classes_are_in_ascending_order(tmp_path: Path) -> None:
    path = write(tmp_path, "x,y\n1,10\n2,9\n3,-1\n")
    assert Csv(path, "y").describe().target.names == ("-1", "9", "10")


def test_several_targets_and_none(tmp_path: Path) -> None:
    path = write(tmp_path, "a;b;c;d\n1;2;3;4\n5;6;7;8\n")
    raw = Csv(path, ["d", "b"], delimiter=";").read(0)
    assert raw.info.target.names == ("d", "b")
    assert raw.targets.tolist() == [[4, 2], [8, 6]]
    assert raw.inputs["x"].tolist() == [[1, 3], [5, 7]]
    alone = Csv(path, delimiter=";").read(0)
    assert alone.targets is None
    assert alone.info.target.kind == "none"
    assert alone.inputs["x"].shape == (2, 4)


def test_quoted_cells_may_hold_delimiters_and_line_breaks(tmp_path: Path) -> None:
    path = write(tmp_path, 'x,kind\n1,"an ""old"", old\noak"\n2,elm\nbad,elm\n')
    with pytest.raises(DataError, match=r'line 5, column "x": "bad" is not a number'):
        Csv(path, "kind").read(0)


BAD = {
    "missing": ("x,y\n1,a\n,b\n", 'line 3, column "x": missing value'),
    "missing in words": ("x,y\n1,a\nN/A,b\n", 'line 3, column "x": missing value'),
    "missing class": ("x,y\n1,a\n2,\n", 'line 3, column "y": missing value'),
    "no number": ("x,y\n1,a\ntwo,b\n", 'line 3, column "x": "two" is not a number'),
    "underscore": ("x,y\n1,a\n1_0,b\n", '"1_0" is not a number'),
    "decimal comma": ('x,y\n1,a\n"2,5",b\n', r'"2,5" is not a number \(a decimal comma'),
    "infinite": ("x,y\n1,a\ninf,b\n", '"inf" is not finite'),
    "too large": ("x,y\n1,a\n1e39,b\n", '"1e39" is too large'),
    "text column": ("x,y\nb,a\nc,b\n", 'line 2, column "x": no cell of this column is a number'),
    "ragged": ("x,y\n1,a\n2\n3,c,d\n", "line 3: 1 cell where the header has 2\n  line 4: 3 "),
    "blank between": ("x,y\n1,a\n\n3,c\n", "line 3: 0 cells where the header has 2"),
    "same name twice": ("x,y,x\n1,a,2\n", 'line 1, column "x": is 2 times in the header'),
    "no name": ("x,,y\n1,2,a\n", 'line 1, column "2": has no name'),
    "no header": ("1,2\n3,4\n", "line 1: the first row holds numbers"),
    "no target": ("x,z\n1,a\n", 'no column "y" for the target; the columns are "x", "z"'),
    "only target": ("y\na\n", "none is left for the inputs"),
    "empty": ("", "the file is empty"),
    "blank": ("\n\n", "the file is empty"),
    "header alone": ("x,y\n", "no sample below it"),
    "open quotation": ('x,y\n1,"a\n2,b\n', "line 2: .*quotation mark left open"),
    "Latin-1": ("x,y\n1,a\n2,é\n".encode("latin-1"), "line 3: byte 0xe9 is not UTF-8"),
    "UTF-16": ("x,y\n1,a\n".encode("utf-16"), "the file is UTF-16"),
    "binary": (b"x,y\n1,\0\n", "line 2: a NUL character"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_are_refused_with_their_location(tmp_path: Path, kind: str) -> None:
    content, message = BAD[kind]
    path = write(tmp_path, content)
    with pytest.raises(DataError, match=message) as caught:
        describe_data(DataSpec(Csv(path, "y"), split=SplitSpec(None, 0, 0)))
    assert str(caught.value).startswith(path)


@pytest.mark.parametrize("target", ["y", None])
@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter(tmp_path: Path, delimiter: str, target: str | None) -> None:
    for row in ("1,2", "1,5,2", "1.5,2"):
        text = f"x,z,y\n{row},1\n3,4,2\n".replace(",", delimiter)
        with pytest.raises(DataError, match="the header is one cell") as caught:
            Csv(write(tmp_path, text), target).read(0)
        assert f"did you mean `delimiter: {json.dumps(delimiter)}`?" in str(caught.value)
        assert "decimals" not in str(caught.value)


def test_another_delimiter_and_decimal_commas(tmp_path: Path) -> None:
    path = write(tmp_path, "x;y\n1,5;2\n3;4,25\n")
    with pytest.raises(DataError) as caught:
        Csv(path, "y").read(0)
    assert '`delimiter: ";"`?; decimals need a point: 1.5, not 1,5' in str(caught.value)
    with pytest.raises(DataError, match="a decimal comma"):
        Csv(path, "y", delimiter=";").read(0)


def test_similar_names_ignore_case(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='did you mean "BMI"'):
        Csv(write(tmp_path, "x,BMI\n1,2\n"), "bmi").read(0)


def test_a_typing_error_in_a_column_of_numbers_is_no_class(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i / 7}\n" for i in range(30))
    path = write(tmp_path, f"x,y\n{rows}1,O.5\n")
    with pytest.raises(DataError, match=r'line 32, column "y": "O.5" is not a number'):
        Csv(path, "y").read(0)


def test_all_bad_rows_up_to_ten_are_listed(tmp_path: Path) -> None:
    rows = "".join(f"{'?' if i % 2 else i},{i}\n" for i in range(26))
    with pytest.raises(DataError) as caught:
        Csv(write(tmp_path, "x,y\n" + rows), "y").read(0)
    text = str(caught.value)
    assert text.count("missing value") == 10
    assert "and 3 more" in text
    assert 'line 3, column "x"' in text
    assert 'line 21, column "x"' in text


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"no such file|is not a file"):
        Csv(str(tmp_path / name)).describe()


def test_read_once_and_again_when_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, GOOD)
    calls = []
    original = csv_file.read_csv_table
    monkeypatch.setattr(csv_file, "read_csv_table", lambda *a: calls.append(a) or original(*a))
    spec = DataSpec(Csv(path, "kind"), split=SplitSpec(None, 0, 0))
    first = (describe_data(spec), load_data(spec, 0))[1]
    assert len(calls) == 1
    assert first.info.samples == 3
    write(tmp_path, GOOD + "7,8,ash\n")
    os.utime(path, (1, 1))
    assert load_data(spec, 0).info.target.names == ("ash", "elm", "oak")
    assert len(calls) == 2


def test_the_loaded_arrays_may_be_changed(tmp_path: Path) -> None:
    spec = DataSpec(Csv(write(tmp_path, GOOD), "kind"), split=SplitSpec(None, 0, 0))
    dataset = load_data(spec, 0)
    dataset.train.inputs["x"][:] = 0
    dataset.train.targets[:] = 0
    assert np.sum(load_data(spec, 0).train.targets) == 2


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"delimiter": ";;"}, "delimiter"),
        ({"task": "classes"}, "task"),
        ({"task": "classes", "target": ["a", "b"]}, "task"),
        ({"target": ["a", "a"]}, "target"),
    ],
)
def test_bad_settings(settings: dict[str, object], setting: str) -> None:
    with pytest.raises(SettingError) as caught:
        Csv("file.csv", **settings)
    assert caught.value.setting == setting
