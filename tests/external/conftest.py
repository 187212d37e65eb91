"""What holds for all comparisons."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Products are small here, and several tests run at once: more threads would only wait."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
