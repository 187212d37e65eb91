"""The tables of results.json and of contingency matrices."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldl.errors import RunFolderError
from ldl.report.result_tables import align_decimals, contingency_table, evaluation_section


def test_decimal_points_are_aligned() -> None:
    """Fractions of a column have the same number of places; whole numbers have none."""
    assert align_decimals([0.5, 1.0, 0.9722]) == ["0.5000", "1.0000", "0.9722"]
    assert align_decimals([35, 36]) == ["35", "36"]
    assert align_decimals([1.0, 2.0]) == ["1", "2"]
    assert align_decimals([0.5, None]) == ["0.5", "–"]


def test_results_of_any_shape() -> None:
    """A table for each group of metrics, one for the rest; long lists by their length."""
    values = {
        "part": "test", "samples": 3, "units": {"a": "m"}, "notes": ["careful"],
        "a": 1.0, "deep": {"er": {"est": 2.0}}, "list": [1, 2], "long": list(range(99)),
        "empty": {}, "classes": {"x": {"recall": 0.5}, "y": {"recall": 1.0}},
    }  # fmt: skip
    section = evaluation_section("some_thing", values)
    cells = [cell for table in section.tables for row in table.rows for cell in row]
    text = " ".join([section.title, section.scope, *section.notes, *cells])
    for word in (
        "Some thing",
        "3 samples",
        "careful",
        "deep er est",
        "1, 2",
        "99 values",
        "1.0000",
    ):
        assert word in text, word


def test_a_matrix_is_shaded_by_its_rows(tmp_path: Path) -> None:
    """Darker with the share of the row; the diagonal is outlined; zeros are pale."""
    path = tmp_path / "confusion-test.csv"
    path.write_text("true\\predicted,a,b\na,3,0\nb,1,1\n")
    table = contingency_table(path)
    assert table is not None
    assert table.caption == "Confusion: rows true, columns predicted, test split"
    assert table.rows == [("a", [(3, "h5 hit"), (0, "zero")]), ("b", [(1, "h3"), (1, "h3 hit")])]


@pytest.mark.parametrize("text", ["", "a,b\n\n", "a,b\nx,1.5\n", "a,b\nx,1,2\n"])
def test_a_damaged_matrix_is_an_error(text: str, tmp_path: Path) -> None:
    """Without a head, with an empty line, with fractions, with a ragged row."""
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(RunFolderError, match="cannot be shown"):
        contingency_table(tmp_path / "m.csv")
