"""Prefetched items: in order, bounded, and without a thread left at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from ldl.data import prefetch


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [t for t in threading.enumerate() if t.name == "prefetch"]


def test_all_in_order() -> None:
    assert list(prefetch(range(50))) == list(range(50))
    assert list(prefetch([])) == []


def test_the_next_item_is_computed_in_another_thread() -> None:
    computed = threading.Event()

    def items() -> Iterator[int]:
        yield threading.get_ident()
        computed.set()
        yield threading.get_ident()

    with closing(prefetch(items())) as iterator:
        assert next(iterator) != threading.get_ident()
        assert computed.wait(5)  # before the second is requested


def test_at_most_the_given_number_ahead() -> None:
    started: list[int] = []

    def items() -> Iterator[int]:
        for i in range(100):
            started.append(i)
            yield i

    with closing(prefetch(items(), ahead=3)) as iterator:
        assert next(iterator) == 0
        time.sleep(0.05)
        assert len(started) <= 1 + 3 + 1  # used, queued, being computed


def test_an_exception_is_raised_at_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no second")

    iterator = prefetch(items())
    assert next(iterator) == 1
    with pytest.raises(ValueError, match="no second"):
        next(iterator)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_left_before_the_end(error: type[BaseException]) -> None:
    """By an exception of the consumer, while the thread waits for space in the queue."""

    def use() -> None:
        with closing(prefetch(iter(int, 1))) as iterator:
            for _ in iterator:
                time.sleep(0.02)
                raise error

    start = time.monotonic()
    with pytest.raises(error):
        use()
    assert time.monotonic() - start < 1


def test_no_thread_before_the_first_item() -> None:
    with closing(prefetch(range(3))):
        assert not [t for t in threading.enumerate() if t.name == "prefetch"]
