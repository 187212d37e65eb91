"""Progress on stderr: one live line on a terminal, an occasional plain line elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ldl.cli.output import console, format_duration, format_number, log
from ldl.control_characters import escape_controls

if TYPE_CHECKING:
    from ldl.train import TrainProgress

BAR_WIDTH = 12  # columns of the terminal
PLAIN_LINES = 20  # about so many for a whole training or grid
PLAIN_INTERVAL = 10.0  # seconds after which a plain line is due anyway
REFRESH_INTERVAL = 0.1  # seconds between two updates of the live line


class Display:
    """A context manager that shows downloads, epochs and stages; nothing if `quiet`."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.live = not quiet and sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None
        self._last_update = 0.0
        self._rate = 0.0  # samples a second
        self._row: dict[str, float | int | None] = {}  # metrics of the last finished epoch
        self._start: tuple[float, int] | None = None  # time, and epochs finished at that time

    def __enter__(self) -> Self:
        if self.live:
            from rich.progress import BarColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=BAR_WIDTH),
                TextColumn("{task.fields[details]}", markup=False),
                console=console(stderr=True),
                transient=True,
                refresh_per_second=round(1 / REFRESH_INTERVAL),
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

    def data(self, name: str, done: int, total: int) -> None:
        """Show a download: `done` of `total` bytes."""
        if self.live:
            self._update(name, done, total, f"{done / 1e6:.1f} MB")
        elif not self.quiet and done == 0:
            log(f"{name} …")

    def note(self, text: str) -> None:
        """Print a note."""
        self._print(f"note: {text}")

    def stage(self, name: str) -> None:
        """Show what runs after training, such as an evaluation."""
        if self.live:
            self._update(name, 0, 0, "")

    def training(self, progress: TrainProgress) -> None:
        """Show an epoch that is running or has finished."""
        if self.quiet:
            return
        now = time.monotonic()
        self._row = progress.row or self._row
        self._start = self._start or (now, progress.epoch - 1)
        if self.live:
            if progress.row is None or now - self._last_update > REFRESH_INTERVAL:
                self._last_update = now
                done = progress.epoch - 1 + progress.metrics.batch / progress.batches
                head = f"epoch {progress.epoch}/{progress.epochs}"
                self._update(head, done, progress.epochs, self._details(progress, now, done))
        elif progress.row is not None and self._line_is_due(progress, now):
            self._last_update = now
            head = f"epoch {progress.epoch:>{len(str(progress.epochs))}}/{progress.epochs}"
            log(f"{head}  {self._details(progress, now, progress.epoch)}")

    def _line_is_due(self, progress: TrainProgress, now: float) -> bool:
        """True at the first and last epoch, at every twentieth of all, and after ten seconds."""
        epoch, interval = progress.epoch, max(1, -(-progress.epochs // PLAIN_LINES))
        is_shown = epoch in (1, progress.epochs) or epoch % interval == 0
        return is_shown or now - self._last_update > PLAIN_INTERVAL

    def _details(self, progress: TrainProgress, now: float, done: float) -> str:
        """Losses, metrics, speed and remaining time."""
        details = []
        row = dict(progress.row or self._row)
        if progress.row is None and progress.metrics.samples:
            row["train_loss"] = progress.metrics.loss / progress.metrics.samples
        for name, value in row.items():
            if name not in ("epoch", "seconds", "gradient_norm", "learning_rate"):
                short = name.removeprefix("train_").replace("validation_", "val_")
                details.append(f"{short if self.live else name} {format_number(value)}")
        start, first = self._start or (now, 0)
        if first < done < progress.epochs:
            left = (now - start) / (done - first) * (progress.epochs - done)
            details.insert(2, f"{format_duration(left)} left")  # after the two losses
        if progress.seconds > 0 and progress.metrics.samples:
            self._rate = progress.metrics.samples / progress.seconds
        if self._rate:
            details.append(f"{self._rate:,.0f} samples/s")
        if "learning_rate" in row:
            details.append(f"learning_rate {format_number(row['learning_rate'])}")
        return self._join(details, f"epoch {progress.epochs}/{progress.epochs}")

    def _join(self, details: list[str], head: str) -> str:
        """The first details that fit in the line after `head`; all of them without a terminal."""
        if self.live:
            width = self._bar.console.width - len(head) - BAR_WIDTH - 4
            while len(details) > 1 and len("  ".join(details)) > width:
                details.pop()
        return "  ".join(details)

    def _print(self, text: str) -> None:
        """Print a line that stays."""
        if self.live:
            self._bar.console.print(escape_controls(text), markup=False)
        else:
            log(text)

    def _update(self, head: str, done: float, total: float, details: str) -> None:
        """Redraw the live line; a `total` of 0 means that the end is unknown."""
        head, details = escape_controls(head), escape_controls(details)
        if self._task is None:
            self._task = self._bar.add_task(head, total=total or None, details=details)
        self._bar.update(
            self._task, description=head, completed=done, total=total or None, details=details
        )
