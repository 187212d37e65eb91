"""How training goes: a live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ldl.cli.output import duration, figure, say

if TYPE_CHECKING:
    from ldl.train import TrainProgress

BAR = 12  # columns of the bar
LINES = 20  # plain lines for a whole training, about


class Display:
    """Shows stages, downloads and epochs on stderr; `quiet` shows nothing."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.live = not quiet and sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None
        self._shown = 0.0
        self._rate = 0.0
        self._row: dict[str, float | int | None] = {}  # of the last finished epoch
        self._start: tuple[float, int] | None = None  # when, and how many epochs were done then

    def __enter__(self) -> Self:
        if self.live:
            from rich.progress import BarColumn, Progress, TextColumn

            from ldl.cli.output import console

            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=BAR),
                TextColumn("{task.fields[words]}", markup=False),
                console=console(stderr=True),
                transient=True,
                refresh_per_second=10,
            )
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def data(self, what: str, done: int, total: int) -> None:
        """A download's progress, in bytes."""
        if self.live:
            self._show(what, done, total, f"{done / 1e6:.1f} MB")
        elif not self.quiet and done == 0:
            say(f"{what} …")

    def note(self, text: str) -> None:
        """Advice on what the data shows."""
        if self.live:
            self._bar.console.print(f"note: {text}", markup=False)
        else:
            say(f"note: {text}")

    def stage(self, name: str) -> None:
        """What is being done after training."""
        if self.live:
            self._show(name, 0, 0, "")

    def training(self, progress: TrainProgress) -> None:
        """An epoch under way, or a finished one."""
        if self.quiet:
            return
        now = time.monotonic()
        self._row = progress.row or self._row
        self._start = self._start or (now, progress.epoch - 1)
        if self.live:
            if progress.row is None or now - self._shown > 0.1:
                self._shown = now
                done = progress.epoch - 1 + progress.metrics.batch / progress.batches
                words = self._words(progress, now, done)
                self._show(
                    f"epoch {progress.epoch}/{progress.epochs}", done, progress.epochs, words
                )
        elif progress.row is not None and self._is_due(progress, now):
            self._shown = now
            head = f"epoch {progress.epoch:>{len(str(progress.epochs))}}/{progress.epochs}"
            say(f"{head}  {self._words(progress, now, progress.epoch)}")

    def _is_due(self, progress: TrainProgress, now: float) -> bool:
        """The first and the last epoch, one in twenty, and whatever ends ten quiet seconds."""
        every = max(1, -(-progress.epochs // LINES))
        number = progress.epoch
        return number in (1, progress.epochs) or number % every == 0 or now - self._shown > 10

    def _words(self, progress: TrainProgress, now: float, done: float) -> str:
        """Losses, metrics, speed and time left."""
        words = []
        row = dict(progress.row or self._row)
        if progress.row is None and progress.metrics.samples:
            row["train_loss"] = progress.metrics.loss / progress.metrics.samples
        for name, value in row.items():
            if name not in ("epoch", "seconds", "gradient_norm", "learning_rate"):
                short = name.removeprefix("train_").replace("validation_", "val_")
                words.append(f"{short if self.live else name} {figure(value)}")
        start, first = self._start or (now, 0)
        if first < done < progress.epochs:
            left = (now - start) / (done - first) * (progress.epochs - done)
            words.insert(2, f"{duration(left)} left")  # what is asked first, after the losses
        if progress.seconds > 0 and progress.metrics.samples:
            self._rate = progress.metrics.samples / progress.seconds
        if self._rate:
            words.append(f"{self._rate:,.0f} samples/s")
        if "learning_rate" in row:
            words.append(f"learning_rate {figure(row['learning_rate'])}")
        return self._fitting(words, len(f"epoch {progress.epochs}/{progress.epochs}"))

    def _fitting(self, words: list[str], taken: int) -> str:
        """As many of the words as the line has room for; all where it is no terminal's."""
        room = self._bar.console.width - taken - BAR - 4 if self.live else None
        while room is not None and len(words) > 1 and len("  ".join(words)) > room:
            words.pop()
        return "  ".join(words)

    def _show(self, what: str, done: float, total: float, words: str) -> None:
        """Draw one line; a total of 0 means that the end is not known."""
        if self._task is None:
            self._task = self._bar.add_task(what, total=total or None, words=words)
        self._bar.update(
            self._task, description=what, completed=done, total=total or None, words=words
        )
