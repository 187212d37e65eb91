"""environment.json: complete, correct, and quick to collect."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from ldl.runs import environment as module
from ldl.runs.environment import collect_environment, git_state, processor_model
from ldl.runs.json_files import to_json_types


def test_the_environment_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("SECRET_TOKEN", "hidden")
    values = collect_environment(["ldl", "train", "a.yaml"], 7, "ab" * 32, {"asked": 2})
    assert values["argv"] == ["ldl", "train", "a.yaml"] and values["seed"] == 7
    assert values["data_sha256"] == "ab" * 32 and values["threads"] == {"asked": 2}
    assert values["versions"]["numpy"] == np.__version__
    assert None not in values["versions"].values()
    assert values["variables"]["OPENBLAS_CORETYPE"] == "Haswell"
    assert values["processor"]["model"] and values["processor"]["cores"] >= 1
    assert values["blas"] and all(library["threads"] >= 1 for library in values["blas"])
    assert "hidden" not in json.dumps(to_json_types(values))


def test_a_missing_package_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGES", ("no-such-package",))
    assert module.package_versions()["no-such-package"] is None


def test_the_processor_with_and_without_cpuinfo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A: fast one\n")
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "cpuinfo")
    assert processor_model() == "A: fast one"
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "none")
    assert processor_model()


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        command = ["git", *identity, *words]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.strip()

    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) is None
    call("init", "-q")
    assert git_state(tmp_path) is None
    (tmp_path / "a").write_text("1")
    call("add", "a")
    call("commit", "-q", "-m", "a")
    clean = {"commit": call("rev-parse", "HEAD"), "dirty": False}
    (tmp_path / "untracked").write_text("")
    assert git_state(tmp_path) == clean
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path) == {**clean, "dirty": True}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) is None


def test_git_has_a_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 5\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(module, "GIT_TIMEOUT", 0.05)
    start = time.perf_counter()
    assert git_state(tmp_path) is None
    assert time.perf_counter() - start < 2
