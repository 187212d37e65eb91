"""Inner values as points and as images; scikit-learn's warnings as notes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from ldl.evaluate.latents import deterministic, latents, random_state
from ldl.evaluate.sample_images import latent_images, rectangle

from .conftest import make_info, make_split


@pytest.mark.parametrize(
    ("area", "sides"),
    [(1, (1, 1)), (2, (1, 2)), (4, (2, 2)), (6, (2, 3)), (7, (1, 7)), (32, (4, 8)), (64, (8, 8))],
)
def test_rectangle_is_the_nearest_to_a_square(area: int, sides: tuple[int, int]) -> None:
    assert rectangle(area) == sides


def test_a_vector_fills_a_square_row_by_row() -> None:
    np.testing.assert_array_equal(latent_images(np.array([[1, 2, 3, 4]])), [[[1, 2], [3, 4]]])


def test_a_signal_has_a_row_for_each_channel() -> None:
    signal = np.arange(6).reshape(1, 3, 2)
    np.testing.assert_array_equal(latent_images(signal), [[[0, 2, 4], [1, 3, 5]]])


def test_maps_are_tiled() -> None:
    maps = np.zeros((1, 2, 2, 4), int) + np.arange(4)
    expected = [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    np.testing.assert_array_equal(latent_images(maps), [expected])


def test_latents_are_flat_float64_of_the_chosen_samples(make_context: Any) -> None:
    split = make_split(np.arange(12).reshape(3, 2, 2))
    context = make_context("classification", make_info((2, 2), ("a",)), split)
    values = latents(context, "x", split, np.array([2, 0]))
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, [[8, 9, 10, 11], [0, 1, 2, 3]])


def test_random_state_depends_on_the_names(make_context: Any) -> None:
    context = make_context("classification", make_info((2,), ("a",)), make_split([[0, 0]]))
    assert random_state(context, "clustering") == random_state(context, "clustering")
    assert random_state(context, "clustering") != random_state(context, "embedding")


def test_deterministic_uses_one_thread_and_notes_each_warning_once() -> None:
    notes = ["before"]
    with deterministic(notes):
        assert all(pool["num_threads"] == 1 for pool in threadpool_info())
        for _ in range(2):
            warnings.warn("it did  not\nconverge.", RuntimeWarning, stacklevel=1)
    assert notes == ["before", "it did not converge"]
