"""Makes the environment of the demo's processes, which are configured as in production. Pure."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from settings import KafkaSettings
from settings.names import setting_names

#: Worker processes that the demo runs.
PROCESSES = 2


def child_environment(
    base: Mapping[str, str],
    *,
    kafka: Mapping[str, str],
    namespace: str,
    database: Path,
    page: Path | None = None,
) -> dict[str, str]:
    """Return ``base`` with the demo's settings in place of all of its own.

    ``kafka`` says where Kafka is, ``page`` which page is to be served in place of the demo's.
    """
    names = setting_names()
    kept = {name: value for name, value in base.items() if name not in names}
    # The Procfile calls `dramatiq` by name: it must be the one of this Python, activated or not.
    path = os.pathsep.join([sysconfig.get_path("scripts"), base.get("PATH", os.defpath)])
    return (
        kept
        | dict(kafka)
        | ({} if page is None else {"WEB_PAGE": str(page.absolute())})
        | {
            "KAFKA_NAMESPACE": namespace,
            "DATABASE_URL": database_url(database),
            "WORKER_PROCESSES": str(PROCESSES),
            "PATH": path,
            "PYTHONUNBUFFERED": "1",
            # Where this package was found, whatever the current folder is.
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(Path(__file__).parents[2]), base.get("PYTHONPATH")])
            ),
        }
    )


def mail_variables(port: int) -> dict[str, str]:
    """Return the variables that send the workers' mails to the demo's own server."""
    return {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port)}


def database_url(database: Path) -> str:
    """Return the URL of an SQLite file."""
    return f"sqlite:///{database}"


def kafka_variables(kafka: KafkaSettings) -> dict[str, str]:
    """Return the variables that make these settings of Kafka again, in a process in another folder."""
    return {
        f"KAFKA_{name.upper()}": _as_text(getattr(kafka, name)) for name in sorted(kafka.model_fields_set)
    }


def _as_text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value.absolute() if isinstance(value, Path) else value)
