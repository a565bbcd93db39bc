"""The mail server of the chatbot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.smtp_server import SmtpServer


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server
