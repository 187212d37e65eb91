"""Where a figure of a claim is measured: a dotted path into what a run left."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

from ldl.errors import LdlError
from ldl.runs import RunFolder, read_json, read_metrics
from ldl.runs.metrics_file import MetricsRow
from ldl.runs.run_list import flatten

HIGHER: Final = ("accuracy", "f1", "precision", "recall", "r2", "purity", "nmi", "ari")
WHICH: Final = (
    *("first", "last", "best", "kept", "min", "max", "wobble"),
    *("at:EPOCH", "until:VALUE"),
)
OWN: Final = ("epochs", "best_epoch", "seconds", "samples_per_second")
BY_LAYER: Final = ("parameters", "outputs", "receptive_field")
SHOWN = 60  # valid paths in a message


class NotMeasured(LdlError):
    """A path leads to no number in this run; `valid` are those that do."""

    def __init__(self, reason: str, valid: Iterable[str] = ()) -> None:
        super().__init__(reason)
        self.valid = tuple(valid)


@dataclass(frozen=True)
class RunMetrics:
    """All that can be measured of one run; each file is read when it is first asked for."""

    run: RunFolder

    def measure(self, path: str) -> float:
        """The number at `path`. Raises NotMeasured with the reason and the paths that there are."""
        value = self._value(path)
        if isinstance(value, bool | int | float) and not math.isnan(value):
            return float(value)
        if isinstance(value, dict | list):
            raise NotMeasured(f"`{path}` is no number but holds several", self.valid(path))
        raise NotMeasured(f"`{path}` is no number: {value}", self.valid(path))

    def _value(self, path: str) -> Any:
        head, _, rest = path.partition(".")
        if head == "metrics" and rest:
            return self._metric(rest)
        if head in BY_LAYER and (rest or head == "parameters"):
            return self._of_layer(head, rest)
        if path in OWN:
            return getattr(self, path)
        found, value = _walk(self.results, path)
        if not found:
            missing = "" if self.results else ": the run left no results.json"
            raise NotMeasured(f"there is no `{path}`{missing}", self.valid(path))
        return value

    @cached_property
    def results(self) -> Mapping[str, Any]:
        """results.json; empty where the run ended before it was judged."""
        found = read_json(self.run.results) if self.run.results.exists() else {}
        return found if isinstance(found, dict) else {}

    @cached_property
    def rows(self) -> list[MetricsRow]:
        """metrics.csv, a row an epoch."""
        return read_metrics(self.run.metrics) if self.run.metrics.exists() else []

    @property
    def epochs(self) -> int:
        """How many epochs the run took."""
        return len(self.rows)

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best figure."""
        return (self.run.read_status().best or {}).get("epoch")

    @property
    def kept_epoch(self) -> int | None:
        """The epoch whose weights were kept: the best, with `keep: last` the last."""
        kept: int | None = (self.run.read_status().best or {}).get("kept_epoch")
        return self.best_epoch if kept is None else kept

    @property
    def seconds(self) -> float:
        """The time spent training, without judging and drawing."""
        return sum(float(row.get("seconds") or 0.0) for row in self.rows)

    @property
    def samples_per_second(self) -> float | None:
        """Training samples seen in a second of training."""
        import numpy as np

        with np.load(self.run.path / "split.npz") as rows:
            samples = len(rows["train"]) if "train" in rows else 0
        return samples * self.epochs / self.seconds if samples and self.seconds else None

    def _of_layer(self, what: str, name: str) -> int:
        table = self.layers[what]
        if name not in table:
            raise NotMeasured(f"there is no layer `{name}`", (f"{what}.{key}" for key in table))
        return table[name]

    @cached_property
    def layers(self) -> dict[str, dict[str, int]]:
        """Weights, values a sample and receptive fields by layer; under "" the whole network's."""
        from ldl.compile.receptive_field import receptive_fields
        from ldl.execute import prepare

        graph = prepare(self.run.config, start=False).experiment.graph
        weights = {"": 0, **{place.name: 0 for place in graph.order}}
        for name, weight in graph.weights.items():
            size = math.prod(weight.shape)
            weights[name.rpartition(".")[0]] += size
            weights[""] += size
        outputs = {place.name: math.prod(graph.specs[place.name].shape) for place in graph.order}
        fields = {name: field[0] for name, field in receptive_fields(graph).items()}
        return {"parameters": weights, "outputs": outputs, "receptive_field": fields}

    def _metric(self, rest: str) -> float | int | None:
        """`COLUMN.WHICH` of metrics.csv."""
        before, colon, argument = rest.partition(":")
        column, _, name = before.rpartition(".")
        if not self.rows or column not in self.rows[0]:
            known = [f"metrics.{name}.last" for name in (self.rows[0] if self.rows else {})]
            missing = "" if self.rows else ": the run has no epochs"
            raise NotMeasured(f"there is no column `{column or rest}`{missing}", known)
        pairs = [
            (int(row["epoch"] or 0), float(value))
            for row in self.rows
            if (value := row[column]) is not None and math.isfinite(value)
        ]
        if not pairs:
            raise NotMeasured(f"`{column}` has no values")
        try:
            found: float = _PICK[name](pairs, argument, higher_is_better(column), self.kept_epoch)
        except (KeyError, ValueError):
            valid = [f"metrics.{column}.{word}" for word in WHICH]
            raise NotMeasured(f"`{column}` has no `{name}{colon}{argument}`", valid) from None
        return found

    def valid(self, near: str = "") -> list[str]:
        """Paths to numbers, those that resemble `near` first."""
        numbers = [
            key
            for key, value in flatten(self.results)
            if isinstance(value, bool | int | float) and key
        ]
        metrics = [f"metrics.{name}.last" for name in (self.rows[0] if self.rows else {})]
        found = [*numbers, *metrics, *OWN, "parameters"]
        found.sort(key=lambda path: -SequenceMatcher(None, near, path).ratio())
        return found[:SHOWN]


