from __future__ import annotations

import copy
import time
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ldl.config import loads, render
from ldl.config.emit import emit
from ldl.errors import ConfigError, Problem

from .strategies import ANYTHING, CONFIGS, KEY
from .toys import NAME, REGISTRIES, Root

PIECES = st.sampled_from(
    ["a", "b:", ": ", "- ", "\n", "\n  ", "\n    ", "\n\t", "[", "]", "{", "}", ",", "'", '"', "|",
     ">", "&x ", "*x", "!y ", "<<: ", "? ", "#", "---\n", "...\n", "%YAML 1.2\n", "network: ",
     "[relu]", "data: ", "extends: ", "1e-3", "\\U", "\\", "\ufeff", "\0", "\x85", "é", "linear: ",
     "from: ", "same: ", "blocks: ", "null", "optimizer: ", "{sgd: 3}", "repeat: ", "times: 2",
     "\r\n", "\u2028"],
)  # fmt: skip
STEPS = st.sampled_from(
    ["network", "encoder", "decoder", "0", "1", "linear", "units", "optimizer", "sgd", "adam", "as",
     "loss", "mse", "weight", "data", "source", "split", "train", "extra", "blocks", "evaluate",
     "mlp", "residual", "layers", "same", "from", "classification", "x", "labels", "betas", "b"],
)  # fmt: skip
few = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


def survives(text: str, *overrides: str) -> None:
    """Loading ends fast, with a value or with a report that can be shown."""
    start = time.perf_counter()
    problems = report(text, *overrides)
    assert all(p.message and p.line >= 1 and p.column >= 1 for p in problems)
    assert render(ConfigError(problems)) or not problems
    assert time.perf_counter() - start < 5


def report(text: str, *overrides: str) -> tuple[Problem, ...]:
    try:
        loads(text, NAME, Root, REGISTRIES, overrides)
    except ConfigError as error:
        return error.problems or (Problem(""),)
    return ()


@few
@given(st.lists(PIECES, max_size=40).map("".join))
def test_random_pieces(text: str) -> None:
    survives(text)


@few
@given(st.text(max_size=60))
def test_random_text(text: str) -> None:
    survives(text)
    survives("a: " + text, text)


@few
@given(st.dictionaries(st.sampled_from([*Root.__annotations__, "sede"]) | KEY, ANYTHING))
def test_random_trees(data: Any) -> None:
    survives(emit(data))


@few
@given(CONFIGS, st.data())
def test_a_good_configuration_with_one_part_replaced(data: Any, draws: st.DataObject) -> None:
    data = copy.deepcopy(data)
    place: Any = data
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = draws.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or draws.draw(st.booleans()):
            break
        place = place[key]
    place[key] = draws.draw(ANYTHING)
    survives(emit(data))


@few
@given(CONFIGS, st.lists(STEPS, min_size=1, max_size=6).map(".".join), ANYTHING)
def test_random_overrides(data: Any, path: str, value: Any) -> None:
    survives(emit(data), f"{path}={emit(value).strip()}")


GOOD_START = "data: {source: digits}\nnetwork: relu\n"


def test_a_file_of_mistakes_ends_after_a_thousand() -> None:
    for line in ("sed{}: 1\n", "? [{}]\n", "seed: {}\n"):
        start = time.perf_counter()
        problems = report(GOOD_START + "".join(line.format(i) for i in range(5000)))
        assert len(problems) == 1000
        assert time.perf_counter() - start < 5


def test_many_blocks_end_fast() -> None:
    start = time.perf_counter()
    blocks = "".join(f"  b{i}: c{i}\n" for i in range(5000))
    assert len(report(GOOD_START + "blocks:\n" + blocks)) == 1000
    assert time.perf_counter() - start < 10
