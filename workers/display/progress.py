"""Shows how far a work has come, as a bar on standard error if that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)


@contextmanager
def progress(doing: str, *, in_bytes: bool = False) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar, which is removed at the end.

    The function that it yields takes how much is done, and the total; None if that is not known.
    """
    terminal = Console(stderr=True)
    amount: ProgressColumn = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def counting(
    doing: str, total: int | None = None, *, in_bytes: bool = False
) -> Iterator[Callable[[int], None]]:
    """As :func:`progress`; the function that it yields takes how much more is done."""
    with progress(doing, in_bytes=in_bytes) as advance:
        done = 0

        def count(more: int) -> None:
            nonlocal done
            done += more
            advance(done, total)

        yield count
