"""The implementations that are timed, each in a file that only its own process imports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.implementations.base import VariantMakers
    from benchmarks.tasks import Task


def always(task: Task) -> bool:
    """For every task."""
    return True


def dense(task: Task) -> bool:
    """For tasks with linear layers and activations only."""
    return task.dense


@dataclass(frozen=True)
class Implementation:
    """A label, the module whose function `maker` gives the variants, and the tasks that it fits."""

    label: str
    module: str
    maker: str = "variants"
    fits: Callable[[Task], bool] = always
    peer: bool = True

    def variants(self, task: Task) -> VariantMakers:
        """The constructors of its variants. Imports its library."""
        makers: VariantMakers = getattr(import_module(self.module), self.maker)(task)
        return makers


PACKAGE = "benchmarks.implementations"
LDL, EAGER, COMPILED = "ldl", "eager", "compiled"
IMPLEMENTATIONS = {
    LDL: Implementation("ldl", f"{PACKAGE}.ldl_engine", peer=False),
    "engine": Implementation(
        "its engine alone", f"{PACKAGE}.ldl_engine", "engine_only", dense, peer=False
    ),
    "hand": Implementation("by hand in NumPy", f"{PACKAGE}.handwritten", fits=dense, peer=False),
    EAGER: Implementation("PyTorch", f"{PACKAGE}.torch_eager"),
    COMPILED: Implementation("torch.compile", f"{PACKAGE}.torch_compiled"),
    "jit": Implementation("JAX jit", f"{PACKAGE}.jax_jit"),
    "scan": Implementation("JAX scan", f"{PACKAGE}.jax_jit", "scanned"),
    "sklearn": Implementation("scikit-learn", f"{PACKAGE}.sklearn_mlp", fits=dense),
}


def implementations_for(task: Task, selected: tuple[str, ...] = ()) -> list[str]:
    """The names of the implementations of a task, only those in `selected` if there are any."""
    names = selected or tuple(IMPLEMENTATIONS)
    return [name for name in names if IMPLEMENTATIONS[name].fits(task)]
