from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from ldl.config import json_schema, to_builtins
from ldl.config.emit import emit

from .strategies import CONFIGS
from .toys import REGISTRIES, Root, read

SCHEMA = json_schema(Root, REGISTRIES)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_it_is_a_schema_and_json() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(json.dumps(SCHEMA)))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(CONFIGS)
def test_every_valid_configuration_fits(data: Any) -> None:
    VALIDATOR.validate(data)
    VALIDATOR.validate(to_builtins(read(emit(data)), REGISTRIES))


@pytest.mark.parametrize(
    "change",
    [
        {"sede": 1},
        {"seed": "x"},
        {"optimizer": "sdg"},
        {"optimizer": {"sgd": {"lr": 1}}},
        {"optimizer": {"sgd": {"momentum": 1}}},
        {"optimizer": {"sgd": 1, "adam": 1}},
        {"network": 3},
        {"network": {"encoder": ["relu"]}},
        {"train": {"epochs": 0}},
        {"train": {"device": "gpu"}},
        {"data": {"noise": None}},
        {"loss": {"weight": 1}},
    ],
)
def test_mistakes_do_not_fit(change: dict[str, Any]) -> None:
    good = {"data": {"source": "digits"}, "network": ["relu"]}
    VALIDATOR.validate(good)
    assert not VALIDATOR.is_valid({**good, **change})


def test_a_file_that_extends_may_leave_things_out() -> None:
    VALIDATOR.validate({"extends": "a.yaml"})
    VALIDATOR.validate({"extends": ["a.yaml", "b.yaml"], "train": None})


def test_editors_are_told_what_things_are() -> None:
    sgd = next(o for o in SCHEMA["$defs"]["optimizer"]["anyOf"] if o.get("const") == "sgd")
    assert sgd["description"] == "w ← w - ηv."
    assert SCHEMA["description"] == "An experiment."
    assert SCHEMA["properties"]["seed"] == {"type": "integer", "default": 0}
