"""The evaluation `ablation`: one network trained with several losses and optimizers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from ldl.data.dataset import DatasetInfo
from ldl.engine.optim import Adam, Sgd
from ldl.errors import DataError, RunError
from ldl.evaluate.context import Evaluation, EvaluationContext, SplitSetting, Task
from ldl.evaluate.folds import task_metrics
from ldl.evaluate.result_files import write_table
from ldl.fields import Choice, Doc

RUN_LOSS = "own"  # the name of the run's loss, where no losses are named


def _default_optimizers() -> dict[str, Any]:
    return {"sgd": Sgd(0.01, momentum=0.9), "adam": Adam()}


@dataclass(frozen=True)
class Ablation(Evaluation):
    """The metrics of the run's network, trained again with each loss and each optimizer.

    `optimizers` and `losses` give each a name of your own: `{gd: {gd: 0.1}, momentum: {sgd: …}}`.
    Without `losses`, the run's own; each replaces the run's first loss and keeps its target and
    weight. All trainings share the run's data, noise, seed and settings; one that diverges has no
    metrics, and a note says so. The metrics are those of `folds`. The results are keyed `matrix`,
    the former name of the evaluation; `plots/matrix.csv` has a row for each training.
    """

    FORMER_NAMES = ("matrix",)

    optimizers: Annotated[
        dict[str, Annotated[Any, Choice("optimizer")]], Doc("optimizers by a name of your own")
    ] = field(default_factory=_default_optimizers)
    losses: Annotated[
        dict[str, Annotated[Any, Choice("loss")]], Doc("losses by a name of your own")
    ] = field(default_factory=dict)
    split: SplitSetting = "test"

    def data_problem(self, info: DatasetInfo, task: Task) -> str | None:
        """There needs to be an optimizer."""
        return None if self.optimizers else "ablation: there is no optimizer to train with"

    def config_changes(self) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
        """Each loss, then each optimizer."""
        losses = [(("losses", name), {"loss": loss}) for name, loss in self.losses.items()]
        optimizers = [
            (("optimizers", name), {"optimizer": optimizer})
            for name, optimizer in self.optimizers.items()
        ]
        return [*losses, *optimizers]

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """{metric: {loss: {optimizer: value}}}."""
        evaluated = self.select_split(context, self.split)
        data, notes = context.dataset, list(evaluated.notes)
        if evaluated.split.sample_indices is None or data.train.sample_indices is None:
            raise DataError("ablation: the samples of this data have no indices to train again by")
        samples = [
            split.sample_indices if split else None
            for split in (data.train, data.validation, data.test)
        ]
        losses: dict[str, Any] = dict(self.losses) or {RUN_LOSS: None}
        table: dict[str, dict[str, dict[str, float | None]]] = {}
        for loss_name, loss in losses.items():
            for name, optimizer in self.optimizers.items():
                changes = {"optimizer": optimizer} | ({"loss": loss} if loss else {})
                try:
                    retrained = context.retrain(*samples, changes)
                except RunError as error:
                    notes.append(f"{loss_name}, {name}: {error}")
                    continue
                for metric, value in task_metrics(retrained, notes, evaluated.name).items():
                    table.setdefault(metric, {}).setdefault(loss_name, {})[name] = value
        rows = [
            [loss_name, name, *(by_loss.get(loss_name, {}).get(name) for by_loss in table.values())]
            for loss_name in losses
            for name in self.optimizers
        ]
        write_table(evaluated.plot("matrix", "csv"), ["loss", "optimizer", *table], rows)
        return evaluated.results(table, notes)
