"""Control characters in names and messages, which could drive a terminal or reorder its text."""

from __future__ import annotations

import re
from typing import Final

# C0 without tab and line feed, DEL, C1, line separators, and the controls of bidirectional text
# (Unicode Technical Report 36, Bidirectional Text Spoofing).
_CONTROLS: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


def escape_controls(text: str) -> str:
    """The text with each control character as `\\uXXXX`, which JSON strings allow too.

    Tabs and line feeds stay.
    """
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
