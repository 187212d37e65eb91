"""Collection rules for all tests, and the settings that a package defines."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Collect tests/external, which import PyTorch, with `-m external` only; likewise Chromium."""
    external = Path(__file__).parent / "external"
    if collection_path.is_relative_to(external) and config.option.markexpr != "external":
        return True
    if collection_path.name == "test_browser.py" and config.option.markexpr != "browser":
        return True
    return None


@pytest.fixture
def check_settings() -> Callable[[str], None]:
    """A function that compares a package's settings with `tests/PACKAGE/settings.txt`.

    The file holds each setting of the language with its limits and its default. They change only on
    purpose, since the results of existing files depend on them: WRITE_SETTINGS=1 writes the file.
    """

    def check(package: str) -> None:
        lines = [
            line
            for name, cls in sorted(setting_classes().items())
            if cls.__module__.startswith(f"ldl.{package}.")
            for line in [name, *settings(cls)]
        ]
        path = Path(__file__).parent / package / "settings.txt"
        if os.environ.get("WRITE_SETTINGS"):
            path.write_text("\n".join(lines) + "\n")
        assert lines == path.read_text().splitlines(), "WRITE_SETTINGS=1 accepts the changes"

    return check


def setting_classes() -> dict[str, type]:
    """Every entry of the registries and every section of a configuration, by its name."""
    from ldl.grid.block import GRID_REGISTRIES, GridConfig

    classes = {
        f"{kind} {name}": entry
        for kind, entries in GRID_REGISTRIES.items()
        for name, entry in entries.items()
    }
    sections: list[Any] = [GridConfig]
    for hint in sections:  # grows as sections within sections turn up
        if dataclasses.is_dataclass(hint) and hint not in classes.values():
            classes[f"section {hint.__name__}"] = hint  # type: ignore[union-attr]
            sections += get_type_hints(hint).values()
        sections += [argument for argument in get_args(hint) if argument not in sections]
    return classes


def settings(cls: type) -> Iterator[str]:
    """A line for each setting of a class: name, limits, default."""
    hints = get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        words = [f"  {field.name}:", "; ".join(dict.fromkeys(limits(hints[field.name])))]
        if field.default is not dataclasses.MISSING:
            words.append(f"= {field.default!r}")
        yield " ".join(filter(None, words))


def limits(hint: Any) -> Iterator[str]:
    """The limits that the annotations of a type state, however deep."""
    from ldl.fields import Range

    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, Range):
            yield str(extra)
    for argument in get_args(hint):
        yield from limits(argument)
