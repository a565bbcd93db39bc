"""A message in hand behaves as dramatiq's own proxy does."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

import dramatiq
import pytest

from tests.helpers.records import Consumed
from workers.kafka import OffsetAndMetadata, TopicPartition
from workers.partitions.owned_partition import OwnedPartition
from workers.partitions.taken_message import TakenMessage

MESSAGE: dramatiq.Message[None] = dramatiq.Message("default", "work", ("secret",), {}, {"retries": 1})


def taken(message: dramatiq.Message[Any]) -> TakenMessage:
    owned = OwnedPartition(TopicPartition("t", 0), OffsetAndMetadata(0, "", -1))
    return TakenMessage(message, Consumed(), owned, SimpleQueue())


@pytest.mark.parametrize("proxy", [dramatiq.MessageProxy(MESSAGE), taken(MESSAGE)])
def test_a_message_that_middleware_replaces_is_the_one_that_runs(proxy: dramatiq.MessageProxy) -> None:
    proxy._message = MESSAGE.copy(args=(7,), kwargs={"a": 1}, options={"b": 2})
    assert (proxy.args, proxy.kwargs, proxy.options) == ((7,), {"a": 1}, {"b": 2, "retries": 1})
    assert proxy._message.args == (7,)
    proxy._message = MESSAGE


@pytest.mark.parametrize("proxy", [dramatiq.MessageProxy(MESSAGE), taken(MESSAGE)])
def test_what_middleware_assigns_for_the_actor_leaves_the_message_alone(proxy: dramatiq.MessageProxy) -> None:
    proxy.args = ("plain",)
    assert proxy.args == ("plain",)
    assert proxy._message.args == ("secret",)
    assert proxy.encode() == MESSAGE.encode()
    assert proxy == dramatiq.MessageProxy(MESSAGE)
