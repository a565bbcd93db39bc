"""Checks the settings' values. Pure, but for looking whether a file exists.

Each check returns the value or raises `ValueError` with the end of a sentence that begins with the variable.
"""

import re
from email.utils import getaddresses
from ipaddress import IPv6Address
from pathlib import Path

from pydantic import SecretStr

from settings import addresses
from settings.lengths import length_of

#: Kafka allows 249 bytes in a topic's name; this leaves over 140 for `.jobs.` and the queue's own name.
NAMESPACE_MAX_CHARACTERS = 100

#: The shortest key of an HMAC with SHA-256, by RFC 7518.
SECRET_MIN_BYTES = 32

#: Names that DNS takes, and with underscores those that container networks give.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")
_NAMESPACE = re.compile(r"[a-zA-Z0-9._-]+")


def split_commas(value: object) -> object:
    """`"a:1, b:2"` as `("a:1", "b:2")`; anything but text is returned as it is."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def check_not_empty(servers: tuple[str, ...]) -> tuple[str, ...]:
    """At least one server."""
    if not servers:
        raise ValueError("should name at least one server, such as 127.0.0.1:9092")
    return servers


def check_dotted_path(path: str) -> str:
    """The place of something in Python: `package.module:name`."""
    module, _, name = path.partition(":")
    if not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise ValueError(f"should be like package.module:name, not {path!r}")
    return path


def check_server(server: str) -> str:
    """A broker's address: `host:port`, with an IPv6 address in brackets."""
    if "@" in server:  # The text before it may be a password, so it is not repeated.
        raise ValueError("takes no user or password; those are KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
    if "://" in server:
        raise ValueError(f"takes host:port without a scheme, not {server!r}")
    if is_ipv6(server):
        raise ValueError(f"needs an IPv6 address in brackets and a port, such as [::1]:9092, not {server!r}")
    host, colon, port = server.rpartition(":")
    if not colon or server.endswith("]"):
        raise ValueError(f"needs a port after each host: {server}:9092, not {server!r}")
    bracketed = host.startswith("[") and host.endswith("]") and is_ipv6(host[1:-1])
    if not bracketed and not HOST.fullmatch(host):
        raise ValueError(f"needs host:port or [IPv6 address]:port, not {server!r}")
    if not is_port(port):
        raise ValueError(f"needs a port from 1 to 65535, not {server!r}")
    return server


def check_smtp_host(host: str) -> str:
    """The mail server's host: as `check_host` has it."""
    if "@" in host:
        raise ValueError("takes no user or password; those are SMTP_USERNAME and SMTP_PASSWORD")
    return check_host("SMTP", host)


def check_web_host(host: str) -> str:
    """The address to listen on: as `check_host` has it."""
    return check_host("WEB", host)


def check_host(section: str, host: str) -> str:
    """A host name, an IPv4 or an IPv6 address, and nothing else."""
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit() and HOST.fullmatch(name):
        raise ValueError(f"takes no port; set {section}_HOST={name} and {section}_PORT={port}")
    if not HOST.fullmatch(host) and not is_ipv6(host):
        raise ValueError(f"should be a host name or an address, not {host!r}")
    return host


def check_listening(place: str) -> str:
    """Where to listen: a port, or host:port with an IPv6 address in brackets; returns host:port."""
    whole = place if ":" in place else f"127.0.0.1:{place}"
    host, _, port = whole.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    is_host = bool(HOST.fullmatch(host)) or (bare != host and is_ipv6(bare))
    if not is_host or not is_port(port):
        raise ValueError(f"should be a port, or host:port such as 0.0.0.0:9090, not {place!r}")
    return whole


def check_smtp_port(port: object) -> object:
    """Refuse the URL that Kubernetes sets for a service named smtp; the type checks the rest."""
    return _no_service_link("SMTP", port)


def check_web_port(port: object) -> object:
    """Refuse the URL that Kubernetes sets for a service named web; the type checks the rest."""
    return _no_service_link("WEB", port)


def _no_service_link(section: str, port: object) -> object:
    if isinstance(port, str) and port.startswith("tcp://"):
        raise ValueError(
            f"should be a port, not {port!r}: Kubernetes sets that for a service named {section.lower()};"
            f" give the pod enableServiceLinks: false, or {section}_PORT a value of its own"
        )
    return port


def check_namespace(namespace: str) -> str:
    """The first part of topic names: characters that Kafka allows, and short enough for the rest to fit."""
    if not _NAMESPACE.fullmatch(namespace):
        raise ValueError(f"may contain letters a-z and A-Z, digits, '.', '_' and '-', not {namespace!r}")
    length = len(namespace)
    if length > NAMESPACE_MAX_CHARACTERS:
        raise ValueError(
            f"may have {NAMESPACE_MAX_CHARACTERS} characters, not {length}: topic names begin with it"
        )
    return namespace


def parse_duration(value: object) -> object:
    """`"12h"` as a length of time; anything but text is returned as it is."""
    if not isinstance(value, str):
        return value
    length = length_of(value)
    if length is None:
        raise ValueError(f"should be a number and s, m, h or d, such as 90s, 12h or 30d, not {value!r}")
    return length


def check_sender(sender: str) -> str:
    """One e-mail address, with or without a display name; an international domain becomes Punycode."""
    found = getaddresses([sender])
    address = found[0][1] if len(found) == 1 else ""
    if not sender.isprintable() or "@" not in address or address not in sender:
        raise ValueError(f"should be one address, such as Todo <todo@example.com>, not {sender!r}")
    return sender.replace(address, _ascii_address(address, "Todo <todo@example.com>"))


def check_mail_address(address: str) -> str:
    """One bare e-mail address that can stand in a `mailto:` link; its domain becomes Punycode."""
    checked = _ascii_address(address, "unsubscribe@example.com")
    if not re.fullmatch(r"[A-Za-z0-9.!#$*/=^_`{|}~+-]+@[A-Za-z0-9.-]+", checked):
        raise ValueError(f"should be one address, such as unsubscribe@example.com, not {address!r}")
    return checked


def check_secret(secret: SecretStr) -> SecretStr:
    """A key that is long enough for HS256."""
    length = len(secret.get_secret_value().encode())
    if length < SECRET_MIN_BYTES:
        raise ValueError(f"should have {SECRET_MIN_BYTES} bytes or more, not {length}")
    return secret


def check_page(folder: Path) -> Path:
    """A folder with a page in it."""
    if not (folder / "index.html").is_file():
        raise ValueError(f"should be a folder with a page; there is no {str(folder / 'index.html')!r}")
    return folder


def existing_file(path: Path) -> Path:
    """A file that exists."""
    if not path.is_file():
        raise ValueError(f"should be the path of a file; there is none at {str(path)!r}")
    return path


def _ascii_address(address: str, example: str) -> str:
    try:
        checked = addresses.normal(address)
    except ValueError as exc:
        raise ValueError(f"should be one address, such as {example}, not {address!r}: {exc}") from exc
    if not checked.isascii():
        raise ValueError(
            f"needs a part before the @ that is ASCII, as few mail servers take others, not {address!r}"
        )
    return checked


def is_port(text: str) -> bool:
    """Whether the text is a port from 1 to 65535."""
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 65535


def is_ipv6(text: str) -> bool:
    """Whether the text is an IPv6 address, without brackets."""
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
