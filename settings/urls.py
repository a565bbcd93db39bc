"""Checks the settings that are URLs. Pure, but for looking whether a file exists.

Each check returns the value or raises `ValueError` with the end of a sentence that begins with the variable.
"""

import re
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import SecretStr

from settings.formats import HOST, is_ipv6, is_port

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
#: The ports that browsers leave out of an origin.
_PORTS = {"http": 80, "https": 443}


def check_token_url(url: str) -> str:
    """The URL of an OAuth server's tokens: https, or http on this machine."""
    parts = _parsed_url(url)
    if parts is None or not _is_safe(parts):
        raise ValueError(f"should be an https URL like https://login.example.com/oauth/token{_not(url)}")
    return url


def check_unsubscribe_url(url: str) -> str:
    """A URL that mail programs may post to: https, a host, and characters that a header can contain."""
    parts = _parsed_url(url)
    if not re.fullmatch(r"https://[!-;=?-~]+", url) or parts is None:
        raise ValueError(f"should be a URL such as https://todo.example.com/unsubscribe/{{id}}{_not(url)}")
    if "{id}" not in f"{parts.path}?{parts.query}":
        raise ValueError(f"needs {{id}}, by which the page knows the recipient{_not(url)}")
    return url


def check_origin(origin: str) -> str:
    """The origin of a page as browsers send it: a scheme, a host, maybe a port, and nothing else."""
    parts = _parsed_url(origin)
    is_whole = parts is not None and origin == f"{parts.scheme}://{parts.netloc}" and "@" not in origin
    if parts is None or parts.scheme not in _PORTS or not is_whole:
        raise ValueError(f"should be an origin such as https://todo.example.com{_not(origin)}")
    if parts.port == _PORTS[parts.scheme]:
        raise ValueError(f"should be {origin.rpartition(':')[0]}: browsers leave out the port {parts.port}")
    return origin.lower()


def check_jwks(place: str) -> str:
    """Where public keys are: a file, or a URL whose answer nobody can change on the way."""
    if "://" in place:
        parts = _parsed_url(place)
        if parts is None or not _is_safe(parts):
            raise ValueError(f"should be a file or an https URL{_not(place)}")
    elif not Path(place).is_file():
        raise ValueError(f"should be a file or an https URL; there is no file {place!r}")
    return place


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


#: A PostgreSQL URL behind its scheme, read as SQLAlchemy reads it: a password may contain anything but an @.
_POSTGRESQL = re.compile(
    r"(?:[^:/]*(?::[^@]*)?@)?(?P<host>\[[^/?]+\]|[^/:?]*)(?::(?P<port>[^/?]*))?(?:/[^?]*)?(?:\?(?P<query>.*))?",
    re.DOTALL,
)


def _check_postgresql(rest: str) -> None:
    found = _POSTGRESQL.fullmatch(rest)
    assert found is not None  # as each part may be missing, and the last one takes all that is left
    port = found["port"] or ""
    query = parse_qs(found["query"] or "")
    in_query = query.get("host", ())
    places = [_place(host) for text in in_query for host in text.split(",")]
    # In a list with commas, SQLAlchemy does not tell ports from hosts.
    if "," in port or (any("," in text for text in in_query) and any(port for _, port in places)):
        raise ValueError(
            "takes ports of several hosts in its query, such as postgresql:///name?host=one:5432&host=two:5432"
        )
    if ":" in port:
        raise ValueError(
            "needs an IPv6 address in brackets, such as postgresql://user:password@[::1]:5432/name"
        )
    hosts = [*found["host"].split(","), *(host for host, _ in places)]
    ports = [port, *(port for _, port in places), *",".join(query.get("port", ())).split(",")]
    if not all(map(_can_be_host, hosts)):
        raise ValueError(
            "needs a host name or an address, such as postgresql://user:password@host:5432/name, with %40 "
            "for an @ in the password; or a folder with a socket: postgresql:///name?host=/run/postgresql"
        )
    if not all(is_port(port) for port in ports if port):
        raise ValueError("needs a port from 1 to 65535, such as postgresql://user:password@host:5432/name")


def _place(text: str) -> tuple[str, str]:
    """Host and port in a query; no port of a folder or of an IPv6 address, which has no brackets there."""
    if text.startswith("/") or is_ipv6(text):
        return text, ""
    host, _, port = text.partition(":")
    return host, port


def _can_be_host(host: str) -> bool:
    """Whether PostgreSQL may be there; without a host it is on this machine."""
    if host.startswith("["):
        return host.endswith("]") and is_ipv6(host[1:-1])
    is_name = HOST.fullmatch(host.removesuffix(".")) is not None
    return not host or host.startswith("/") or is_name or is_ipv6(host)


def _is_safe(parts: SplitResult) -> bool:
    """Whether nobody can read or change on the way what comes from a URL."""
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _not(url: str) -> str:
    """The wrong URL for the end of a message, unless it may have a password."""
    return "" if "@" in url else f", not {url!r}"


def _parsed_url(url: str) -> SplitResult | None:
    """The URL's parts, if its characters are those of URLs, and its host and its port can be ones."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        has_port = parts.port != 0  # raises ValueError if it is no port
    except ValueError:
        return None
    # Python leaves line feeds and tabs out in silence.
    is_plain = re.fullmatch("[!-~]+", url) is not None
    return parts if is_plain and has_port and (HOST.fullmatch(host) or is_ipv6(host)) else None
