"""The embedded sets equal those of scikit-learn's loaders."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import sklearn.datasets

from ldl.data import SOURCES

LOADERS = {
    "digits": sklearn.datasets.load_digits,
    "iris": sklearn.datasets.load_iris,
    "wine": sklearn.datasets.load_wine,
    "breast_cancer": sklearn.datasets.load_breast_cancer,
    "diabetes": lambda: sklearn.datasets.load_diabetes(scaled=False),
    "linnerud": sklearn.datasets.load_linnerud,
}


@pytest.mark.parametrize("name", LOADERS)
def test_equals_scikit_learn(name: str) -> None:
    expected = LOADERS[name]()
    source = SOURCES[name]()
    raw, info = source.read(0), source.describe()
    assert raw.info == info
    assert raw.inputs.keys() == info.inputs.keys() == {"x"}
    np.testing.assert_array_equal(raw.inputs["x"], expected.data)
    np.testing.assert_array_equal(raw.targets, expected.target.reshape(raw.targets.shape))
    assert raw.inputs["x"].shape == (info.samples, *info.inputs["x"])


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer"])
def test_class_names(name: str) -> None:
    target = SOURCES[name]().describe().target
    assert target.kind == "classes"
    assert list(target.names) == [str(n) for n in LOADERS[name]().target_names]


@pytest.mark.parametrize("name", LOADERS)
def test_feature_names(name: str) -> None:
    """Pixels have no names."""
    names = [] if name == "digits" else list(LOADERS[name]().feature_names)
    assert list(SOURCES[name]().describe().features) == names


def test_value_names_of_linnerud() -> None:
    target = SOURCES["linnerud"]().describe().target
    assert (target.kind, list(target.names)) == ("values", LOADERS["linnerud"]().target_names)


def test_importing_and_reading_digits_import_no_scikit_learn() -> None:
    code = (
        "import sys, ldl.data as d; d.load_data(d.DataSpec(d.SOURCES['digits']()), 0); "
        "sys.exit(str([m for m in ('sklearn', 'scipy', 'urllib.request') if m in sys.modules]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stderr.strip() == "[]"
