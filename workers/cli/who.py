"""Says who types a command, for the records of what was done, and whom it waits for. Imports little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..operations.logged_runs import LoggedRun

By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who does it, for the log, before user@host.")
]

#: Longest name. Records cut a longer *who*, and with that its end.
_MAX_CHARS = 100


def who(by: str | None) -> str:
    """The user of this terminal, behind the name that was given: ``ann (root@host)``.

    So a name that anybody can type never hides who typed it. Raises WrongUsage for one that is empty or long.
    """
    import getpass
    import socket

    from ..errors import WrongUsage

    if by is not None and not 0 < len(by.strip()) <= _MAX_CHARS:
        raise WrongUsage(f"--by should name somebody in 1 to {_MAX_CHARS} characters, not in {len(by)}")
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    typed_by = f"{user}@{socket.gethostname()}"
    return typed_by if by is None else f"{by} ({typed_by})"


def is_by(told: str, name: str) -> bool:
    """Whether a record's *who* is ``name``, or has it from ``--by``."""
    return told == name or told.startswith(f"{name} (")


def tell_of(other: LoggedRun) -> None:
    """Say which action must end before this one begins."""
    from ..display.times import timestamp
    from .terminal import complain

    began = timestamp(other.began_ms)
    complain(
        f"waiting for a {other.verb} of {other.total} that {other.who} began at {began}, so that no job runs "
        "twice; if its process was killed, for two and a half minutes at most"
    )
