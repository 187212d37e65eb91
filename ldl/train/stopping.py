"""Which epoch was the best so far, and whether it is time to stop."""

from __future__ import annotations

from dataclasses import dataclass

from ldl.compile.spec import EarlyStopping


@dataclass
class Best:
    """The best epoch by one figure; `sign` is −1 where a larger figure is better."""

    column: str
    sign: float = 1.0
    min_delta: float = 0.0
    epoch: int = 0
    value: float | None = None
    waited: int = 0

    def see(self, epoch: int, value: float | None) -> bool:
        """Whether this epoch improves on the best by more than `min_delta`; if so, remember it."""
        if value is None:
            return False
        better = self.value is None or self.sign * (self.value - value) > self.min_delta
        if better:
            self.epoch, self.value, self.waited = epoch, value, 0
        else:
            self.waited += 1
        return better


def watch(stopping: EarlyStopping | None, has_validation: bool) -> Best:
    """What decides the best epoch: the validation part, or without one the training loss."""
    part = "validation" if has_validation else "train"
    if stopping is None:
        return Best(f"{part}_loss")
    sign = -1.0 if stopping.monitor == "accuracy" else 1.0
    return Best(f"{part}_{stopping.monitor}", sign, stopping.min_delta)
