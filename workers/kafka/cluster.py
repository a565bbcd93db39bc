"""The address of a Kafka cluster, and the login. Pure: no I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ..errors import WrongUsage


@dataclass(frozen=True, slots=True)
class OAuth:
    """Where the tokens of OAUTHBEARER come from: a server, or a function of the application's.

    Parameters:
        token_url: gives tokens to ``client_id`` with ``client_secret`` (RFC 6749, 4.4: client credentials).
        scope: what is asked for there; None: what the server gives by itself.
        provider: in place of all these, the ``package.module:name`` of a function that returns a token.
    """

    token_url: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    scope: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kafka cluster, and the user that the pool logs in as. Constructing it does no I/O.

    Parameters:
        bootstrap_servers: brokers that are asked first for all others, each as ``host:port``.
        security_protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        sasl_mechanism: with SASL: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM.
        username, password: for PLAIN and SCRAM.
        ca_file: PEM file of the authorities to trust; None: the system's.
        cert_file, key_file: PEM files of the pool's own certificate with its chain, and of its private key;
            without ``key_file``, the key is in the same file.
        key_password: of the private key.
        oauth: for OAUTHBEARER.
        connect_timeout_s: bounds the wait for a connection.
        send_timeout_s: bounds a send, from the call to Kafka's confirmation. Kafka takes 9 s to replace a
            broker that has died, and some more to recover.

    Raises WrongUsage for servers in one text, and for times that are not above 0 and finite.
    """

    bootstrap_servers: tuple[str, ...] = ("127.0.0.1:9092",)
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    key_password: str | None = field(default=None, repr=False)
    oauth: OAuth | None = None
    connect_timeout_s: float = 5.0
    send_timeout_s: float = 20.0

    def __post_init__(self) -> None:
        servers: object = self.bootstrap_servers
        if isinstance(servers, str):  # a text is a sequence as well, of its letters
            meant = tuple(server.strip() for server in servers.split(","))
            raise WrongUsage(f"Cluster({servers!r}) names no servers: write Cluster({meant!r}), a tuple")
        for name in ("connect_timeout_s", "send_timeout_s"):
            if not 0 < (seconds := getattr(self, name)) < math.inf:  # not a number is none of these either
                raise WrongUsage(f"Cluster({name}={seconds!r}): give a finite number of seconds above 0")

    @property
    def address(self) -> str:
        return ",".join(self.bootstrap_servers)

    @property
    def user(self) -> str:
        if self.oauth is not None:
            return f"client {self.oauth.client_id!r}" if self.oauth.client_id else "the token's user"
        if self.sasl_mechanism == "AWS_MSK_IAM":
            return "the user of the AWS credentials"
        if self.cert_file and not self.username:
            return f"the user of the certificate {self.cert_file}"
        return f"user {self.username!r}" if self.username else "the anonymous user"

    @property
    def login_settings(self) -> str:
        """The settings that a login is made of."""
        if self.oauth is not None and self.oauth.provider:
            return "KAFKA_OAUTH_TOKEN_PROVIDER"
        if self.oauth is not None:
            return "KAFKA_OAUTH_TOKEN_URL, KAFKA_OAUTH_CLIENT_ID, its secret, and KAFKA_OAUTH_SCOPE"
        if self.sasl_mechanism == "AWS_MSK_IAM":
            return "the AWS credentials, their policy and AWS_DEFAULT_REGION"
        return "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD, KAFKA_SASL_MECHANISM and KAFKA_SECURITY_PROTOCOL"

    @property
    def is_encrypted(self) -> bool:
        return self.security_protocol in {"SSL", "SASL_SSL"}

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
        files = {"ssl_cafile": self.ca_file, "ssl_certfile": self.cert_file, "ssl_keyfile": self.key_file}
        options |= {name: file for name, file in files.items() if file}
        if self.cert_file:
            # Never None: OpenSSL would ask at the terminal for the password of a key that has one.
            options["ssl_password"] = self.key_password or ""
        return options
