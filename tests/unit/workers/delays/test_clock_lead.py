"""How far a mover's clock is ahead, and when that is logged."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from workers.delays.clock_lead import ClockLead

NOON_MS = 1_800_000_000_000


def test_a_lead_beyond_a_minute_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    lead = ClockLead()
    assert lead.ms == 0
    for ahead_ms, known_ms, warnings in (
        (-5_000, 0, 0),
        (60_000, 60_000, 0),
        (7_200_500, 7_200_500, 1),
        (0, 0, 1),
        (90_000, 90_000, 1),
    ):
        lead.note(NOON_MS, SimpleNamespace(timestamp=NOON_MS - ahead_ms))
        assert (lead.ms, len(caplog.records)) == (known_ms, warnings)
    assert "seconds=7200" in caplog.text
    assert "set this machine's clock" in caplog.text
