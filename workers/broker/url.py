"""A broker's address in one line, as ``DRAMATIQ_BROKER_URL`` and Flask-Dramatiq hold it. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ..errors import InvalidUrl, WrongUsage
from ..kafka import Cluster

_DEFAULT_PORT = 9092
#: The scheme, and whether connections are encrypted.
_SCHEMES = {"kafka": False, "kafkas": True}
#: The parameters that may follow the question mark, and how each is read.
_CLUSTER_PARAMETERS: dict[str, Callable[[str], Any]] = {
    "sasl_mechanism": str,
    "ca_file": str,
    "cert_file": str,
    "key_file": str,
    "key_password": str,
    "connect_timeout_s": float,
    "send_timeout_s": float,
}
_TOPIC_PARAMETERS: dict[str, Callable[[str], Any]] = {"partitions": int, "replication_factor": int}


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """The parts of a URL; None for each part that it leaves out."""

    cluster: Cluster
    namespace: str | None = None
    partitions: int | None = None
    replication_factor: int | None = None


def place_of(cluster: Cluster | None, url: str | None) -> BrokerUrl:
    """The place that a cluster or a URL names, or else 127.0.0.1:9092. Raises WrongUsage for both of them."""
    if url is None:
        return BrokerUrl(cluster or Cluster())
    if cluster is not None:
        raise WrongUsage("KafkaBroker takes a cluster or a url, not both")
    return parse(url)


def parse(url: str) -> BrokerUrl:
    """Read ``kafka://user:password@host:9092,host2/namespace?partitions=8``; ``kafkas://`` is with TLS.

    A part that is left out has its default: port 9092, no login, the mechanism PLAIN with one. Parts with
    special characters are percent-encoded. Raises InvalidUrl, whose text never shows the password.
    """
    try:
        parts = urlsplit(url)
    except ValueError as exc:
        raise InvalidUrl(f"the broker's URL cannot be read: {exc}") from exc
    if parts.scheme not in _SCHEMES:
        raise InvalidUrl(
            f"the broker's URL begins with {parts.scheme!r}, and must with kafka:// or kafkas://"
        )
    login, _, hosts = parts.netloc.rpartition("@")
    given = _parameters(parts)
    options: dict[str, Any] = _login(login, encrypted=_SCHEMES[parts.scheme])
    options |= {name: value for name, value in given.items() if name in _CLUSTER_PARAMETERS}
    if options.get("sasl_mechanism") and not login:
        raise InvalidUrl("the broker's URL has sasl_mechanism, and no user to log in as")
    cluster = Cluster(_servers(hosts), **options)
    topics = {name: value for name, value in given.items() if name in _TOPIC_PARAMETERS}
    return BrokerUrl(cluster, unquote(parts.path.strip("/")) or None, **topics)


def _servers(hosts: str) -> tuple[str, ...]:
    servers = []
    for host in hosts.split(","):
        try:
            found = urlsplit(f"//{host}")
            name, port = found.hostname, found.port or _DEFAULT_PORT
        except ValueError as exc:
            raise InvalidUrl(f"the broker's URL names the host {host!r}: {exc}") from exc
        if not name:
            raise InvalidUrl("the broker's URL names no host, or an empty one; write kafka://host:9092")
        servers.append(f"[{name}]:{port}" if ":" in name else f"{name}:{port}")
    return tuple(servers)


def _login(login: str, *, encrypted: bool) -> dict[str, str]:
    if not login:
        return {"security_protocol": "SSL" if encrypted else "PLAINTEXT"}
    user, _, password = login.partition(":")
    return {
        "security_protocol": "SASL_SSL" if encrypted else "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "username": unquote(user),
        "password": unquote(password),
    }


def _parameters(parts: SplitResult) -> dict[str, Any]:
    kinds = _CLUSTER_PARAMETERS | _TOPIC_PARAMETERS
    given: dict[str, Any] = {}
    for name, text in parse_qsl(parts.query, keep_blank_values=True):
        if name not in kinds:
            raise InvalidUrl(f"the broker's URL has {name!r}; it may have {', '.join(sorted(kinds))}")
        try:
            value = kinds[name](text)
        except ValueError as exc:
            raise InvalidUrl(f"the broker's URL has {name}={text!r}, which is no number") from exc
        if isinstance(value, int | float) and not 0 < value < math.inf:
            raise InvalidUrl(f"the broker's URL has {name}={text!r}, which is not above 0 and finite")
        given[name] = value
    return given
