"""What the page of one dead letter hides, and what its forms send."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import dramatiq
import pytest

from tests.unit.web.dashboard.conftest import Client
from tests.unit.web.dashboard.fakes import FakeKafka
from web.dashboard import text

MASKED = ("address", "password")
FOLLOWING = (
    b'{"pipe_target":{"queue_name":"mail","actor_name":"send_mail","args":["geheim"],"kwargs":{},'
    b'"options":{},"message_id":"n","message_timestamp":1}}'
)


class Secret:
    """An argument of a type of the application's own."""

    def __repr__(self) -> str:
        return "Secret('geheim')"


@pytest.fixture
def pickled() -> Iterator[None]:
    """Jobs are written by pickle."""
    before = dramatiq.get_encoder()
    dramatiq.set_encoder(dramatiq.PickleEncoder())
    yield
    dramatiq.set_encoder(before)


def job(kafka: FakeKafka, old: bytes, new: bytes) -> bytes:
    return kafka.job("one").replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"a@b.c"', b'"geheim"'),
        (b'["a@b.c",{"id":7}],"kwargs":{}', b'[],"kwargs":{"Address":"geheim","todo":{}}'),
        (b'"options":{}', b'"options":' + FOLLOWING),
        (b'{"queue_name"', b'geheim{"queue_name"'),
    ],
    ids=["positional", "named", "following job", "unreadable"],
)
def test_what_is_masked_is_nowhere_on_the_page(
    client: Client, kafka: FakeKafka, old: bytes, new: bytes
) -> None:
    kafka.add("one", value=job(kafka, old, new))
    for role in ("viewer", "operator"):
        page = client(role, masked=MASKED).get("/dead-letters/letter?id=one")
        assert page.status_code == 200
        assert "geheim" not in page.text
    assert "geheim" in client("admin", masked=MASKED).get("/dead-letters/letter?id=one").text
    assert "geheim" in client("viewer", masked=()).get("/dead-letters/letter?id=one").text


@pytest.mark.usefixtures("pickled")
def test_the_repr_of_an_argument_is_hidden_as_it_may_show_a_masked_field(
    client: Client, kafka: FakeKafka
) -> None:
    message = {
        "queue_name": "mail",
        "actor_name": "send_mail",
        "args": ("a@b.c", Secret()),
        "kwargs": {},
        "options": {},
        "message_id": "one",
        "message_timestamp": 1,
    }
    kafka.add("one", value=pickle.dumps(message))
    page = client("viewer").get("/dead-letters/letter?id=one").text
    assert "a@b.c" in page
    assert text.MASK in page
    assert "geheim" not in page
    assert "geheim" in client("admin").get("/dead-letters/letter?id=one").text
