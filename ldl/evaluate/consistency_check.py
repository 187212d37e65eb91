"""The evaluation `consistency_check`: loop, graph and single layers train the same weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from ldl.data.dataset import DatasetInfo
from ldl.evaluate.context import Evaluation, EvaluationContext, NetworkInfo, SettingProblem
from ldl.fields import Doc, Size


@dataclass(frozen=True)
class ConsistencyCheck(Evaluation):
    """max |θ_loop − θ_other| after `steps` steps on the same batches: 0 where all bits agree.

    The network is trained from the run's first weights three times: by the training loop; by the
    graph's forward and backward pass and the optimizer (`graph`); and by one layer after another,
    each with arrays of its own, the optimizer applied to each weight separately (`hand`). For
    chains of layers with one loss, no random draws and no layer that mixes samples; not for L-BFGS.
    The results are keyed `by_hand`, the former name of the evaluation.
    """

    FORMER_NAMES = ("by_hand",)

    steps: Annotated[Size, Doc("training steps that are compared")] = 50

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """The network needs to be a chain of layers."""
        if network.is_chain:
            return []
        reason = "consistency_check needs a chain of layers with one loss and without random draws"
        return [("", f"{reason}, and an optimizer that takes one gradient per step")]

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """The largest differences of any weight, in float32, and whether all are 0."""
        differences = context.check_consistency(self.steps)
        identical = not any(differences.values())
        return {"part": "train", "steps": self.steps, **differences, "identical": identical}
