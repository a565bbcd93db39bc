"""Checks the settings that are URLs. Pure, but for looking whether a file exists.

Each check returns the value or raises `ValueError` with the end of a sentence that begins with the variable.
"""

import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from settings.formats import HOST, is_ipv6, is_port

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
#: The ports that browsers leave out of an origin.
_PORTS = {"http": 80, "https": 443}


def check_token_url(url: str) -> str:
    """The URL of an OAuth server's tokens: https, or http on this machine."""
    parts = urlsplit(url)
    if not _is_safe(parts):
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
    parts = _parsed_url(place)
    if parts is not None and "://" in place:
        if not _is_safe(parts):
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
    if port and not is_port(port):
        raise ValueError("needs a port from 1 to 65535, such as postgresql://user:password@host:5432/name")


def _is_safe(parts: SplitResult) -> bool:
    """Whether nobody can read or change on the way what comes from a URL."""
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _not(url: str) -> str:
    """The wrong URL for the end of a message, unless it may have a password."""
    return "" if "@" in url else f", not {url!r}"


def _parsed_url(url: str) -> SplitResult | None:
    """The URL's parts, if its host and its port can be ones."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # raises ValueError if it is none
    except ValueError:
        return None
    return parts if HOST.fullmatch(host) or is_ipv6(host) else None
