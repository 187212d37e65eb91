"""Items computed ahead of their use, in a thread."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.1  # after which a blocked thread checks its stop event


class _End:
    """Follows the last item, with the exception that ended the items, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def prefetch(items: Iterable[T], ahead: int = 2) -> Generator[T, None, None]:
    """The items in their order; a thread computes up to `ahead` of them before they are needed.

    An exception that `items` raises is raised after the items before it. The thread ends when the
    generator ends or is closed: close it (`contextlib.closing`) where it may not reach its end.
    """
    queue: Queue[T | _End] = Queue(ahead)
    stop = Event()

    def put(item: T | _End) -> bool:
        while not stop.is_set():
            with suppress(Full):
                queue.put(item, timeout=POLL_SECONDS)
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
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        with suppress(Empty):
            queue.get_nowait()  # a thread that is blocked by the full queue goes on and sees `stop`
        thread.join()
