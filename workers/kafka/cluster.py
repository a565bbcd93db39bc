"""The address of a Kafka cluster, and the login. Pure: no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kafka cluster, and the user that the pool logs in as.

    ``connect_timeout_s`` bounds the wait for a connection. ``send_timeout_s`` bounds a send, from the call to
    Kafka's confirmation; Kafka takes 9 s to replace a broker that has died, and some more to recover.
    """

    bootstrap_servers: tuple[str, ...] = ("127.0.0.1:9092",)
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    connect_timeout_s: float = 5.0
    send_timeout_s: float = 20.0

    @property
    def address(self) -> str:
        return ",".join(self.bootstrap_servers)

    @property
    def user(self) -> str:
        return f"user {self.username!r}" if self.username else "the anonymous user"

    def client_options(self) -> dict[str, Any]:
        """The options that all three kinds of kafka-python client take."""
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.bootstrap_servers),
            "bootstrap_timeout_ms": int(self.connect_timeout_s * 1000),
            "security_protocol": self.security_protocol,
            "reconnect_backoff_max_ms": 1000,
        }
        if self.sasl_mechanism:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        if self.ca_file:
            options["ssl_cafile"] = self.ca_file
        return options
