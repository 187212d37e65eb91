"""Spacings against NumPy, and the documentation of the block."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from ldl.config import fields_of
from ldl.errors import SettingError
from ldl.grid.block import SEARCHES, SPACINGS, Arange, GridBlock, Linspace, Logspace


@pytest.mark.parametrize(
    "numbers", [(1, 10, 1), (16, 64, 16), (1, 2, 5), (10, 0, -3), (-3, 4, 2), (0, 7, 7)]
)
def test_a_range_of_whole_numbers(numbers: tuple[int, int, int]) -> None:
    """Python's range, as integers."""
    assert Arange(numbers).values() == list(range(*numbers))
    assert all(isinstance(value, int) for value in Arange(numbers).values())


@pytest.mark.parametrize(
    ("numbers", "values"),
    [
        ((0.1, 0.4, 0.1), [0.1, 0.2, 0.3]),
        ((0.0, 1.0, 0.25), [0.0, 0.25, 0.5, 0.75]),
        ((1, 2, 0.5), [1.0, 1.5]),
        ((0.3, 0.0, -0.1), [0.3, 0.2, 0.1]),
        ((0.0, 0.7, 0.1), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    ],
)
def test_a_range_of_fractions(numbers: tuple[float, float, float], values: list[float]) -> None:
    """As a person would write them, always without the end."""
    assert Arange(numbers).values() == values


@pytest.mark.parametrize("numbers", [(0.0, 1.0, 5), (0.1, 0.5, 5), (3.0, 1.0, 3), (2.0, 9.0, 1)])
def test_linspace_is_numpys(numbers: tuple[float, float, int]) -> None:
    """Both ends, equal distances."""
    np.testing.assert_allclose(Linspace(numbers).values(), np.linspace(*numbers), rtol=1e-11)


@pytest.mark.parametrize(
    "numbers", [(-4.0, -1.0, 4), (0.0, 2.0, 5), (-1.0, -3.0, 3), (-2.0, 0.0, 1)]
)
def test_logspace_is_numpys(numbers: tuple[float, float, int]) -> None:
    """Exponents of ten."""
    np.testing.assert_allclose(Logspace(numbers).values(), np.logspace(*numbers), rtol=1e-11)


def test_logspace_gives_the_numbers_that_people_write() -> None:
    """0.001 and not 0.0010000000000000002."""
    assert Logspace((-4.0, -1.0, 4)).values() == [0.0001, 0.001, 0.01, 0.1]


@pytest.mark.parametrize("numbers", [(1, 1, 1), (1, 9, 0), (9, 1, 1), (0, 1, 1e-9)])
def test_invalid_ranges(numbers: tuple[float, float, float]) -> None:
    """Empty, or far too long."""
    with pytest.raises(SettingError):
        Arange(numbers)


@pytest.mark.parametrize("numbers", [(1e-4, 1e-1, 4), (0.0, 301.0, 2)])
def test_implausible_logspaces(numbers: tuple[float, float, int]) -> None:
    """Values in place of exponents; more than a float holds."""
    with pytest.raises(SettingError):
        Logspace(numbers)


@pytest.mark.parametrize("cls", [*SEARCHES.values(), *SPACINGS.values(), GridBlock])
def test_every_class_has_a_docstring(cls: type) -> None:
    """A docstring whose first line says what it is."""
    own = cls.__dict__.get("__doc__") or ""
    assert own.strip() and not own.startswith(f"{cls.__name__}(")
    assert (inspect.getdoc(cls) or "").splitlines()[0].endswith(".")
    assert fields_of(GridBlock)[0].key == "objective"
