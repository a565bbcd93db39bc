"""`todo-workers token`: a token for development."""

from __future__ import annotations

from typing import Annotated

import typer


def token(
    user: Annotated[str, typer.Argument(help="Address of the user, as in the todos.")],
    role: Annotated[list[str] | None, typer.Option(help="A role; may be given several times.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, help="How long it lasts.")] = 1,
) -> None:
    """Make a token for development, signed with WEB_JWT_SECRET.

    In production a login service makes them.
    """
    from settings import load_settings
    from workers.errors import WrongUsage

    from ..access import sign

    settings = load_settings()
    if settings.web.jwt_secret is None:
        raise WrongUsage("WEB_JWT_SECRET is not set: a token needs the key that the web process checks it by")
    secret = settings.web.jwt_secret.get_secret_value()
    print(sign(settings, secret, user, roles=tuple(role or ()), hours=hours))
