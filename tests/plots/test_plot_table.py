"""Reading CSV tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldl.plots.plot_table import read_plot_table

from .figures import table


def test_a_ragged_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="differ in length"):
        table(tmp_path, ["a", "b"], [[1]])


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("")
    with pytest.raises(ValueError, match="empty"):
        read_plot_table(tmp_path / "table.csv")
