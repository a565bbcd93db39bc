"""The summary of a replay says what to do next."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any
from unittest.mock import Mock

import pytest

from tests.helpers.interrupts import interrupted_wait
from workers.cli.dead_letters import replay_and_discard
from workers.cli.dead_letters.replay_and_discard import _do, _summary
from workers.cli.dead_letters.shared_options import Options
from workers.dead_letters.filter import Filter
from workers.dead_letters.resolving import Resolution
from workers.errors import KafkaUnreachable, NotAuthorized, WorkersError
from workers.operations.dead_letters import discarding


@pytest.mark.parametrize(
    ("away", "said"),
    [
        (KafkaUnreachable("Kafka is away"), "stopped, Kafka is away; run it again for the rest"),
        (NotAuthorized("no right to write"), "stopped, no right to write; mend that first"),
    ],
)
def test_one_is_told_to_run_it_again_only_if_nothing_is_to_be_mended_before(
    capsys: pytest.CaptureFixture[str], away: WorkersError, said: str
) -> None:
    assert _summary(discarding(), 9, Resolution(done=4, away=away), None) == 1
    told = capsys.readouterr()
    assert "4 of 9 dead letters discarded" in told.out
    assert said in told.err
    assert ("again" in told.err) == ("again" in said)


@pytest.mark.parametrize("pressed", [KeyboardInterrupt(), interrupted_wait()])
def test_ctrl_c_at_each_step_of_a_wait_is_told_with_what_to_do_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pressed: BaseException
) -> None:
    def act(
        _broker: object, _search: object, _selection: object, _action: object, done: Resolution, **_: Any
    ) -> None:
        done.done = 4
        raise pressed

    monkeypatch.setattr(replay_and_discard, "act", act)
    monkeypatch.setattr(replay_and_discard, "begun", lambda *_, **__: nullcontext(Mock()))
    status = _do(Mock(), Mock(), Mock(total=9), discarding(), options=Options(), wanted=Filter())
    told = capsys.readouterr()
    assert status == 130
    assert "4 of 9 dead letters discarded" in told.out
    assert "interrupted; run it again for the rest" in told.err
