"""environment.json: what a result may depend on beside the configuration."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import ldl
from ldl.cores import usable_cores

PACKAGES: Final = ("numpy", "scipy", "scikit-learn", "matplotlib", "safetensors", "PyYAML")
VARIABLES: Final = ("OPENBLAS_", "OMP_", "MKL_", "BLIS_", "VECLIB_", "NPY_", "KMP_", "GOTO_")
CPUINFO = Path("/proc/cpuinfo")
GIT_SECONDS = 2.0


def collect_environment(
    argv: Sequence[str],
    seed: int,
    data_sha256: str | None = None,
    threads: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything for environment.json; `threads` is what the run asked for, BLAS says what it got.

    Call it once NumPy is loaded: only libraries in use are listed under `blas`.
    """
    return {
        "argv": list(argv),
        "seed": seed,
        "data_sha256": data_sha256,
        "versions": package_versions(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": {
            "model": processor_model(),
            "cores": os.cpu_count(),
            "usable": usable_cores(),
        },
        "threads": dict(threads or {}),
        "blas": blas_libraries(),
        "variables": {k: v for k, v in sorted(os.environ.items()) if k.startswith(VARIABLES)},
        "git": git_state(Path.cwd()),
    }


def package_versions() -> dict[str, str | None]:
    """Python's version, ldl's and its packages'; None for one that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version(), "ldl": ldl.__version__}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def processor_model() -> str:
    """The processor's model as /proc/cpuinfo has it, else as the platform calls it."""
    try:
        with CPUINFO.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                key, _, value = line.partition(":")
                if key.strip() in ("model name", "Model"):
                    return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def blas_libraries() -> list[dict[str, Any]]:
    """Every BLAS that is loaded: name, version, the processor its kernels are for, threads."""
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController().select(user_api="blas").info()
    return [
        {
            "name": library.get("internal_api"),
            "version": library.get("version"),
            "kernels": library.get("architecture"),
            "threads": library.get("num_threads"),
            "threading": library.get("threading_layer"),
        }
        for library in found
    ]


def git_state(folder: Path) -> dict[str, Any] | None:
    """The commit that `folder` is checked out at and whether a tracked file differs from it.

    None outside a repository, without a commit, without git, or when git takes too long.
    """
    command = ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    lines = done.stdout.splitlines()
    commits = [line.split()[-1] for line in lines if line.startswith("# branch.oid ")]
    if done.returncode or not commits or commits[0] == "(initial)":
        return None
    return {"commit": commits[0], "dirty": any(not line.startswith("#") for line in lines)}
