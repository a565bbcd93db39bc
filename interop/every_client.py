"""All clients by name, and whether they can be tried on this machine."""

from __future__ import annotations

import shutil
from functools import cache

from interop.clients import Aiokafka, Client, Confluent
from interop.console import Console
from interop.programs import Kcat, Node

CLIENTS: dict[str, Client] = {
    "confluent-kafka": Confluent(),
    "aiokafka": Aiokafka(),
    "kafkajs": Node("kafkajs", ("gzip",), has_null_headers=False),
    "platformatic": Node("platformatic", ("gzip", "snappy", "lz4")),
    "kcat": Kcat(),
    "console": Console(),
}


@cache
def missing(name: str) -> str | None:
    """What a client needs that is not on this machine."""
    program = {"kafkajs": "node", "platformatic": "node", "kcat": "kcat"}.get(name)
    return None if program is None or shutil.which(program) else f"{program} is not on the PATH"
