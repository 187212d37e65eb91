"""Files of results: nothing is pickled, None is an empty cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ldl.evaluate.result_files import write_arrays, write_table


def test_objects_are_not_pickled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pickle"):
        write_arrays(tmp_path / "a.npz", names=np.array([{}, None]))
    assert not (tmp_path / "a.npz").exists()


def test_none_is_an_empty_cell(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", ["x", "y"], [[1, None], ["a,b", 0.5]])
    assert (tmp_path / "a.csv").read_text() == 'x,y\n1,\n"a,b",0.5\n'
