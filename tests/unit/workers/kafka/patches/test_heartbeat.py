"""Heartbeats of many memberships: the same bytes as kafka-python's, by one write, with few calls each."""

from __future__ import annotations

import struct
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.coordinator.base import Generation
from kafka.net.connection import KafkaConnection
from kafka.protocol.broker_version_data import BrokerVersionData
from kafka.protocol.consumer import HeartbeatRequest
from kafka.protocol.parser import KafkaProtocol

from workers.kafka.patches.heartbeat import Beat, send_together


class Net:
    """A loop that keeps what it is to do later."""

    def __init__(self) -> None:
        self.later: list[Any] = []

    def call_later(self, _delay: float, call: Any) -> None:
        self.later.append(call)

    call_at = call_later

    def cancel(self, _task: Any) -> None:
        """Nothing runs, so nothing has to be kept from it."""


class Coordinator:
    """A member of a group."""

    def __init__(self, group: str) -> None:
        self.group_id, self.group_instance_id, self.coordinator_id = group, None, "coordinator-1"
        self._generation = Generation(7, f"member of {group}", "sticky")
        self._cluster = SimpleNamespace(broker_metadata=lambda node: f"address of {node}")
        self.seen: list[Any] = []

    def note_heartbeat(self) -> None:
        self.seen.append("well")

    def take_heartbeat_error(self, _generation: Any, answer: Any) -> None:
        self.seen.append(answer.error_code)

    def use_own_heartbeat(self) -> None:
        self.seen.append("own")


class Transport:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.aborted: list[Any] = []
        self.write = self.written.append
        self.abort = self.aborted.append
        self.reads = True

    def is_reading(self) -> bool:
        return self.reads

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


@pytest.fixture
def connection() -> Any:
    made = KafkaConnection(Net(), node_id=1, broker_version_data=BrokerVersionData((3, 9)))
    made.initializing, made.connected = False, True
    made.transport, made.parser = Transport(), KafkaProtocol(client_id="todo-workers")
    return made


def beats(count: int) -> tuple[list[Coordinator], list[Beat]]:
    members = [Coordinator(f"group {number}") for number in range(count)]
    return members, [Beat(member, member._generation) for member in members]


def answers(*errors: int) -> bytes:
    return b"".join(struct.pack(">iiih", 10, number, 0, error) for number, error in enumerate(errors, 1))


def test_they_are_written_together_and_as_kafka_python_writes_them(connection: Any) -> None:
    members, sent = beats(2)
    send_together(connection, sent)
    theirs = KafkaProtocol(client_id="todo-workers")
    for member in members:
        request = HeartbeatRequest(
            group_id=member.group_id,
            generation_id=7,
            member_id=member._generation.member_id,
            group_instance_id=None,
        )
        request.API_VERSION = 3
        theirs.send_request(request)
    assert connection.transport.written == [theirs.send_bytes()]
    assert all(beat.is_under_way for beat in sent)


def test_each_answer_goes_to_its_member(connection: Any) -> None:
    members, sent = beats(3)
    send_together(connection, sent)
    connection.data_received(answers(0, 27, 0))
    assert [member.seen for member in members] == [["well"], [27], ["well"]]
    assert not connection.in_flight_requests
    assert not any(beat.is_under_way for beat in sent)


def test_answers_that_come_one_by_one_are_read_together(connection: Any) -> None:
    members, sent = beats(3)
    send_together(connection, sent)
    connection.data_received(answers(0))
    assert not connection.transport.is_reading()
    _, read_again = connection.net.later
    read_again()
    assert connection.transport.is_reading()
    connection.data_received(answers(0, 0, 0)[len(answers(0)) :])
    assert [member.seen for member in members] == [["well"]] * 3


def test_the_last_answer_keeps_none_that_comes_later_waiting(connection: Any) -> None:
    _, sent = beats(1)
    send_together(connection, sent)
    connection.data_received(answers(0))
    assert connection.transport.is_reading()


def test_an_answer_about_an_earlier_membership_says_nothing(connection: Any) -> None:
    (member,), sent = beats(1)
    send_together(connection, sent)
    member._generation = Generation(8, "member", "sticky")
    connection.data_received(answers(22))
    assert member.seen == []


def test_without_answers_in_time_each_member_sends_its_own(connection: Any) -> None:
    members, sent = beats(2)
    send_together(connection, sent)
    connection.data_received(answers(0))
    close_if_late = connection.net.later[0]
    close_if_late()
    connection.connection_lost(connection.transport.aborted[0])
    assert [member.seen for member in members] == [["well"], ["own"]]


def test_a_lost_connection_says_nothing_about_a_later_membership(connection: Any) -> None:
    (member,), sent = beats(1)
    send_together(connection, sent)
    member._generation = Generation(8, "member", "sticky")
    connection.close()
    connection.connection_lost(None)
    connection.fail_in_flight_requests(None)
    assert member.seen == []
    assert not sent[0].is_under_way


def test_a_member_whose_loop_has_ended_does_not_hold_up_those_behind_it(
    connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    members, sent = beats(3)

    def ended(*_: Any) -> None:
        raise RuntimeError("NetworkSelector closed!")

    monkeypatch.setattr(members[0], "take_heartbeat_error", ended)
    monkeypatch.setattr(members[1], "use_own_heartbeat", ended)
    send_together(connection, sent)
    connection.data_received(answers(27))
    connection.close()
    connection.connection_lost(None)
    assert members[2].seen == ["own"]
    assert not any(beat.is_under_way for beat in sent)


def test_none_is_sent_while_the_connection_logs_in_anew(connection: Any) -> None:
    _, sent = beats(2)
    connection._reauth._reauthenticating = True
    send_together(connection, sent)
    assert connection.transport.written == []
    assert not any(beat.is_under_way for beat in sent)


def test_with_all_answers_the_connection_stays(connection: Any) -> None:
    _, sent = beats(2)
    send_together(connection, sent)
    connection.data_received(answers(0, 0))
    send_together(connection, sent)
    connection.net.later[0]()
    assert connection.transport.aborted == []


def calls_of(action: Any) -> int:
    count = 0

    def note(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


def ours(connection: Any, _members: list[Coordinator], sent: list[Beat]) -> None:
    send_together(connection, sent)


def theirs(connection: Any, members: list[Coordinator], _sent: list[Beat]) -> None:
    for member in members:
        request = HeartbeatRequest(
            group_id=member.group_id, generation_id=7, member_id="m", group_instance_id=None, max_version=3
        )
        connection.send_request(request)


upstream = pytest.mark.xfail(reason="kafka-python calls some hundred functions for a heartbeat")


@pytest.mark.parametrize("send", [ours, pytest.param(theirs, marks=upstream)])
def test_a_heartbeat_costs_few_calls(connection: Any, send: Any) -> None:
    connection.config["max_in_flight_requests_per_connection"] = 1_000
    members, sent = beats(50)
    send_together(connection, sent)
    connection.data_received(answers(*[0] * 50))
    count = calls_of(lambda: send(connection, members, sent))
    received = b"".join(struct.pack(">iiih", 10, number, 0, 0) for number in range(51, 101))
    count += calls_of(lambda: connection.data_received(received))
    assert count / 50 < 40
