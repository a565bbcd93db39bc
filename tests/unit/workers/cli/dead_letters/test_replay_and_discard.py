"""The summary of a replay says what to do next."""

from __future__ import annotations

import pytest

from workers.cli.dead_letters.replay_and_discard import _summary
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
