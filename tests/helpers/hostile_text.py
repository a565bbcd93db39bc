"""A text that would control a terminal, and what of it may reach one."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

#: Clears the screen, writes into the clipboard, and clears the screen as one control character begins it.
HOSTILE = "a\x1b[2J\x1b]52;c;aGk=\x07\x9b2J"
SHOWN = r"a\x1b[2J\x1b]52;c;aGk=\x07\x9b2J"


def printed(what: Any) -> str:
    out = StringIO()
    Console(file=out, width=400, markup=False, emoji=False).print(what)
    return out.getvalue()


def is_safe(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)
