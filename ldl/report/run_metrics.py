"""The metrics of a run by dotted paths, such as `classification.accuracy`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

from ldl.errors import LdlError
from ldl.runs import RunFolder, read_metrics
from ldl.runs.metrics_file import MetricsRow
from ldl.runs.run_list import flatten

HIGHER_IS_BETTER: Final = (
    *("accuracy", "f1", "precision", "recall", "r2", "purity", "nmi", "ari", "silhouette"),
)
SHARES: Final = (*HIGHER_IS_BETTER[:4], "purity", "nmi")  # from 0 to 1
STATISTICS: Final = (  # of a column of metrics.csv
    *("first", "last", "best", "kept", "min", "max", "mean_abs_change"),
    *("at:EPOCH", "until:VALUE"),
)
RUN_METRICS: Final = ("epochs", "best_epoch", "seconds", "samples_per_second")
LAYER_METRICS: Final = ("parameters", "outputs", "receptive_field")
MAX_PATHS: Final = 60  # valid paths in an error


class NotMeasured(LdlError):
    """A path leads to no number in this run; `valid_paths` are some that do."""

    def __init__(self, reason: str, valid_paths: Iterable[str] = ()) -> None:
        super().__init__(reason)
        self.valid_paths = tuple(valid_paths)


@dataclass(frozen=True)
class RunMetrics:
    """The metrics of one run; each of its files is read when it is first needed."""

    run: RunFolder

    def measure(self, path: str) -> float:
        """The number at `path`. Raises NotMeasured with the reason and valid paths."""
        value = self._value(path)
        if isinstance(value, bool | int | float) and not math.isnan(value):
            return float(value)
        if isinstance(value, dict | list):
            raise NotMeasured(f"`{path}` is no number but holds several", self.valid_paths(path))
        raise NotMeasured(f"`{path}` is no number: {value}", self.valid_paths(path))

    def _value(self, path: str) -> Any:
        head, _, rest = path.partition(".")
        if head == "metrics" and rest:
            return self._column_statistic(rest)
        if head in LAYER_METRICS and (rest or head == "parameters"):
            return self._layer_metric(head, rest)
        if path in RUN_METRICS:
            return getattr(self, path)
        exists, value = _walk(self.results, path)
        if not exists:
            missing = "" if self.results else ": the run left no results.json"
            raise NotMeasured(f"there is no `{path}`{missing}", self.valid_paths(path))
        return value

    @cached_property
    def results(self) -> Mapping[str, Any]:
        """results.json; empty where the run ended before its evaluation."""
        return self.run.read_results()

    @cached_property
    def rows(self) -> list[MetricsRow]:
        """metrics.csv, a row an epoch."""
        return read_metrics(self.run.metrics) if self.run.metrics.exists() else []

    @property
    def epochs(self) -> int:
        """The number of epochs."""
        return len(self.rows)

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best value of the monitored metric."""
        return (self.run.read_status().best or {}).get("epoch")

    @property
    def kept_epoch(self) -> int | None:
        """The epoch whose weights were kept: the best, with `keep: last` the last."""
        kept: int | None = (self.run.read_status().best or {}).get("kept_epoch")
        return self.best_epoch if kept is None else kept

    @property
    def seconds(self) -> float:
        """The time of training, without evaluation and plots."""
        return sum(float(row.get("seconds") or 0.0) for row in self.rows)

    @property
    def samples_per_second(self) -> float | None:
        """Training samples processed in a second of training."""
        from ldl.data.npz import read_headers

        headers = read_headers(self.run.path / "split.npz")
        samples = (headers["train"].shape or (0,))[0] if "train" in headers else 0
        return samples * self.epochs / self.seconds if samples and self.seconds else None

    def _layer_metric(self, metric: str, layer: str) -> int:
        values = self.layers[metric]
        if layer not in values:
            valid = (f"{metric}.{name}" for name in values)
            raise NotMeasured(f"there is no layer `{layer}`", valid)
        return values[layer]

    @cached_property
    def layers(self) -> dict[str, dict[str, int]]:
        """Weights, outputs per sample and receptive field by layer; "" is the whole network."""
        from ldl.compile.receptive_field import receptive_fields
        from ldl.execute import prepare

        graph = prepare(self.run.config, load_pretrained=False).experiment.graph
        weights = {"": 0, **{node.name: 0 for node in graph.order}}
        for name, weight in graph.weights.items():
            size = math.prod(weight.shape)
            weights[name.rpartition(".")[0]] += size
            weights[""] += size
        outputs = {node.name: math.prod(graph.specs[node.name].shape) for node in graph.order}
        fields = {name: field[0] for name, field in receptive_fields(graph).items()}
        return {"parameters": weights, "outputs": outputs, "receptive_field": fields}

    def _column_statistic(self, rest: str) -> float:
        """`COLUMN.STATISTIC` of metrics.csv."""
        column_and_name, colon, argument = rest.partition(":")
        column, _, name = column_and_name.rpartition(".")
        if not self.rows or column not in self.rows[0]:
            missing = "" if self.rows else ": the run has no epochs"
            raise NotMeasured(f"there is no column `{column or rest}`{missing}", self._columns())
        pairs = [
            (int(row["epoch"] or 0), float(value))
            for row in self.rows
            if (value := row[column]) is not None and math.isfinite(value)
        ]
        if not pairs:
            raise NotMeasured(f"`{column}` has no values")
        try:
            statistic = _STATISTICS[name]
            return statistic(pairs, argument, higher_is_better(column), self.kept_epoch)
        except (KeyError, ValueError):
            valid = [f"metrics.{column}.{statistic}" for statistic in STATISTICS]
            raise NotMeasured(f"`{column}` has no `{name}{colon}{argument}`", valid) from None

    def _columns(self) -> list[str]:
        """A path into each column of metrics.csv."""
        return [f"metrics.{name}.last" for name in (self.rows[0] if self.rows else {})]

    def valid_paths(self, near: str = "") -> list[str]:
        """Paths to numbers, those that resemble `near` first."""
        numbers = [
            key
            for key, value in flatten(self.results)
            if isinstance(value, bool | int | float) and key
        ]
        paths = [*numbers, *self._columns(), *RUN_METRICS, "parameters"]
        paths.sort(key=lambda path: -SequenceMatcher(None, near, path).ratio())
        return paths[:MAX_PATHS]


