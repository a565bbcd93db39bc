"""The parts of dramatiq that the pool relies on and that it does not promise: one that changes fails here."""

from __future__ import annotations

import dataclasses
import inspect

import dramatiq
from dramatiq import MessageProxy, Middleware, cli, worker
from dramatiq.middleware import Retries, default_middleware

from workers import KafkaBroker
from workers import Retries as OwnRetries
from workers.broker.signals import SignallingBroker
from workers.errors import KafkaUnreachable, WorkerCannotStart
from workers.middleware import boot_check
from workers.partitions.taken_message import TakenMessage

MESSAGE: dramatiq.Message[None] = dramatiq.Message("default", "work", (1,), {"a": 2}, {"retries": 3})


def test_a_taken_message_has_all_that_dramatiqs_proxy_has() -> None:
    """TakenMessage does not call the constructor of MessageProxy: it sets the same attributes itself."""
    original = MessageProxy(MESSAGE)
    assert vars(original) == {"failed": False, "_message": MESSAGE, "_exception": None}
    assert all(hasattr(TakenMessage, name) for name in vars(original))


def test_a_taken_message_has_the_fields_of_a_message() -> None:
    fields = {field.name for field in dataclasses.fields(dramatiq.Message)}
    assert fields <= set(TakenMessage.__slots__)
    # fast_json makes messages by their __dict__, which slots would take away.
    assert vars(MESSAGE).keys() == fields


def test_a_proxy_keeps_the_exception_where_dead_letters_read_it() -> None:
    proxy, error = MessageProxy(MESSAGE), ValueError("no")
    proxy.stuff_exception(error)
    assert proxy._exception is error
    assert proxy._message is MESSAGE
    proxy.clear_exception()
    assert proxy._exception is None


def test_retries_is_the_last_default_middleware_and_ours_can_stand_in_its_place() -> None:
    assert default_middleware[-1] is Retries
    kinds = [type(each) for each in KafkaBroker().middleware]
    assert Retries not in kinds
    assert OwnRetries in kinds
    assert kinds.index(OwnRetries) > max(kinds.index(kind) for kind in default_middleware[:-1])


def test_the_broker_emits_with_the_arguments_that_dramatiqs_has() -> None:
    for method in ("emit_before", "emit_after"):
        ours, original = getattr(SignallingBroker, method), getattr(dramatiq.Broker, method)
        assert [*inspect.signature(ours).parameters] == [*inspect.signature(original).parameters]


def test_each_hook_of_a_middleware_has_an_empty_method_in_its_base_class() -> None:
    """SignallingBroker leaves out the methods that are those of the base class."""
    hooks = [name for name in vars(Middleware) if name.startswith(("before_", "after_"))]
    assert len(hooks) > 20
    codes = {getattr(Middleware, name).__code__.co_code for name in hooks}
    assert len(codes) == 1, "a hook of dramatiq's base class does something"


def test_the_exit_status_of_a_worker_without_kafka_is_dramatiqs() -> None:
    assert boot_check._CANNOT_CONNECT == cli.RET_CONNECT


def test_dramatiq_tries_an_ack_again_for_our_connection_errors() -> None:
    assert issubclass(KafkaUnreachable, dramatiq.BrokerConnectionError)
    assert "except BrokerConnectionError" in inspect.getsource(worker.ConsumerThread.post_process_message)
    assert issubclass(WorkerCannotStart, dramatiq.middleware.MiddlewareError)
