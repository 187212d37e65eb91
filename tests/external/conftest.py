"""Fixtures of all comparisons."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Run on one thread: matrices are small, and several tests may run at once."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
