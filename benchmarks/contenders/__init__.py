"""Who takes part; each lives in a file of its own, imported in that contender's process alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.contenders.base import Variants
    from benchmarks.tasks import Task


def always(task: Task) -> bool:
    """Takes part in every task."""
    return True


def dense(task: Task) -> bool:
    """Takes part where there are only linear layers with activations between them."""
    return task.dense


@dataclass(frozen=True)
class Contender:
    """A label, the module whose function `maker` gives the variants, and where it takes part."""

    label: str
    module: str
    maker: str = "variants"
    fits: Callable[[Task], bool] = always
    peer: bool = True

    def variants(self, task: Task) -> Variants:
        """Its settings in words and what makes a side with each. Imports its library."""
        found: Variants = getattr(import_module(self.module), self.maker)(task)
        return found


HERE = "benchmarks.contenders"
OURS, EAGER, COMPILED = "ldl", "eager", "compiled"
CONTENDERS = {
    OURS: Contender("ldl", f"{HERE}.ours", peer=False),
    "engine": Contender("its engine alone", f"{HERE}.ours", "bare", dense, peer=False),
    "hand": Contender("by hand in NumPy", f"{HERE}.hand", fits=dense, peer=False),
    EAGER: Contender("PyTorch", f"{HERE}.torch_eager"),
    COMPILED: Contender("torch.compile", f"{HERE}.torch_compiled"),
    "jit": Contender("JAX jit", f"{HERE}.jax_jit"),
    "scan": Contender("JAX scan", f"{HERE}.jax_jit", "scanned"),
    "sklearn": Contender("scikit-learn", f"{HERE}.sklearn_mlp", fits=dense),
}


def entered(task: Task, asked: tuple[str, ...] = ()) -> list[str]:
    """The names of those that take part in a task; of `asked` alone, where any are."""
    names = asked or tuple(CONTENDERS)
    return [name for name in names if CONTENDERS[name].fits(task)]
