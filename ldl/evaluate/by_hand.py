"""Whether layers driven by hand, the graph and the training loop give the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ldl.evaluate.context import Context, Task
from ldl.evaluate.network import NetworkInfo, SettingProblem
from ldl.fields import Size

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo


@dataclass(frozen=True)
class ByHand:
    """max |θ_loop − θ_hand| after `steps` steps on the same batches: 0 where all is one to the bit.

    The network is trained anew from the run's first weights three times: by the training loop, by
    the graph's forward and backward with the optimizer, and by layers called one after another,
    each with arrays of its own, and the optimizer applied to each weight by itself. For chains
    of layers with one loss, in which nothing is drawn and no layer mixes samples; not for L-BFGS.
    """

    steps: Size = 50

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Fits any data and task."""
        return None

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """Needs a chain of layers."""
        if network.chain:
            return []
        reason = "by_hand drives a chain of layers with one loss, in which nothing is drawn"
        reason += ", by any optimizer but lbfgs"
        return [("", reason)]

    def run(self, context: Context) -> dict[str, Any]:
        """The largest differences of the weights, in float32, and whether there are none."""
        found = context.drive(self.steps)
        identical = not any(found.values())
        return {"part": "train", "steps": self.steps, **found, "identical": identical}
