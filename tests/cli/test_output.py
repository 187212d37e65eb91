"""What `ldl train` and `ldl evaluate` print of an evaluation."""

from __future__ import annotations

import pytest

from ldl.cli.output import print_results


def test_metrics_with_a_value_or_a_mapping_of_values(capsys: pytest.CaptureFixture[str]) -> None:
    results = {
        "clustering": {"part": "test", "samples": 1234, "purity": 0.75, "clusters": {"c1": {}}},
        "compression": {"part": "test", "mse": {"network": 0.5, "pca": None}, "notes": ["hm"]},
    }
    print_results(results)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "clustering on the test split, 1,234 samples"
    assert lines[1].split() == ["purity", "0.75"]
    assert lines[2] == "compression on the test split"
    assert [line.split()[0] for line in lines[3:]] == ["mse.network", "mse.pca", "note:"]


def test_a_table_of_metrics_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    errors = {f"mask {i}": 0.1 * i for i in range(10)}
    print_results({"noise_sweep": {"part": "test", "mse": {"noisy": errors}, "levels": [1, 2]}})
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first == "noise_sweep on the test split"
    assert [line.split()[-1] for line in lines[:3]] == ["0", "0.1", "0.2"] and len(lines) == 8
    assert last.split() == ["and", "2", "more", "in", "results.json"]


def test_an_evaluation_of_no_single_split_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_results({"folds": {"part": "test", "samples": 300, "accuracy": {"mean": 0.5}}})
    assert capsys.readouterr().out.splitlines()[0] == "folds, 300 samples"
