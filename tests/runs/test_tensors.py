"""safetensors files: any layout, equal bytes, damage detected, crashes survived."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.errors import RunError, RunFolderError
from ldl.runs import tensors
from ldl.runs.tensors import checksum_path, load_tensors, save_tensors, serialize

A = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize(
    "array",
    [
        A,
        np.asfortranarray(A),
        A.T,
        A[:, ::2],
        A[::-1],
        np.broadcast_to(A[0], (5, 3, 4)),
        A.astype(np.float64).swapaxes(0, 1),
        A.astype(">f4"),
        np.array(3.5),
        np.zeros((0, 3), np.float32),
        np.zeros((), np.int64),
        np.array([True, False]),
        np.arange(5, dtype=np.uint8)[::-2],
        np.array([1, 2], np.int64),
        np.array([np.nan, np.inf, -0.0], np.float16),
    ],
    ids=lambda array: f"{array.dtype.str}{array.shape}{array.strides}",
)
def test_any_layout_is_read_back(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    save_tensors(tmp_path / "a.safetensors", {"w": array, "v": A}, {"k": "é"})
    arrays, metadata = load_tensors(tmp_path / "a.safetensors")
    assert list(arrays) == ["v", "w"] and metadata == {"k": "é"}
    assert arrays["w"].dtype == array.dtype.newbyteorder("=") and arrays["w"].shape == array.shape
    assert arrays["w"].tobytes() == array.astype(arrays["w"].dtype).tobytes()
    assert arrays["w"].flags.writeable


def test_the_bytes_are_the_same_in_any_process_and_order(tmp_path: Path) -> None:
    code = """
import hashlib, sys, numpy as np
from ldl.runs.tensors import serialize
names = "abcdefgh" if sys.argv[1] == "0" else "hgfedcba"
data = serialize({n: np.full(3, ord(n), np.float32) for n in names}, {n: n for n in names})
print(hashlib.sha256(data).hexdigest())
"""
    runs = [[sys.executable, "-c", code, order] for order in "010"]
    digests = {subprocess.run(run, capture_output=True, check=True).stdout for run in runs}
    assert len(digests) == 1


def test_arrays_are_aligned_in_the_file_and_other_readers_read_it(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    path = tmp_path / "a.safetensors"
    save_tensors(path, {"a": A, "b": A.T}, {"note": "x" * 13})
    assert (8 + int.from_bytes(path.read_bytes()[:8], "little")) % 8 == 0
    assert np.array_equal(load_file(path)["b"], A.T)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_sha256sum_checks_it(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for scale in (1, 2):
        save_tensors(path, {"a": A * scale})
    command = ["sha256sum", "-c", "--strict", checksum_path(path).name]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0


def test_every_flipped_bit_and_every_truncation_is_detected(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"a": A, "b": A[0]}, {"state": "{}"})
    whole = path.read_bytes()
    for bit in random.Random(0).sample(range(8 * len(whole)), 200):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(RunFolderError, match=r"a\.safetensors is damaged: its SHA-256 is"):
            load_tensors(path)
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(RunFolderError, match="damaged"):
            load_tensors(path)


def test_a_damaged_checksum_never_accepts_other_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"a": A})
    save_tensors(path, {"a": A + 1})
    whole = checksum_path(path).read_bytes()
    refused = 0
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        checksum_path(path).write_bytes(flipped)
        try:
            assert np.array_equal(load_tensors(path)[0]["a"], A + 1)
        except RunFolderError:
            refused += 1
    assert refused >= 8 * (64 + 2 + len(path.name))
    for size in range(64 + 2 + len(path.name)):
        checksum_path(path).write_bytes(whole[:size])
        with pytest.raises(RunFolderError, match=r"sha256 is damaged"):
            load_tensors(path)


def test_the_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(RunFolderError, match=r"cannot read .*a\.safetensors: No such file"):
        load_tensors(path)
    save_tensors(path, {"a": A})
    checksum_path(path).unlink()
    with pytest.raises(RunFolderError, match=r"cannot read .*\.sha256: No such file"):
        load_tensors(path)


def test_a_valid_checksum_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for data in (b"", b"no tensors at all", serialize({"a": A})[:-1]):
        path.write_bytes(data)
        checksum_path(path).write_text(f"{hashlib.sha256(data).hexdigest()}  {path.name}\n")
        with pytest.raises(RunFolderError, match="not a safetensors file"):
            load_tensors(path)


@pytest.mark.parametrize("failing", [1, 2])
def test_a_crash_between_the_two_files_leaves_the_old_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"a": A})
    for attempt in range(3):
        with monkeypatch.context() as patch:
            _fail_rename(patch, failing)
            with pytest.raises(RunError):
                save_tensors(path, {"a": A + 1 + attempt})
        assert np.array_equal(load_tensors(path)[0]["a"], A)
    save_tensors(path, {"a": A + 9})
    assert np.array_equal(load_tensors(path)[0]["a"], A + 9)


def _fail_rename(patch: pytest.MonkeyPatch, number: int) -> None:
    calls, real = [0], os.replace

    def replace(source: str, target: str, **folders: int) -> None:
        calls[0] += 1
        if calls[0] == number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(source, target, **folders)

    patch.setattr(os, "replace", replace)


def test_a_reader_during_two_saves_gets_a_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two saves between the two reads, no line of the checksum file accepts the bytes."""
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"a": A})
    real = tensors._accepted_digests
    saved: list[bool] = []

    def save_twice_first(path_read: Path) -> list[str]:
        if not saved:
            saved.append(True)
            save_tensors(path, {"a": A + 1})
            save_tensors(path, {"a": A + 2})
        return real(path_read)

    monkeypatch.setattr(tensors, "_accepted_digests", save_twice_first)
    assert np.array_equal(load_tensors(path)[0]["a"], A + 2)


def test_saving_equal_arrays_again_leaves_the_same_files(tmp_path: Path) -> None:
    """As after a resumed training; other arrays leave the previous digest as a comment."""
    path = tmp_path / "model.safetensors"
    save_tensors(path, {"a": A})
    before = checksum_path(path).read_bytes()
    save_tensors(path, {"a": A})
    assert checksum_path(path).read_bytes() == before
    save_tensors(path, {"a": A + 1})
    assert b"# before" in checksum_path(path).read_bytes()
