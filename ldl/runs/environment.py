"""The content of environment.json: what a result may depend on besides the configuration."""

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
VARIABLE_PREFIXES: Final = (
    "OPENBLAS_", "OMP_", "MKL_", "BLIS_", "VECLIB_", "NPY_", "KMP_", "GOTO_",
)  # fmt: skip
CPUINFO = Path("/proc/cpuinfo")
GIT_TIMEOUT = 2.0  # seconds


def collect_environment(
    argv: Sequence[str],
    seed: int,
    data_sha256: str | None = None,
    threads: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of environment.json, in JSON's types.

    `threads` records what the run requested; `blas` records what the libraries use. Call this
    after NumPy is imported, because only loaded libraries appear under `blas`.
    """
    variables = {k: v for k, v in sorted(os.environ.items()) if k.startswith(VARIABLE_PREFIXES)}
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
        "variables": variables,
        "git": git_state(Path.cwd()),
    }


def package_versions() -> dict[str, str | None]:
    """The versions of Python, ldl and its main packages; None for a package not installed."""
    versions: dict[str, str | None] = {"python": platform.python_version(), "ldl": ldl.__version__}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def processor_model() -> str:
    """The processor's model from /proc/cpuinfo, else the platform's name for it."""
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
    """Every loaded BLAS: name, version, processor that its kernels target, threads."""
    from threadpoolctl import ThreadpoolController

    libraries = ThreadpoolController().select(user_api="blas").info()
    return [
        {
            "name": library.get("internal_api"),
            "version": library.get("version"),
            "kernels": library.get("architecture"),
            "threads": library.get("num_threads"),
            "threading": library.get("threading_layer"),
        }
        for library in libraries
    ]


def git_state(folder: Path) -> dict[str, Any] | None:
    """The commit checked out in `folder`, and whether a tracked file differs from it.

    None outside a repository, without a commit, without git, or when git exceeds GIT_TIMEOUT.
    """
    command = ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        completed = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    lines = completed.stdout.splitlines()
    commits = [line.split()[-1] for line in lines if line.startswith("# branch.oid ")]
    if completed.returncode or not commits or commits[0] == "(initial)":
        return None
    return {"commit": commits[0], "dirty": any(not line.startswith("#") for line in lines)}
