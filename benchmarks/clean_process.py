"""A process environment that does not slow BLAS and gives every library the same threads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

THREADS = 2
PREFIXES = (
    "OPENBLAS_",
    "GOTO_",
    "MKL_",
    "OMP_",
    "GOMP_",
    "KMP_",
    "BLIS_",
    "NVPL_",
    "NPY_",
    "ATEN_",
)


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without variables for kernels, cache sizes or threads; then `THREADS` threads.

    For example, `OPENBLAS_CORETYPE=Haswell` halves the speed of products on an AVX-512 machine.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith(PREFIXES)}
    return {**kept, "OPENBLAS_NUM_THREADS": str(THREADS), "OMP_NUM_THREADS": str(THREADS)}


def run_in_clean_process(module: str, arguments: Sequence[str]) -> None:
    """Run `python -m module arguments` in a clean child and exit; return in a clean process."""
    environment = clean_environment(os.environ)
    if environment == dict(os.environ):
        return
    command = [sys.executable, "-m", module, *arguments]
    sys.exit(subprocess.run(command, env=environment, check=False).returncode)
