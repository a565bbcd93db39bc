"""What `todo-workers switches` says if a command ends early."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner, Result

from tests.helpers.interrupts import interrupted_wait
from workers.cli.controls import confirming, switches
from workers.cli.controls.commands import switches_app
from workers.controls.controls import Change, Confirmation
from workers.controls.decision import Note, Switch
from workers.controls.then import Then
from workers.dead_letters.filter import Filter
from workers.dead_letters.resolving import Resolution
from workers.errors import KafkaUnreachable, NotAuthorized
from workers.operations.logged import LoggedControls
from workers.operations.switches import Lifted

Lift = Callable[..., Result]


@pytest.fixture
def lift(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lift]:
    """Runs the command with a lift that does what it is told."""
    monkeypatch.setattr(switches, "load_broker", lambda _app: Mock())
    monkeypatch.setattr(switches, "log_of", lambda _broker: nullcontext(Mock()))
    monkeypatch.setattr(switches, "_whole_id", lambda _broker, switch_id: switch_id)

    def run(does: Callable[[], Any], *words: str) -> Result:
        monkeypatch.setattr(switches, "lift", lambda *_, **__: does())
        return CliRunner().invoke(switches_app, ["lift", "3f", *words])

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)


def raises(error: BaseException) -> Callable[[], None]:
    def does() -> None:
        raise error

    return does


def lifted(**fields: Any) -> Callable[[], Lifted]:
    return lambda: Lifted(Confirmation(1, 1), 9, **fields)


@pytest.mark.parametrize(
    "does",
    [
        raises(KeyboardInterrupt()),
        raises(interrupted_wait()),
        lambda: os.kill(os.getpid(), signal.SIGTERM),
    ],
)
def test_one_that_is_interrupted_says_what_to_do_next(lift: Lift, does: Callable[[], Any]) -> None:
    ended = lift(does)
    assert ended.exit_code == 130
    assert "interrupted; lift the switch once more for the rest" in ended.stderr


@pytest.mark.parametrize("words", [(), ("--json",)])
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"stopped": "stopped by bo"}, "stopped by bo; lift the switch once more for the rest"),
        ({"resolution": Resolution(4, away=KafkaUnreachable("away"))}, "away; lift the switch once more"),
        ({"resolution": Resolution(4, away=NotAuthorized("no right"))}, "no right; mend that first"),
        ({"resolution": Resolution(4, failed=5)}, "and 5 more not replayed"),
    ],
)
def test_one_that_ends_early_says_why(
    lift: Lift, words: tuple[str, ...], fields: dict[str, Any], said: str
) -> None:
    ended = lift(lifted(**fields), *words)
    assert ended.exit_code == 1
    assert said in ended.stderr
    if words:
        assert json.loads(ended.stdout)["held"] == 9


@pytest.mark.parametrize("error", [KafkaUnreachable("Kafka is away"), KeyboardInterrupt()])
def test_a_switch_whose_confirmation_fails_is_named_also_to_scripts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    where = Filter(actor="send")
    made = Switch("3f9a21c0", where, Then.HOLD, Note("ann", 1))
    monkeypatch.setattr(switches, "load_broker", lambda _app: Mock())
    monkeypatch.setattr(switches, "log_of", lambda _broker: nullcontext(Mock()))
    monkeypatch.setattr(LoggedControls, "switch", lambda *_, **__: (made, Change("switch/3f9a21c0", 1, 1)))
    monkeypatch.setattr(confirming, "confirmed", lambda *_, **__: raises(error)())
    with pytest.raises(type(error)):
        switches.add(None, where, "hold", who="ann", why="", wait="10s", ignore_silent=False, as_json_=True)
    told = capsys.readouterr()
    assert (told.out, "switch 3f9a21c0 is set all the same" in told.err) == ("", True)
