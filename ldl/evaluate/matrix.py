"""One network trained with several losses and optimizers, side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from ldl.engine.optim import Adam, Sgd
from ldl.errors import DataError, RunError
from ldl.evaluate.context import Context, PartName, Task, judge
from ldl.evaluate.files import write_table
from ldl.evaluate.folds import figures_of
from ldl.fields import Choice

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo

OWN = "own"  # the run's own loss


def _usual() -> dict[str, Any]:
    """Steps with momentum, and Adam."""
    return {"sgd": Sgd(0.01, momentum=0.9), "adam": Adam()}


@dataclass(frozen=True)
class Matrix:
    """The figures of the run's network, trained anew with each loss and each optimizer.

    `optimizers` and `losses` give each a name of your own: `{gd: {gd: 0.1}, momentum: {sgd: …}}`.
    Without `losses`, the run's own; each stands in for the run's first loss, with the target and
    weight of that. Each training has the run's data, noise, seed and settings; one that diverges
    has no figures, and a note says so. Figures are those of `folds`. Leaves `plots/matrix.csv`, a
    row a training.
    """

    optimizers: dict[str, Annotated[Any, Choice("optimizer")]] = field(default_factory=_usual)
    losses: dict[str, Annotated[Any, Choice("loss")]] = field(default_factory=dict)
    part: PartName = "test"

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Needs an optimizer."""
        return None if self.optimizers else "matrix: there is no optimizer to train with"

    def changes(self) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
        """Each loss and each optimizer, to be looked at before any training."""
        losses = [(("losses", name), {"loss": loss}) for name, loss in self.losses.items()]
        rules = [(("optimizers", name), {"optimizer": o}) for name, o in self.optimizers.items()]
        return [*losses, *rules]

    def run(self, context: Context) -> dict[str, Any]:
        """{figure: {loss: {optimizer: value}}}."""
        judged = judge(self, context, self.part)
        data, notes = context.dataset, list(judged.notes)
        if judged.part.sample_indices is None or data.train.sample_indices is None:
            raise DataError("matrix: the samples of this data have no numbers to train again by")
        held, test = (
            part.sample_indices if part else None for part in (data.validation, data.test)
        )
        losses: dict[str, Any] = dict(self.losses) or {OWN: None}
        table: dict[str, dict[str, dict[str, float | None]]] = {}
        for loss, chosen in losses.items():
            for name, optimizer in self.optimizers.items():
                changes = {"optimizer": optimizer} | ({"loss": chosen} if chosen else {})
                try:
                    again = context.retrain(data.train.sample_indices, held, test, changes)
                except RunError as error:
                    notes.append(f"{loss}, {name}: {error}")
                    continue
                for figure, value in figures_of(again, notes, judged.name).items():
                    table.setdefault(figure, {}).setdefault(loss, {})[name] = value
        rows = [
            [loss, name, *(table[figure].get(loss, {}).get(name, "") for figure in table)]
            for loss in losses
            for name in self.optimizers
        ]
        write_table(judged.plot("matrix", "csv"), ["loss", "optimizer", *table], rows)
        return {"part": judged.name, "samples": judged.samples, **table, "notes": notes}
