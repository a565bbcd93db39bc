"""The log of actions: its chain, and its topic, which another process may make."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from unittest.mock import Mock

import pytest

from tests.helpers.records import Consumed
from workers.errors import KafkaUnreachable
from workers.kafka import Cluster, TopicPartition
from workers.operations import action_log
from workers.operations.action_log import ActionLog, Chain
from workers.records.envelope import Record
from workers.topics import Topics


class Reader:
    """Reads a log as a `TopicReader` does; its polls bring nothing."""

    def __init__(self, log: list[Consumed]) -> None:
        self._log = log
        self._at = 0

    def open(self) -> None: ...
    def close(self) -> None: ...
    def sizes(self) -> Mapping[TopicPartition, tuple[int, int]]:
        return {TopicPartition("t", 0): (0, 2)}

    def read(self, _timeout_ms: int) -> list[Consumed]:
        return []

    def read_to_end(self) -> Iterator[Consumed]:
        while self._at < len(self._log):
            self._at += 1
            yield self._log[self._at - 1]


HEAD = "00" * 32


@pytest.mark.parametrize(
    ("at", "seen"),
    [("Infinity", "0"), ("1", "1e999"), ("NaN", "0"), ("1", "-1"), ("9" * 400, "0"), ("[]", "0")],
)
def test_a_number_that_is_none_makes_a_record_no_action(at: str, seen: str) -> None:
    """Every reader of the log stopped at it, for ever: a replay, `actions verify` and the dashboard."""
    chain = Chain()
    text = f'{{"at": {at}, "who": "ana", "did": "pause", "about": {{}}, "seen": {seen}, "head": "{HEAD}"}}'
    chain.take(text.encode())
    chain.take(chain.value("bo", "pause", {}, 1))
    assert chain.count == 2
    assert chain.flaw == "record 1 is no action"
    assert [action.who for action in chain.last] == ["bo"]


@pytest.mark.parametrize("harm", ["change", "remove", "exchange", "add", "junk"])
def test_the_log_shows_that_somebody_changed_it(harm: str) -> None:
    chain, values = Chain(), []
    for number in range(4):
        values.append(chain.value("ana", "pause", {"queue": f"q{number}"}, number))
        chain.take(values[-1])
    assert chain.flaw is None
    if harm == "change":
        values[1] = values[1].replace(b"q1", b"q9")
    elif harm == "remove":
        del values[1]
    elif harm == "exchange":
        values[1], values[2] = values[2], values[1]
    else:
        values.insert(1, values[0] if harm == "add" else b"\xff")
    found = Chain()
    for value in values:
        found.take(value)
    assert found.flaw is not None


def test_two_processes_write_the_log_at_once_and_it_fits() -> None:
    one, other = Chain(), Chain()
    values = [one.value("ana", "pause", {}, 1), other.value("bo", "resume", {}, 1)]
    for value in values:
        one.take(value)
    one.take(one.value("ana", "pause", {}, 2))
    assert one.flaw is None
    assert [action.who for action in one.last] == ["ana", "bo", "ana"]


def test_a_topic_that_another_process_makes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[Consumed] = []
    opened: list[bool] = []

    class Seeking(Reader):
        def open(self) -> None:
            self.has_topic = bool(log)
            opened.append(self.has_topic)

        def sizes(self) -> Mapping[TopicPartition, tuple[int, int]]:
            return {TopicPartition("t", 0): (0, len(log))} if self.has_topic else {}

    now = 100.0
    monkeypatch.setattr(action_log, "TopicReader", lambda *_: Seeking(log))
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with ActionLog(Mock(), Mock(), Mock()) as actions:
        log.append(Consumed("t", value=Chain().value("ana", "pause", {}, 1)))
        actions.follow(0)
        assert opened == [False]  # not at each step
        now += 10
        actions.follow(0)
        assert [action.who for action in actions.chain.last] == ["ana"]
        now += 10
        actions.follow(0)
    assert opened == [False, True]


def test_while_a_log_is_opened_anew_the_chain_that_is_known_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [Consumed("t", value=Chain().value(who, "pause", {}, 1)) for who in ("ana", "bo")]
    seen: list[int] = []

    class Noting(Reader):
        def read_to_end(self) -> Iterator[Consumed]:
            for record in super().read_to_end():
                seen.append(log.chain.count)
                yield record

    monkeypatch.setattr(action_log, "TopicReader", lambda *_: Noting(records))
    log = ActionLog(Mock(), Mock(), Mock())
    with log:
        seen.clear()
    with log:
        assert seen == [2, 2]
        assert log.chain.count == 2


def test_all_that_is_written_by_now_is_taken_in_though_the_first_poll_brings_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records: list[Consumed] = []

    monkeypatch.setattr(action_log, "TopicReader", lambda *_: Reader(records))
    with ActionLog(Mock(), Mock(), Mock()) as log:
        records.append(Consumed("t", value=Chain().value("ana", "pause", {}, 1)))
        log.catch_up()
        assert log.chain.count == 1


def test_a_writer_knows_its_record_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[Consumed] = []
    value = Chain().value("ana", "pause", {}, 1)

    def deliver(_topic: str, record: Record) -> None:
        records.extend(Consumed("t", value=value) for _ in range(2))
        records.append(Consumed("t", value=record.value, headers=record.headers))
        records.append(Consumed("t", value=value))

    monkeypatch.setattr(action_log, "TopicReader", lambda *_: Reader(records))
    producer = Mock()
    producer.deliver = deliver
    with ActionLog(Mock(), Mock(), producer) as log:
        assert log.write("ana", "pause", {}) == 3
        assert log.chain.count == 4


def test_the_first_action_waits_until_each_broker_shows_the_new_topic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its number was 0, so the replay that had written it took it for another's and stopped."""
    records: list[Consumed] = []
    looks = iter([False, False, True])

    class Late(Reader):
        def open(self) -> None:
            self.has_topic = next(looks)

        def sizes(self) -> Mapping[TopicPartition, tuple[int, int]]:
            return super().sizes() if self.has_topic else {}

    def deliver(_topic: str, record: Record) -> None:
        records.append(Consumed("t", value=record.value, headers=record.headers))

    monkeypatch.setattr(action_log, "TopicReader", lambda *_: Late(records))
    monkeypatch.setattr(action_log, "create_missing_topics", lambda *_: ["t"])
    producer = Mock()
    producer.deliver = deliver
    with ActionLog(Cluster(), Topics("todo"), producer) as log:
        assert log.write("ana", "replay", {}) == 1


def test_a_new_topic_that_no_broker_shows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Never(Reader):
        def sizes(self) -> Mapping[TopicPartition, tuple[int, int]]:
            return {}

    monkeypatch.setattr(action_log, "TopicReader", lambda *_: Never([]))
    monkeypatch.setattr(action_log, "create_missing_topics", lambda *_: ["t"])
    producer = Mock()
    with (
        ActionLog(Cluster(send_timeout_s=0.01), Topics("todo"), producer) as log,
        pytest.raises(KafkaUnreachable, match=r"made topic todo\.actions and does not show it"),
    ):
        log.write("ana", "replay", {})
    producer.deliver.assert_not_called()
