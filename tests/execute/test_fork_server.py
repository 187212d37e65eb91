"""What the fork server reads of its process and of the kernel."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from ldl.execute import fork_server


def test_new_modules_of_preloaded_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(sys.modules)
    for name in ("numpy.made_up", "made_up", "made_up.numpy"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    assert fork_server._imports(before) == ["numpy.made_up"]
    assert fork_server._imports({*before, "numpy.made_up"}) == []


@pytest.mark.parametrize(
    ("text", "kills"), [("oom_score 9\noom_kill 7\nzone 1\n", 7), ("zone 1\n", 0), (None, 0)]
)
def test_kills_for_lack_of_memory(
    text: str | None, kills: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "vmstat"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(fork_server, "VMSTAT", file)
    assert fork_server._oom_kills() == kills


def test_a_message_that_a_signal_cuts_is_written_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[bytes] = []

    def write(descriptor: int, data: bytes) -> int:
        assert descriptor == 1
        written.append(data[:7])
        return len(written[-1])

    monkeypatch.setattr(fork_server.os, "write", write)
    fork_server.ForkServer._send(None, {"message": "x" * 20})  # type: ignore[arg-type]
    assert b"".join(written) == b'{"message": "' + b"x" * 20 + b'"}\n'
