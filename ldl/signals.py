"""SIGINT, SIGTERM and SIGHUP: deferred to the end of a batch, or raised at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ldl.errors import Interrupted

HANDLED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """The handler of signals within `interrupt_on_signal`."""

    def __init__(self) -> None:
        self.caught: int | None = None
        self.is_active = True  # within the block
        self.is_finished = False
        self._late = False  # a signal came after the work was finished

    def finish(self) -> None:
        """From now on the first signal has no effect: what is left takes no time."""
        self.is_finished = True

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal. Raises Interrupted."""
        if self.is_finished and not self._late:
            self._late = True
            return
        self.caught = number
        raise Interrupted(number)


@contextmanager
def interrupt_on_signal(until_exit: bool = False) -> Iterator[Interruption]:
    """Within `with`, a signal raises Interrupted at once, until the work is finished.

    For work that can be started again. Where a library or a finalizer has swallowed the exception,
    Interrupted is raised at the end of the block. A block within another one has the handler of the
    outer one, so that a command stays finished when the function that has finished it returns; with
    `until_exit` it does so until the process ends.
    """
    outer = signal.getsignal(signal.SIGTERM)
    if isinstance(outer, Interruption) and outer.is_active:
        yield outer
        _raise_caught(outer)
        return
    interruption = Interruption()
    previous, show_unraisable = _install(interruption), sys.unraisablehook

    def show_errors(unraisable: Any) -> None:  # but no signal in a finalizer, which is raised later
        if not isinstance(unraisable.exc_value, Interrupted):
            show_unraisable(unraisable)

    sys.unraisablehook = show_errors
    try:
        yield interruption
    finally:
        interruption.is_active = False
        sys.unraisablehook = show_unraisable
        if not (until_exit and interruption.is_finished):
            _restore(previous)
    _raise_caught(interruption)


def _raise_caught(interruption: Interruption) -> None:
    if interruption.caught is not None:
        raise Interrupted(interruption.caught)


class DeferredSignals:
    """Within `with`, `caught` is the number of the first signal, or None.

    A second signal has its previous effect. Outside the main thread Python delivers no signals,
    and this class does nothing.
    """

    def __init__(self) -> None:
        self.caught: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> DeferredSignals:
        self._previous = _install(self._catch)
        return self

    def _catch(self, number: int, frame: FrameType | None) -> None:
        self.caught = number
        self.__exit__()

    def __exit__(self, *exception: object) -> None:
        _restore(self._previous)
        self._previous = {}


def _install(handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Set the handler of all handled signals; {signal: previous handler}."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in HANDLED_SIGNALS}


def _restore(previous: dict[int, Any]) -> None:
    for number, handler in previous.items():
        signal.signal(number, handler)
