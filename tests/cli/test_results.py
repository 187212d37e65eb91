"""What `ldl train` and `ldl evaluate` print of an evaluation's figures."""

from __future__ import annotations

import pytest

from ldl.cli.output import print_results


def test_a_figure_or_one_for_each_of_a_few_names(capsys: pytest.CaptureFixture[str]) -> None:
    results = {
        "clustering": {"part": "test", "samples": 1234, "purity": 0.75, "clusters": {"c1": {}}},
        "compression": {"part": "test", "mse": {"network": 0.5, "pca": None}, "notes": ["hm"]},
    }
    print_results(results)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "clustering on the test part, 1,234 samples"
    assert lines[1].split() == ["purity", "0.75"]
    assert lines[2] == "compression on the test part"
    assert [line.split()[0] for line in lines[3:]] == ["mse.network", "mse.pca", "note:"]


def test_a_table_of_figures_is_left_to_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    print_results({"noise_sweep": {"part": "test", "mse": {"noisy": {"mask 0.5": 0.1}}}})
    assert capsys.readouterr().out == "noise_sweep on the test part\n"
