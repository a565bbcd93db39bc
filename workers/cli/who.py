"""Says who types a command, for the records of what was decided and done. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

import typer

By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who does it, for the log; else user@host.")
]


def who(by: str | None) -> str:
    """The name that was given, else the user of this terminal. Raises WrongUsage for an empty one."""
    import getpass
    import socket

    from ..errors import WrongUsage

    if by is not None:
        if not by.strip():
            raise WrongUsage("--by should name somebody; without it, it is the user of this terminal")
        return by
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
