"""Inner values as points and as pictures; scikit-learn's warnings as notes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from ldl.evaluate.latents import deterministic, latents, random_state
from ldl.evaluate.sample_images import latent_images, rectangle

from .conftest import info, part


@pytest.mark.parametrize(
    ("count", "sides"),
    [(1, (1, 1)), (2, (1, 2)), (4, (2, 2)), (6, (2, 3)), (7, (1, 7)), (32, (4, 8)), (64, (8, 8))],
)
def test_the_rectangle_nearest_to_a_square(count: int, sides: tuple[int, int]) -> None:
    assert rectangle(count) == sides


def test_a_vector_fills_a_square_row_by_row() -> None:
    np.testing.assert_array_equal(latent_images(np.array([[1, 2, 3, 4]])), [[[1, 2], [3, 4]]])


def test_a_signal_has_a_row_a_channel() -> None:
    signal = np.arange(6).reshape(1, 3, 2)
    np.testing.assert_array_equal(latent_images(signal), [[[0, 2, 4], [1, 3, 5]]])


def test_maps_stand_beside_and_below_one_another() -> None:
    maps = np.zeros((1, 2, 2, 4), int) + np.arange(4)
    expected = [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    np.testing.assert_array_equal(latent_images(maps), [expected])


def test_codes_are_flat_float64_of_the_chosen_rows(context: Any) -> None:
    one = part(np.arange(12).reshape(3, 2, 2))
    given = context("classification", info((2, 2), ("a",)), one)
    found = latents(given, "x", one, np.array([2, 0]))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [[8, 9, 10, 11], [0, 1, 2, 3]])


def test_seeds_depend_on_the_run_and_the_name(context: Any) -> None:
    given = context("classification", info((2,), ("a",)), part([[0, 0]]))
    assert random_state(given, "clustering") == random_state(given, "clustering")
    assert random_state(given, "clustering") != random_state(given, "embedding")


def test_warnings_become_notes_once_and_one_thread_computes() -> None:
    notes = ["before"]
    with deterministic(notes):
        assert all(pool["num_threads"] == 1 for pool in threadpool_info())
        for _ in range(2):
            warnings.warn("it did  not\nconverge.", RuntimeWarning, stacklevel=1)
    assert notes == ["before", "it did not converge"]
