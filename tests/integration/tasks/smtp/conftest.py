"""A mail server and a mailer for each test."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import AuthResult, LoginPassword

from tasks.smtp.mailer import Mailer
from tasks.smtp.server import Server
from tests.helpers.mails import MakeMailer
from tests.helpers.smtp_server import SmtpServer


def check_password(
    server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword
) -> AuthResult:
    return AuthResult(success=data == LoginPassword(b"todo", b"hunter2"), handled=False)


@pytest.fixture
def make_mailer() -> Iterator[MakeMailer]:
    made: list[Mailer] = []

    def make(
        port: int, *, connections: int = 4, idle_s: float = 30, limit_s: float = 30, **login: Any
    ) -> Mailer:
        server = Server("127.0.0.1", port, **login)
        made.append(Mailer(server, connections=connections, idle_s=idle_s, limit_s=limit_s))
        return made[-1]

    yield make
    for mailer in made:
        mailer.close()


@pytest.fixture(params=[False, True], ids=["one-by-one", "pipelining"])
def server(request: pytest.FixtureRequest) -> Iterator[SmtpServer]:
    with SmtpServer(pipelining=request.param) as server:
        yield server


@pytest.fixture
def mailer(make_mailer: MakeMailer, server: SmtpServer) -> Mailer:
    return make_mailer(server.port)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def login_server(server_tls: ssl.SSLContext) -> Iterator[SmtpServer]:
    """A server that wants STARTTLS and a login, and offers PIPELINING."""
    options = {"tls_context": server_tls, "require_starttls": True}
    with SmtpServer(pipelining=True, **options, authenticator=check_password, auth_required=True) as server:
        yield server
