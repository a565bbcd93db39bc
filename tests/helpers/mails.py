"""Mails of the chatbot, for tests of what sends them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

from tasks.notifications.mail_message import Sender, compose
from tasks.notifications.notice import notice_of
from tasks.notifications.rendering import render
from tasks.smtp.mail import Mail
from tasks.smtp.mailer import Mailer
from tests.helpers.samples import NOON, a_todo, an_event
from tests.helpers.smtp_server import SmtpServer

SENDER = Sender("Todo <todo@example.com>")

#: Makes a mailer; the test closes it.
MakeMailer = Callable[..., Mailer]


def send(mailer: Mailer, **todo: Any) -> None:
    event = an_event(todo=a_todo(**todo))
    owner = event.todo.owner
    content = render(notice_of(event, id=event.event_id))
    message = compose(content, sender=SENDER, recipient=owner, notice_id=event.event_id, date=NOON)
    mailer.send(Mail(SENDER.address, owner.email, message))


def hold_mails(server: SmtpServer) -> tuple[threading.Event, threading.Event]:
    """Have the server take no mail before the second event is set; the first tells that it has one."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: EmailMessage) -> None:
        begun.set()
        go_on.wait(30)

    server.on_content = hold
    return begun, go_on


def a_mail(recipient: str = "ana@example.com", content: bytes = b"Subject: x\r\n\r\nHello\r\n") -> Mail:
    return Mail(SENDER.address, recipient, content)
