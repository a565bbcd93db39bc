"""Signals reach the middleware as dramatiq's own broker sends them."""

from __future__ import annotations

from typing import Any

import dramatiq
import pytest
from dramatiq import Middleware
from dramatiq.middleware import SkipMessage

from workers.broker.signals import SignallingBroker

NONE: list[Middleware] = []


class Notes(Middleware):
    """Notes the signals that it has methods for."""

    def __init__(self, name: str, noted: list[str]) -> None:
        self.name = name
        self.noted = noted

    def before_enqueue(self, broker: dramatiq.Broker, message: Any, delay: int | None) -> None:
        self.noted.append(f"{self.name} before {message} {delay}")

    def after_enqueue(self, broker: dramatiq.Broker, message: Any, delay: int | None) -> None:
        self.noted.append(f"{self.name} after {message} {delay}")


class Refuses(Middleware):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def before_enqueue(self, broker: dramatiq.Broker, message: Any, delay: int | None) -> None:
        raise self.error

    after_enqueue = before_enqueue


class DuckTyped:
    """Not a Middleware, but it quacks."""

    actor_options: frozenset[str] = frozenset()

    def __init__(self, noted: list[str]) -> None:
        self.noted = noted

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: self.noted.append(name)


@pytest.fixture(params=[dramatiq.Broker, SignallingBroker])
def broker(request: pytest.FixtureRequest) -> dramatiq.Broker:
    """dramatiq's own, and ours."""
    made: dramatiq.Broker = request.param(NONE)
    return made


def emit(broker: dramatiq.Broker) -> None:
    broker.emit_before("enqueue", "m", 5)
    broker.emit_after("enqueue", "m", delay=5)


def test_before_in_order_and_after_in_reverse(broker: dramatiq.Broker) -> None:
    noted: list[str] = []
    broker.add_middleware(Notes("a", noted))
    broker.add_middleware(Middleware())
    broker.add_middleware(Notes("b", noted))
    emit(broker)
    assert noted == ["a before m 5", "b before m 5", "b after m 5", "a after m 5"]


def test_what_is_added_and_removed_later_counts(broker: dramatiq.Broker) -> None:
    noted: list[str] = []
    emit(broker)
    broker.add_middleware(Notes("a", noted))
    emit(broker)
    broker.middleware.clear()
    emit(broker)
    broker.middleware.append(Notes("b", noted))
    emit(broker)
    assert noted == ["a before m 5", "a after m 5", "b before m 5", "b after m 5"]


def test_a_method_of_an_object_counts(broker: dramatiq.Broker) -> None:
    noted: list[Any] = []
    middleware = Middleware()
    middleware.before_enqueue = lambda *args: noted.append(args)  # type: ignore[method-assign]
    broker.add_middleware(middleware)
    emit(broker)
    assert noted == [(broker, "m", 5)]


def test_a_class_that_is_wrapped_before_the_first_message_counts(
    broker: dramatiq.Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[str] = []

    class Bare(Middleware):
        """Has no hook yet."""

    broker.add_middleware(Notes("a", noted))
    broker.add_middleware(Bare())
    broker.emit_after("declare_actor", None)  # as where actors are imported
    own = Notes.before_enqueue

    def wrapped(self: Notes, *args: Any) -> None:
        noted.append("wrapped")
        own(self, *args)

    monkeypatch.setattr(Notes, "before_enqueue", wrapped)
    monkeypatch.setattr(Bare, "after_enqueue", lambda *_, **__: noted.append("bare"))
    emit(broker)
    assert noted == ["wrapped", "a before m 5", "bare", "a after m 5"]


def test_what_is_no_middleware_but_acts_like_one_counts() -> None:
    broker, noted = SignallingBroker(NONE), []  # type: ignore[var-annotated]
    broker.middleware.append(DuckTyped(noted))  # type: ignore[arg-type]
    emit(broker)
    assert noted == ["before_enqueue", "after_enqueue"]


def test_an_error_is_logged_and_the_others_are_called(
    broker: dramatiq.Broker, caplog: pytest.LogCaptureFixture
) -> None:
    noted: list[str] = []
    broker.add_middleware(Notes("a", noted))
    broker.add_middleware(Refuses(RuntimeError("broken")))
    broker.add_middleware(Notes("b", noted))
    emit(broker)
    assert len(noted) == 4
    critical = [record.getMessage() for record in caplog.records if record.levelname == "CRITICAL"]
    assert [text.partition(" of ")[0] for text in critical] == [
        "Unexpected failure in before_enqueue",
        "Unexpected failure in after_enqueue",
    ]


def test_a_middleware_error_ends_what_is_before_it_happens(broker: dramatiq.Broker) -> None:
    noted: list[str] = []
    broker.add_middleware(Notes("a", noted))
    broker.add_middleware(Refuses(SkipMessage("no")))
    broker.add_middleware(Notes("b", noted))
    with pytest.raises(SkipMessage):
        broker.emit_before("enqueue", "m", 5)
    assert noted == ["a before m 5"]


def test_a_signal_that_middleware_does_not_know_is_logged(
    broker: dramatiq.Broker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.add_middleware(Middleware())
    broker.emit_before("lunch")
    assert "Unexpected failure in before_lunch" in caplog.text


class ServesOthers(Middleware):
    serves_hook = "before_delay_message"

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        broker.emit_before("delay_message", message)


class Listens(Middleware):
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def before_delay_message(self, broker: dramatiq.Broker, message: Any) -> None:
        self.heard.append(message)


def test_middleware_that_serves_others_is_called_as_soon_as_there_are_some() -> None:
    broker, listens = SignallingBroker([ServesOthers()]), Listens()
    broker.emit_before("process_message", "m")
    assert broker._hooks("before_process_message") == ()
    broker.add_middleware(listens)
    broker.emit_before("process_message", "n")
    assert listens.heard == ["n"]
