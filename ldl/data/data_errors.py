"""How error messages about data list names and problems."""

from __future__ import annotations

from collections.abc import Sequence

from ldl.errors import DataError

MAX_PROBLEMS = 10
MAX_NAMES = 20


def quoted(names: Sequence[str]) -> str:
    """The names in quotation marks, at most twenty and the number of the others."""
    text = ", ".join(f'"{name}"' for name in names[:MAX_NAMES])
    return text + (f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else "")


def raise_problems(heading: str, problems: Sequence[str], hint: str = "") -> None:
    """Raise DataError with the heading, the first ten problems and the hint, if there are any."""
    if not problems:
        return
    lines = [heading, *(f"  {problem}" for problem in problems[:MAX_PROBLEMS])]
    if len(problems) > MAX_PROBLEMS:
        lines.append(f"  and {len(problems) - MAX_PROBLEMS} more")
    raise DataError("\n".join([*lines, hint] if hint else lines))
