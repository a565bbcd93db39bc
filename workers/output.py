"""What the commands share of how they show things."""

from __future__ import annotations

from rich.console import Console


def console() -> Console:
    """Standard output; into a file or a pipe, wide enough for a line of any table."""
    found = Console()
    return found if found.is_terminal else Console(width=200)


def length_of_time(seconds: float) -> str:
    """A length of time as people say it: 12 s, 3 min, 5 h, 2 d."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
