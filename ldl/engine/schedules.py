"""Learning-rate schedules: the rate of each step from the rate η of the optimizer.

`step` counts the steps of a training from 0, also after a resume. "t counts epochs" means complete
epochs, like a PyTorch scheduler that is stepped once an epoch; "t counts steps" means steps, like
one that is stepped after each batch. Momentum does not change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, pi
from typing import Annotated, Any, Literal

from ldl.fields import Choice, Count, NonNegative, Positive, Range, Share, Size

ScheduleState = dict[str, float]
Unit = Literal["epoch", "step"]
Factor = Annotated[float, Range(0.0, 1.0, above=True)]
Fraction = Annotated[float, Range(0.0, 1.0, below=True)]


@dataclass(frozen=True)
class StepCount:
    """The length of a training: steps of an epoch, and steps in total."""

    epoch: int
    total: int

    def elapsed(self, step: int, unit: Unit) -> int:
        """Whole epochs, or steps, before this step."""
        return step if unit == "step" else step // self.epoch

    def length(self, unit: Unit) -> int:
        """Epochs, or steps, in total."""
        return self.total if unit == "step" else -(-self.total // self.epoch)


@dataclass(frozen=True)
class Schedule:
    """The learning rate of each step. Its state depends on metrics, and checkpoints hold it."""

    def start(self) -> ScheduleState:
        """The state before the first epoch."""
        return {}

    def rate(self, base_lr: float, step: int, count: StepCount, state: ScheduleState) -> float:
        """The learning rate of step `step`; `base_lr` is η."""
        raise NotImplementedError

    def step(self, metric: float, base_lr: float, state: ScheduleState) -> None:
        """Update the state after an epoch with its loss, on the validation set if there is one."""


@dataclass(frozen=True)
class Constant(Schedule):
    """η at every step."""

    def rate(self, base_lr: float, step: int, count: StepCount, state: ScheduleState) -> float:
        """η."""
        return base_lr


@dataclass(frozen=True)
class InverseTime(Schedule):
    """η / (1 + decay · t); t counts epochs, or steps with `per: step` (Keras's `decay`).

    Source: Robbins and Monro, A Stochastic Approximation Method, 1951, whose conditions it meets.
    """

    decay: NonNegative
    per: Unit = "epoch"

    def rate(self, base_lr: float, step: int, count: StepCount, state: ScheduleState) -> float:
        """η / (1 + decay · t)."""
        return base_lr / (1.0 + self.decay * count.elapsed(step, self.per))


@dataclass(frozen=True)
class Exponential(Schedule):
    """η γᵗ; t counts epochs, or steps with `per: step`. PyTorch's ExponentialLR."""

    gamma: Factor
    per: Unit = "epoch"

    def rate(self, base_lr: float, step: int, count: StepCount, state: ScheduleState) -> float:
        """η γᵗ."""
        return base_lr * float(self.gamma ** count.elapsed(step, self.per))


@dataclass(frozen=True)
class StepDecay(Schedule):
    """η γ^⌊t / step_size⌋; t counts epochs, or steps with `per: step`. PyTorch's StepLR."""

    step_size: Size
    gamma: Factor = 0.1
    per: Unit = "epoch"

    def rate(self, base_lr: float, step: int, count: StepCount, state: ScheduleState) -> float:
        """η γ^⌊t / step_size⌋."""
        return base_lr * float(self.gamma ** (count.elapsed(step, self.per) // self.step_size))


@dataclass(frozen=True)
class MultiStep(Schedule):
    """η γᵏ after k milestones, of those up to t; t counts epochs, or steps with `per: step`.

    PyTorch's MultiStepLR.
    """

    milestones: tuple[Count, ...]
    gamma: Factor = 0.1
    per: Unit = "epoch"

    def rate(self, base_lr: float, step: int, count: StepCount, state: ScheduleState) -> float:
        """η γᵏ."""
        t = count.elapsed(step, self.per)
        return base_lr * float(self.gamma ** sum(milestone <= t for milestone in self.milestones))


@dataclass(frozen=True)
class Cosine(Schedule):
    """η_min + ½ (η − η_min)(1 + cos(π t / t_max)); t counts epochs, or steps with `per: step`.

    The default of `t_max` is the length of the training, without the warm-up. Source:
    Loshchilov and Hutter, SGDR, 2017, without restarts; PyTorch's CosineAnnealingLR, whose rate
    also rises after t_max.
    """

    t_max: Size | None = None
    eta_min: NonNegative = 0.0
    per: Unit = "epoch"

    def rate(self, base_lr: float, step: int, count: StepCount, state: ScheduleState) -> float:
        """The value of the cosine."""
        progress = count.elapsed(step, self.per) / (self.t_max or count.length(self.per))
        return self.eta_min + 0.5 * (base_lr - self.eta_min) * (1.0 + cos(pi * progress))


@dataclass(frozen=True)
class Cyclic(Schedule):
    """Up from η to `max_lr` in `step_size_up` steps and back in `step_size_down`, repeatedly.

    t counts steps. `triangular2` halves the height with each cycle, `exp_range` multiplies it with
    γᵗ. Source: Smith, Cyclical Learning Rates for Training Neural Networks, 2017; PyTorch's
    CyclicLR, but momentum is not cycled.
    """

    max_lr: Positive
    step_size_up: Size = 2000
    step_size_down: Size | None = None
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    gamma: Factor = 1.0

    def rate(self, base_lr: float, step: int, count: StepCount, state: ScheduleState) -> float:
        """The value of the triangle wave."""
        up, down = self.step_size_up, self.step_size_down or self.step_size_up
        cycle, position = divmod(step, up + down)
        height = position / up if position <= up else 1.0 - (position - up) / down
        if self.mode == "triangular2":
            height *= 0.5**cycle
        elif self.mode == "exp_range":
            height *= self.gamma**step
        return base_lr + (self.max_lr - base_lr) * height


@dataclass(frozen=True)
class OneCycle(Schedule):
    """From η / div_factor up to η in `pct_start` of the training, then down to almost 0.

    t counts steps; the last rate is η / (div_factor · final_div_factor). With `three_phase` it
    first falls as it rose, then further. Source: Smith and Topin, Super-Convergence, 2018;
    PyTorch's OneCycleLR, but η is the optimizer's rate and momentum is not cycled.
    """

    pct_start: Share = 0.3
    anneal_strategy: Literal["cos", "linear"] = "cos"
    div_factor: Positive = 25.0
    final_div_factor: Positive = 10000.0
    three_phase: bool = False

    def rate(self, base_lr: float, step: int, count: StepCount, state: ScheduleState) -> float:
        """The interpolation between the two corners before and after the step."""
        corners = self._corners(base_lr, count.total)
        i = next((i for i in range(1, len(corners)) if step <= corners[i][0]), len(corners) - 1)
        (begin, low), (end, high) = corners[i - 1], corners[i]
        fraction = (step - begin) / (end - begin) if end > begin else 1.0
        if self.anneal_strategy == "cos":
            fraction = 0.5 * (1.0 - cos(pi * fraction))
        return low + (high - low) * fraction

    def _corners(self, base_lr: float, total: int) -> list[tuple[float, float]]:
        """(step, rate) at which the phases begin and end."""
        first, peak = base_lr / self.div_factor, self.pct_start * total
        corners = [(0.0, first), (peak - 1.0, base_lr)]
        if self.three_phase:
            corners.append((2.0 * peak - 2.0, first))
        return [*corners, (total - 1.0, first / self.final_div_factor)]


@dataclass(frozen=True)
class Plateau(Schedule):
    """η times `factor` each time the loss has not improved for more than `patience` epochs.

    The loss is that of the validation set, or of the training set where there is none. It improves
    when it falls below (1 − threshold) times the best. For `cooldown` epochs after a change,
    epochs are not counted. PyTorch's ReduceLROnPlateau with its default modes.
    """

    factor: Fraction = 0.1
    patience: Count = 10
    threshold: NonNegative = 1e-4
    cooldown: Count = 0
    min_lr: NonNegative = 0.0

    def start(self) -> ScheduleState:
        """The factor of η, epochs without improvement, and remaining epochs of cooldown."""
        return {"share": 1.0, "waited": 0.0, "rest": 0.0}

    def rate(self, base_lr: float, step: int, count: StepCount, state: ScheduleState) -> float:
        """η times the current factor."""
        return base_lr * state["share"]

    def step(self, metric: float, base_lr: float, state: ScheduleState) -> None:
        """Count the epoch, and reduce the factor after more than `patience` without improvement."""
        if "best" not in state or metric < state["best"] * (1.0 - self.threshold):
            state["best"], state["waited"] = metric, 0.0
        else:
            state["waited"] += 1.0
        if state["rest"] > 0.0:
            state["rest"], state["waited"] = state["rest"] - 1.0, 0.0
        if state["waited"] > self.patience:
            minimum = min(self.min_lr / base_lr, state["share"])
            state["share"] = max(state["share"] * self.factor, minimum)
            state["rest"], state["waited"] = float(self.cooldown), 0.0


@dataclass(frozen=True)
class Warmup(Schedule):
    """η (s + (1 − s) · t / T) at step t < T, with s = `start_factor`; then another schedule.

    T is the number of steps of `epochs` epochs, which may be a fraction. The schedule `then`
    counts its steps from T. Source: Goyal et al., Accurate, Large Minibatch SGD, 2017; PyTorch's
    LinearLR within SequentialLR.
    """

    epochs: Positive = 5.0
    start_factor: Factor = 0.01
    then: Annotated[Any, Choice("schedule")] = field(default_factory=Constant)

    def start(self) -> ScheduleState:
        """The state of the second schedule."""
        state: ScheduleState = self.then.start()
        return state

    def rate(self, base_lr: float, step: int, count: StepCount, state: ScheduleState) -> float:
        """The rate of the warm-up, or that of the second schedule."""
        steps = round(self.epochs * count.epoch)
        if step < steps:
            return base_lr * (self.start_factor + (1.0 - self.start_factor) * step / steps)
        remaining = StepCount(count.epoch, max(1, count.total - steps))
        rate: float = self.then.rate(base_lr, step - steps, remaining, state)
        return rate

    def step(self, metric: float, base_lr: float, state: ScheduleState) -> None:
        """Update the second schedule, also during the warm-up."""
        self.then.step(metric, base_lr, state)


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "inverse_time": InverseTime,
    "exponential": Exponential,
    "step": StepDecay,
    "multi_step": MultiStep,
    "cosine": Cosine,
    "cyclic": Cyclic,
    "one_cycle": OneCycle,
    "plateau": Plateau,
    "warmup": Warmup,
}
