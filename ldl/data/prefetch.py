"""Work done ahead in a thread while what is ready is used."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 0.1  # seconds after which a thread that cannot go on looks whether it should stop


class _End:
    """After the last item; with what ended it, if that was an exception."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def prefetch(items: Iterable[T], ahead: int = 2) -> Generator[T, None, None]:
    """The items in their order; up to `ahead` of them are made before they are asked for.

    What making one raises is raised where it would be next. The thread is gone when the generator
    ends or is closed: close it (`contextlib.closing`) where it may be left before its end.
    """
    ready: Queue[T | _End] = Queue(ahead)
    stop = Event()

    def put(item: T | _End) -> bool:
        while not stop.is_set():
            with suppress(Full):
                ready.put(item, timeout=PATIENCE)
                return True
        return False

    def work() -> None:
        try:
            if all(put(item) for item in items):
                put(_End())
        except BaseException as error:
            put(_End(error))

    thread = Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        with suppress(Empty):
            ready.get_nowait()  # a thread that waits for room goes on, and sees `stop`
        thread.join()
