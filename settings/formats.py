"""Checks the settings' values. Pure, but for looking whether a file exists.

Each check returns the value or raises `ValueError` with the end of a sentence that begins with the variable.
"""

import re
from email.utils import getaddresses
from ipaddress import IPv6Address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from settings import addresses
from settings.lengths import length_of

#: Kafka allows 249 bytes in a topic's name; this leaves over 140 for `.jobs.` and the queue's own name.
NAMESPACE_MAX_CHARACTERS = 100

#: The shortest key of an HMAC with SHA-256, by RFC 7518.
SECRET_MIN_BYTES = 32

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

#: Names that DNS takes, and with underscores those that container networks give.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")
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


def check_token_url(url: str) -> str:
    """The URL of an OAuth server's tokens: https, or http on this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError(f"should be an https URL like https://login.example.com/oauth/token, not {url!r}")
    return url


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
    if _is_ipv6(server):
        raise ValueError(f"needs an IPv6 address in brackets and a port, such as [::1]:9092, not {server!r}")
    host, colon, port = server.rpartition(":")
    if not colon or server.endswith("]"):
        raise ValueError(f"needs a port after each host: {server}:9092, not {server!r}")
    bracketed = host.startswith("[") and host.endswith("]") and _is_ipv6(host[1:-1])
    if not bracketed and not _HOST.fullmatch(host):
        raise ValueError(f"needs host:port or [IPv6 address]:port, not {server!r}")
    if not _is_port(port):
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
    if colon and port.isdigit() and _HOST.fullmatch(name):
        raise ValueError(f"takes no port; set {section}_HOST={name} and {section}_PORT={port}")
    if not _HOST.fullmatch(host) and not _is_ipv6(host):
        raise ValueError(f"should be a host name or an address, not {host!r}")
    return host


def check_listening(place: str) -> str:
    """Where to listen: a port, or host:port with an IPv6 address in brackets; returns host:port."""
    whole = place if ":" in place else f"127.0.0.1:{place}"
    host, _, port = whole.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    is_host = bool(_HOST.fullmatch(host)) or (bare != host and _is_ipv6(bare))
    if not is_host or not _is_port(port):
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


def check_unsubscribe_url(url: str) -> str:
    """A URL that mail programs may post to: https, a host, and characters that a header can contain."""
    parts = _parsed_url(url)
    if not re.fullmatch(r"https://[!-;=?-~]+", url) or parts is None:
        raise ValueError(f"should be a URL such as https://todo.example.com/unsubscribe/{{id}}, not {url!r}")
    if "{id}" not in f"{parts.path}?{parts.query}":
        raise ValueError(f"needs {{id}}, by which the page knows the recipient, not {url!r}")
    return url


def check_origin(origin: str) -> str:
    """The origin of a page as browsers send it: a scheme, a host, maybe a port, and nothing else."""
    parts = _parsed_url(origin)
    if parts is None or parts.scheme not in {"http", "https"} or origin != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f"should be an origin such as https://todo.example.com, not {origin!r}")
    return origin.lower()


def check_jwks(place: str) -> str:
    """Where public keys are: a file, or a URL whose answer nobody can change on the way."""
    parts = _parsed_url(place)
    if parts is not None and "://" in place:
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        if not is_safe:
            raise ValueError(f"should be a file or an https URL, not {place!r}")
    elif not Path(place).is_file():
        raise ValueError(f"should be a file or an https URL; there is no file {place!r}")
    return place


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


def normal_database_url(url: SecretStr) -> SecretStr:
    """The URL with the driver we ship for PostgreSQL: platforms hand out `postgres://` and `postgresql://`.

    No message shows more of it than the scheme: the rest may contain a password.
    """
    scheme, separator, rest = url.get_secret_value().partition("://")
    if not separator or not re.fullmatch(r"[a-z][a-z0-9]*(\+[a-z0-9_]+)?", scheme):
        raise ValueError(f"should be a database URL, {_DATABASE_URLS}")
    backend = scheme.partition("+")[0]
    if backend == "sqlite":
        _check_sqlite(rest)
        return url
    if backend not in {"postgres", "postgresql"}:
        raise ValueError(f"should name SQLite or PostgreSQL, {_DATABASE_URLS}; it names {backend}")
    _check_postgresql(rest)
    return SecretStr(f"postgresql+psycopg://{rest}")


_DATABASE_URLS = "such as sqlite:///todo.db or postgresql://user:password@host:5432/name"


def _check_sqlite(rest: str) -> None:
    if not rest.startswith("/"):
        raise ValueError(
            "should name a file, such as sqlite:///todo.db or, from the root, sqlite:////srv/todo.db"
        )
    if rest.partition("?")[0] in {"/", "/:memory:"}:
        raise ValueError("should name a file, such as sqlite:///todo.db: a database in memory keeps nothing")


def _check_postgresql(rest: str) -> None:
    # As SQLAlchemy reads it: the password, which may contain any of these characters, ends at the last @.
    server = re.split("[/?]", rest.rpartition("@")[2], maxsplit=1)[0]
    host, colon, port = server.rpartition(":")
    if server.endswith("]") or not colon:
        host, port = server, ""
    if host.startswith("[") != host.endswith("]") or (not host.startswith("[") and ":" in host):
        raise ValueError(
            "needs an IPv6 address in brackets, such as postgresql://user:password@[::1]:5432/name"
        )
    if port and not _is_port(port):
        raise ValueError("needs a port from 1 to 65535, such as postgresql://user:password@host:5432/name")


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


def _parsed_url(url: str) -> SplitResult | None:
    """The URL's parts, if its host and its port can be ones."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # raises ValueError if it is none
    except ValueError:
        return None
    return parts if _HOST.fullmatch(host) or _is_ipv6(host) else None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 65535


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
