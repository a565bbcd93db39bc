"""The texts of errors: whatever a server, a library or the environment said, they are plain text."""

from __future__ import annotations

import kafka.errors
import pytest

from workers.errors import BatchNotDelivered, KafkaUnreachable, WorkersError, WrongUsage, plain_text
from workers.kafka import Cluster
from workers.kafka.error_translation import translated

SAID = "Empfänger".encode("latin-1").decode(errors="surrogateescape")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Käse → 酒 😀", "Käse → 酒 😀"),
        (SAID, r"Empf\xe4nger"),
        ("half \ud83d of a pair", r"half \ud83d of a pair"),
        (f"{SAID} \ud83d", r"Empf\udce4nger \ud83d"),
        ("", ""),
    ],
)
def test_every_text_can_be_written_as_utf_8(text: str, plain: str) -> None:
    assert plain_text(text) == plain
    assert plain_text(plain) == plain


@pytest.mark.parametrize("kind", [WorkersError, WrongUsage, KafkaUnreachable])
def test_an_error_has_plain_text_whatever_it_is_given(kind: type[WorkersError]) -> None:
    assert str(kind(SAID)) == r"Empf\xe4nger"


def test_what_kafka_says_is_plain_text() -> None:
    for error in (kafka.errors.KafkaError(SAID), kafka.errors.AuthorizationError(SAID), OSError(SAID)):
        told = str(translated(error, Cluster(), SAID))
        assert r"Empf\xe4nger" in told
        assert told.encode()


def test_an_error_without_a_text_has_its_docstring() -> None:
    assert str(WorkersError()).startswith("The worker pool could not do what was asked")
    assert BatchNotDelivered.__doc__
