"""Prints for the commands: a console, a progress bar, and text of others, made safe."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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


def complain(text: str) -> None:
    """Print a line on standard error, with its control characters written out."""
    print(visible(text), file=sys.stderr)


@contextmanager
def counting(doing: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """As :func:`progress`; the function that it yields takes how much more is done."""
    with progress(doing) as advance:
        done = 0

        def count(more: int) -> None:
            nonlocal done
            done += more
            advance(done, total)

        yield count


@contextmanager
def progress(doing: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar on standard error, if that is a terminal.

    The function that it yields takes how much is done, and the total; None if that is not known.
    """
    terminal = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
