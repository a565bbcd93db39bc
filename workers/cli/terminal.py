"""Prints for the commands: a console, and text of others, made safe."""

from __future__ import annotations

import re
import sys

from rich.console import Console

#: Control characters, which a terminal would obey instead of showing them, but for line ends and tabs.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console() -> Console:
    """Standard output; into a file or a pipe, wide enough for a line of any table.

    It reads no markup in what it prints: others wrote much of that.
    """
    found = Console(markup=False, emoji=False)
    return found if found.is_terminal else Console(markup=False, emoji=False, width=200)


def visible(text: str) -> str:
    """The text with its control characters written out: text of others must not control the terminal."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def visible_json(text: str) -> str:
    """JSON that has its control characters as escapes: it means the same."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def complain(text: str) -> None:
    """Print a line on standard error, with its control characters written out."""
    print(visible(text), file=sys.stderr)
