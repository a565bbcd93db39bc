"""Which failures are tried again."""

from __future__ import annotations

import pytest
from dramatiq.middleware import Retries as DramatiqRetries
from pydantic import TypeAdapter, ValidationError

from tasks import retry_policy as failures
from tasks.events.models import InvalidEvent
from tasks.notifications.notice import InvalidNotice, RenderError
from tasks.retry_policy import is_permanent
from tasks.smtp.mail import MailNotSent, MailRefused
from tasks.storage.engine import DatabaseError
from workers import Retries
from workers.errors import KafkaUnreachable


def validation_error() -> ValidationError:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(int).validate_python("many")
    return raised.value


@pytest.mark.parametrize(
    "error",
    [
        InvalidEvent(),
        InvalidNotice(),
        validation_error(),
        RenderError("no such template"),
        MailRefused("550 5.1.1 No such mailbox", 550),
        MailRefused("554 Transaction failed", 554),
    ],
)
def test_what_would_happen_again_is_not_tried_again(error: Exception) -> None:
    assert is_permanent(error)


@pytest.mark.parametrize(
    "error",
    [
        MailNotSent("451 Try again later", 451),
        MailNotSent("421 Too many connections", 421),
        MailNotSent("535 Authentication failed", 535),
        MailNotSent("connection refused"),
        DatabaseError(),
        KafkaUnreachable(),
        ConnectionResetError(),
        TimeoutError(),
        RuntimeError("a bug may be mended and deployed meanwhile"),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert not is_permanent(error)


def test_the_broker_of_the_chatbot_asks_here() -> None:
    from tasks.app import broker  # noqa: PLC0415 - it reads the settings

    (asks,) = [one for one in broker.middleware if isinstance(one, DramatiqRetries)]
    assert isinstance(asks, Retries)
    assert asks._is_permanent is failures.is_permanent
    assert (asks.max_retries, asks.min_backoff) == (failures.MAX_RETRIES, failures.MIN_BACKOFF_MS)
