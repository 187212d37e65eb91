"""Sections that somebody else looks at, and mappings whose keys are dotted places."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest

from ldl.config import loads
from ldl.config.load import load, load_unchecked
from ldl.errors import ConfigError
from ldl.fields import DottedKeys


@dataclass(frozen=True)
class Root:
    """What is looked at."""

    seed: int = 0


@dataclass(frozen=True)
class Extra:
    """What is set aside."""

    vary: Annotated[dict[str, list[Any]], DottedKeys()] = field(default_factory=dict)
    seeds: int = 1


@dataclass(frozen=True)
class Whole(Root):
    """Both."""

    extra: Extra | None = None


TEXT = "seed: 3\nextra: {seeds: lots, vary: {a.b: [1, 2]}}\n"


def test_what_is_set_aside_is_not_looked_at() -> None:
    """It is kept as it is written, and so it is not refused; its overrides are left alone."""
    loaded = loads(
        TEXT, "t.yaml", Root, {}, ["extra.sedes=3", "seed=4"], ignored_sections=("extra",)
    )
    assert loaded.value == Root(4) and list(loaded.ignored_sections) == ["extra"]
    assert loaded.ignored_sections["extra"].mark.line == 2
    assert (
        loads("seed: 3\n", "t.yaml", Root, {}, ignored_sections=("extra",)).ignored_sections == {}
    )


def test_a_misspelt_name_of_it() -> None:
    """Is a suggestion like others."""
    with pytest.raises(ConfigError) as caught:
        loads(TEXT.replace("extra", "extre"), "t.yaml", Root, {}, ignored_sections=("extra",))
    assert "did you mean `extra`" in caught.value.problems[0].hint
    with pytest.raises(ConfigError) as caught:
        loads(TEXT, "t.yaml", Root, {})
    assert "unknown key `extra`" in caught.value.problems[0].message


def test_what_is_gathered_is_not_checked(tmp_path: Path) -> None:
    """The tree with what it extends and the overrides; mistakes of these alone are in it."""
    (tmp_path / "base.yaml").write_text(TEXT)
    file = tmp_path / "t.yaml"
    file.write_text("extends: base.yaml\nseed: many\nextra: {vary: {c: [3]}}\n")
    actual = load_unchecked(file, Whole, {}, ["extra.seeds=2", "sede=1"])
    assert actual.tree is not None and len(actual.problems) == 1
    extra = actual.tree.value["extra"].value  # type: ignore[call-overload, index]
    assert sorted(extra["vary"].value) == ["a.b", "c"] and extra["seeds"].value == 2


@pytest.mark.parametrize("key", ["a.b", "d", "one.two.three"])
def test_the_rest_of_a_path_is_one_key(key: str, tmp_path: Path) -> None:
    """Where the keys are dotted places."""
    file = tmp_path / "t.yaml"
    file.write_text(TEXT.replace("lots", "5"))
    loaded = load(file, Whole, {}, [f"extra.vary.{key}=[9]"])
    assert loaded.value.extra == Extra({"a.b": [1, 2], key: [9]}, 5)
