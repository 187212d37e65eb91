"""Memory: `ldl check` needs little for any network, and too little ends with a message."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from ldl.execute import prepare, train
from ldl.runs import RunFolder

from .conftest import VALUES, Ldl

WIDE = """\
data: {source: digits, scale: minmax}
network: [{linear: 15000}, relu, {linear: 15000}, relu, linear]
"""
DEEP = """\
data: {source: digits, scale: minmax}
network:
  - reshape: [8, 8]
  - linear: 64
  - repeat:
      times: 128
      layers:
        - residual: [layer_norm, {multi_head_attention: {heads: 4}}]
        - residual: [layer_norm, {linear: 128}, gelu, {linear: 64}]
  - flatten
  - linear
"""


def peak_memory() -> int:
    """The largest resident memory of this process since the last reset, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@pytest.mark.parametrize(("text", "weights"), [(WIDE, 226_140_010), (DEEP, 4_290_122)])
def test_check_neither_draws_nor_touches_weights(
    ldl: Ldl, tmp_path: Path, text: str, weights: int
) -> None:
    """226 million weights, and 1,000 layers: below 100 MB more than this process has."""
    (tmp_path / "c.yaml").write_text(text)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak: proc_pid_clear_refs(5)
    before = peak_memory()
    result = ldl("check", tmp_path / "c.yaml")
    assert result.code == 0 and f"{weights:,}" in result.out
    assert peak_memory() - before < 100e6


@pytest.mark.parametrize("command", ["check", "train"])
def test_too_little_memory(tmp_path: Path, command: str) -> None:
    """A message, exit code 1, and a run that says that it failed."""
    (tmp_path / "c.yaml").write_text(WIDE)
    completed = subprocess.run(
        [sys.executable, "-c", "from ldl.cli import main; main()", command, "c.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (700_000_000, 700_000_000)),
    )
    assert completed.returncode == 1, completed.stderr
    assert "not enough memory" in completed.stderr and "Traceback" not in completed.stderr
    states = [path.read_text() for path in tmp_path.glob("runs/*/status.json")]
    assert len(states) == (command == "train")
    assert all('"failed"' in state and "MemoryError" in state for state in states)
    assert ("the run so far" in completed.stderr) == (command == "train")


@pytest.mark.parametrize(
    "function",
    [
        "ldl.execute.resume",
        "ldl.execute.saved_run.prepare",
        "ldl.data.sources.NoisyLine.read",
        "ldl.execute.run_training.Trainer",
    ],
)
def test_resume_without_memory_names_the_folder(
    ldl: Ldl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """Wherever memory lacks before the training: a message, exit code 1, and how to continue."""
    (tmp_path / "c.yaml").write_text(VALUES)
    run = train(prepare(tmp_path / "c.yaml"), tmp_path)
    run.set_status("interrupted", epoch=1)
    with monkeypatch.context() as patched:
        patched.setattr(function, Mock(side_effect=MemoryError))
        result = ldl("resume", run.path)
    assert result.code == 1 and "memory" in result.err
    assert f"continue it with: ldl resume {run.path}" in result.err
    assert ldl("resume", run.path).code == 0
    assert RunFolder.open(run.path).read_status().status == "completed"
