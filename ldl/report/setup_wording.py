"""The words about a reported setup: what differs, what is the same."""

from __future__ import annotations

from typing import Any, Final

from ldl.report.reproduce import ClaimCase

SETUP_COLUMNS: Final = ("setting", "reported", "here", "why it differs")
UNEXPLAINED: Final = "no reason is given"


def setup_rows(case: ClaimCase) -> list[tuple[str, ...]]:
    """A row for each reported setting that differs, by SETUP_COLUMNS."""
    overridden = {text.partition("=")[0] for text in case.file.overrides}
    rows: list[tuple[str, ...]] = []
    for setting in case.file.setup:
        if setting.differs:
            shortened = "the profile shortens it" if setting.path in overridden else UNEXPLAINED
            why = setting.because or case.claim.fault or case.claim.evidence or shortened
            reported, ours = inline(setting.reported), inline(setting.ours, brief=True)
            rows.append((setting.path, reported, ours, why))
    return rows


def same_settings(case: ClaimCase) -> str:
    """The reported settings that the file has, in a line."""
    same = [setting for setting in case.file.setup if not setting.differs]
    return "; ".join(f"`{setting.path}` {inline(setting.reported)}" for setting in same)


def inline(value: Any, brief: bool = False) -> str:
    """A value in a line, as YAML writes it; a brief one without settings but the main one."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"[{', '.join(inline(item, brief) for item in value)}]"
    if not isinstance(value, dict):
        return str(value)
    first = next(iter(value), "")
    if brief and isinstance(value.get(first), dict):
        main = next(iter(value[first].values()), None)
        return first if main is None or isinstance(main, dict) else f"{first}: {inline(main, True)}"
    text = ", ".join(f"{key}: {inline(item, brief)}" for key, item in value.items())
    return text if brief and len(value) == 1 else f"{{{text}}}"