def higher_is_better(column: str) -> bool:
    """Whether more of this figure is better: accuracies and their like, not losses and errors."""
    return any(word in column for word in HIGHER)


def _walk(tree: Any, path: str) -> tuple[bool, Any]:
    """Whether something stands at the dotted path, and what; keys may have dots themselves."""
    if not path:
        return True, tree
    steps = path.split(".")
    if isinstance(tree, list):
        place = int(steps[0]) if steps[0].isdecimal() else len(tree)
        return _walk(tree[place], ".".join(steps[1:])) if place < len(tree) else (False, None)
    if not isinstance(tree, dict):
        return False, None
    for length in range(len(steps), 0, -1):
        key = ".".join(steps[:length])
        if key in tree:
            found, value = _walk(tree[key], ".".join(steps[length:]))
            if found:
                return True, value
    return False, None


Pairs = list[tuple[int, float]]


def _at(pairs: Pairs, epoch: int | None) -> float:
    return dict(pairs)[epoch or 0]


def _until(pairs: Pairs, value: float, higher: bool) -> float:
    """The first epoch at which the value is reached; infinity where it never is."""
    reached = (epoch for epoch, each in pairs if (each >= value if higher else each <= value))
    return next(reached, math.inf)


def _wobble(pairs: Pairs) -> float:
    """The mean change from one epoch to the next, in either direction, in the second half."""
    half = [value for _, value in pairs[(len(pairs) - 1) // 2 :]]
    changes = [abs(after - before) for before, after in pairwise(half)]
    return sum(changes) / len(changes) if changes else 0.0


def _extreme(pairs: Pairs, higher: bool) -> float:
    return (max if higher else min)(value for _, value in pairs)


_PICK: Final[dict[str, Any]] = {
    "first": lambda pairs, word, higher, kept: pairs[0][1],
    "last": lambda pairs, word, higher, kept: pairs[-1][1],
    "best": lambda pairs, word, higher, kept: _extreme(pairs, higher),
    "min": lambda pairs, word, higher, kept: _extreme(pairs, False),
    "max": lambda pairs, word, higher, kept: _extreme(pairs, True),
    "kept": lambda pairs, word, higher, kept: _at(pairs, kept),
    "wobble": lambda pairs, word, higher, kept: _wobble(pairs),
    "at": lambda pairs, word, higher, kept: _at(pairs, int(word)),
    "until": lambda pairs, word, higher, kept: _until(pairs, float(word), higher),
}