def higher_is_better(column: str) -> bool:
    """Whether larger values are better: for accuracies and the like, not for losses and errors."""
    return any(metric in column for metric in HIGHER_IS_BETTER)


def _walk(tree: Any, path: str) -> tuple[bool, Any]:
    """Whether there is a value at the dotted path, and the value. Keys may contain dots."""
    if not path:
        return True, tree
    steps = path.split(".")
    if isinstance(tree, list):
        index = int(steps[0]) if steps[0].isdecimal() else len(tree)
        return _walk(tree[index], ".".join(steps[1:])) if index < len(tree) else (False, None)
    if not isinstance(tree, dict):
        return False, None
    for length in range(len(steps), 0, -1):
        key = ".".join(steps[:length])
        if key in tree:
            exists, value = _walk(tree[key], ".".join(steps[length:]))
            if exists:
                return True, value
    return False, None


Pairs = list[tuple[int, float]]  # (epoch, value)


def _at(pairs: Pairs, epoch: int | None) -> float:
    return dict(pairs)[epoch or 0]


def _until(pairs: Pairs, threshold: float, higher: bool) -> float:
    """The first epoch whose value reaches the threshold; infinity where none does."""
    reached = (epoch for epoch, v in pairs if (v >= threshold if higher else v <= threshold))
    return next(reached, math.inf)


def _mean_abs_change(pairs: Pairs) -> float:
    """mean |vₜ₊₁ − vₜ| over the epochs of the second half; 0 for a single epoch."""
    second_half = [value for _, value in pairs[(len(pairs) - 1) // 2 :]]
    changes = [abs(b - a) for a, b in pairwise(second_half)]
    return sum(changes) / len(changes) if changes else 0.0


def _extreme(pairs: Pairs, higher: bool) -> float:
    return (max if higher else min)(value for _, value in pairs)


_STATISTICS: Final[dict[str, Callable[[Pairs, str, bool, int | None], float]]] = {
    "first": lambda pairs, argument, higher, kept_epoch: pairs[0][1],
    "last": lambda pairs, argument, higher, kept_epoch: pairs[-1][1],
    "best": lambda pairs, argument, higher, kept_epoch: _extreme(pairs, higher),
    "min": lambda pairs, argument, higher, kept_epoch: _extreme(pairs, False),
    "max": lambda pairs, argument, higher, kept_epoch: _extreme(pairs, True),
    "kept": lambda pairs, argument, higher, kept_epoch: _at(pairs, kept_epoch),
    "mean_abs_change": lambda pairs, argument, higher, kept_epoch: _mean_abs_change(pairs),
    "wobble": lambda pairs, argument, higher, kept_epoch: _mean_abs_change(pairs),  # former name
    "at": lambda pairs, argument, higher, kept_epoch: _at(pairs, int(argument)),
    "until": lambda pairs, argument, higher, kept_epoch: _until(pairs, float(argument), higher),
}
