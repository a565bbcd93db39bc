"""Dead letters of an application whose encoder writes what JSON cannot: shown, edited and replayed."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import dramatiq
import pytest
from dramatiq.encoder import Encoder, JSONEncoder, PickleEncoder
from typer.testing import CliRunner

from tests.helpers.kafka_reading import letters_of, read_topic
from workers import KafkaBroker, application
from workers.cli.dead_letters import commands
from workers.dead_letters.keys import id_of
from workers.dead_letters.letter import DeadLetter, Origin, Reason
from workers.dead_letters.topic.letter_record import encode

WHEN = datetime(2026, 6, 5, 12, 30, tzinfo=UTC)
RAW = b"\xff\x00raw"


class DatetimeEncoder(Encoder):
    """JSON with times and bytes in it."""

    def encode(self, data: dict[str, Any]) -> bytes:
        return json.dumps(data, default=_written).encode()

    def decode(self, data: bytes) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(data, object_hook=_read)
        return found


def _written(value: Any) -> dict[str, str]:
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    raise TypeError(type(value).__name__)


def _read(found: dict[str, Any]) -> Any:
    if "$time" in found:
        return datetime.fromisoformat(found["$time"])
    return bytes.fromhex(found["$bytes"]) if "$bytes" in found else found


class PickyEncoder(PickleEncoder):
    """Reads everything, and refuses to write one number."""

    def encode(self, data: dict[str, Any]) -> bytes:
        if data["args"] == (2,):
            raise RuntimeError("not this one")
        return pickle.dumps(data)


Write = Callable[[int, tuple[Any, ...]], None]


@pytest.fixture
def write(broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write the dead letter of a job that was retried, so that its replay has to write it anew."""

    @dramatiq.actor(broker=broker, queue_name="mail", actor_name="send")
    def send(*args: Any) -> None: ...

    broker.prepare()
    monkeypatch.setattr(application, "load_broker", lambda _app: broker)
    before = dramatiq.get_encoder()

    def write(number: int, args: tuple[Any, ...]) -> None:
        data = {
            "queue_name": "mail",
            "actor_name": "send",
            "args": args,
            "kwargs": {},
            "options": {"retries": 3},
            "message_id": f"m-{number}",
            "message_timestamp": 1_700_000_000_000,
        }
        encoder = dramatiq.get_encoder()
        value = pickle.dumps(data) if isinstance(encoder, PickleEncoder) else encoder.encode(data)
        origin = Origin(broker.topics.jobs("mail"), 0, number, 1_000)
        letter = DeadLetter(
            Reason.FAILED, origin, value, number, "g", message_id=f"m-{number}", actor="send", queue="mail"
        )
        topic = broker.topics.dead_letters
        broker.producer.deliver(topic, encode(letter), beside=id_of(letter.key))

    yield write
    dramatiq.set_encoder(before)


def run(*words: str) -> Any:
    return CliRunner().invoke(commands.app, list(words))


def replayed(broker: KafkaBroker) -> list[dramatiq.Message[Any]]:
    records = read_topic(broker.cluster, broker.topics.jobs("mail"))
    return sorted(
        (dramatiq.Message.decode(record.value) for record in records), key=lambda one: one.message_id
    )


@pytest.mark.parametrize("encoder", [PickleEncoder, DatetimeEncoder])
def test_values_that_json_cannot_write_are_shown_and_survive_a_replay(
    broker: KafkaBroker, write: Write, encoder: type[Encoder]
) -> None:
    dramatiq.set_encoder(encoder())
    write(1, ({"at": WHEN, "to": "old"}, RAW))
    shown = run("show", "m-1").stdout
    assert "datetime.datetime(2026, 6, 5, 12, 30" in shown
    assert json.loads(run("show", "m-1", "--json").stdout)["message"]["args"][1] == repr(RAW)
    assert json.loads(run("list", "--json").stdout)["message"]["actor_name"] == "send"

    result = run("replay", "m-1", "--yes", "--set", "args.0.to=new")
    assert (result.exit_code, result.stderr) == (0, "")
    (message,) = replayed(broker)
    assert list(message.args) == [{"at": WHEN, "to": "new"}, RAW]
    assert "retries" not in message.options
    assert letters_of(broker) == []


def test_one_that_cannot_be_written_stops_no_other_and_is_told(broker: KafkaBroker, write: Write) -> None:
    dramatiq.set_encoder(PickyEncoder())
    for number in (1, 2, 3, 4):
        write(number, (number,))
    result = run("replay", "--all", "--yes")
    assert result.exit_code == 1
    assert "3 of 4 dead letters replayed" in result.stdout
    assert "not replayed: m-2: RuntimeError: not this one" in result.stderr
    assert "Traceback" not in result.output
    assert [message.args for message in replayed(broker)] == [(1,), (3,), (4,)]
    assert [letter.id for letter in letters_of(broker)] == ["m-2"]


def test_bytes_of_another_encoder_are_shown_as_they_are(broker: KafkaBroker, write: Write) -> None:
    dramatiq.set_encoder(PickleEncoder())
    write(1, (1,))
    dramatiq.set_encoder(JSONEncoder())
    shown = run("show", "m-1")
    assert shown.exit_code == 0
    assert "send" in shown.stdout
    assert json.loads(run("show", "m-1", "--json").stdout)["message"] is None


@pytest.mark.parametrize("encoder", [PickleEncoder, DatetimeEncoder])
def test_the_arguments_are_searched_as_the_application_reads_them(
    broker: KafkaBroker, write: Write, encoder: type[Encoder]
) -> None:
    dramatiq.set_encoder(encoder())
    write(1, ({"name": "Zoë", "at": WHEN}, b"needle"))
    write(2, ({"name": "Max"}, b"hay"))
    # In the bytes these stand as escapes, in hexadecimal or as numbers.
    for text in ("zoë", "NEEDLE", "2026-06-05 12:30"):
        found = [json.loads(line)["id"] for line in run("list", "--json", "--text", text).stdout.splitlines()]
        assert found == ["m-1"], text
