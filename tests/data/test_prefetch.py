"""Work done ahead: in order, bounded, and gone when it is not wanted any more."""

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


def test_made_in_another_thread_while_one_is_used() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield threading.get_ident()
        made.set()
        yield threading.get_ident()

    with closing(prefetch(items())) as found:
        assert next(found) != threading.get_ident()
        assert made.wait(5)  # though the second has not been asked for


def test_no_further_ahead_than_asked() -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for i in range(100):
            begun.append(i)
            yield i

    with closing(prefetch(items(), ahead=3)) as found:
        assert next(found) == 0
        time.sleep(0.05)
        assert len(begun) <= 1 + 3 + 1  # used, ready, in the making


def test_what_goes_wrong_is_raised_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no second")

    found = prefetch(items())
    assert next(found) == 1
    with pytest.raises(ValueError, match="no second"):
        next(found)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_left_before_the_end(error: type[BaseException]) -> None:
    """By an exception of the one who uses the items, with the thread waiting for room."""

    def use() -> None:
        with closing(prefetch(iter(int, 1))) as found:
            for _ in found:
                time.sleep(0.02)
                raise error

    began = time.monotonic()
    with pytest.raises(error):
        use()
    assert time.monotonic() - began < 1


def test_never_begun_is_no_thread() -> None:
    with closing(prefetch(range(3))):
        assert not [t for t in threading.enumerate() if t.name == "prefetch"]
