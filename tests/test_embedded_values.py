"""An embedding has a row for every whole number that the data holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ldl.errors import ConfigError
from ldl.execute import prepare

TEXT = """\
data: {source: {npz: {path: words.npz}}, scale: SCALE}
network: [{embedding: {units: 3, entries: ENTRIES}}, flatten, linear]
"""


@pytest.mark.parametrize(
    ("entries", "scale", "words"),
    [
        ("9", "null", "embedding takes whole numbers from 0 to 8, and these go from 0 to 9"),
        ("10", "minmax", "fractions from 0 to 1; `data.scale`"),
        ("10", "null", ""),
    ],
)
def test_values_without_a_row_are_refused(
    entries: str, scale: str, words: str, tmp_path: Path
) -> None:
    """With the place of the layer, and before anything is trained."""
    x = np.arange(200, dtype=np.float32).reshape(50, 4) % 10
    np.savez(tmp_path / "words.npz", x=x, y=np.arange(50) % 2)
    file = tmp_path / "words.yaml"
    file.write_text(TEXT.replace("SCALE", scale).replace("ENTRIES", entries))
    if not words:
        assert prepare(file).data().train.inputs["x"].max() == 9
        return
    with pytest.raises(ConfigError, match=words) as caught:
        prepare(file).data()
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (2, 12)
