"""Where among a broker's middleware the one stands that tells of delayed jobs."""

from __future__ import annotations

import dramatiq

from workers import KafkaBroker
from workers.middleware.revocation_guard import RevocationGuard
from workers.middleware.tells_delayed import TellsDelayed


def test_it_comes_after_what_skips_jobs_and_before_what_it_tells() -> None:
    broker = KafkaBroker(middleware=[dramatiq.middleware.AgeLimit()])
    kinds = [type(one) for one in broker.middleware]
    assert kinds[:3] == [RevocationGuard, TellsDelayed, dramatiq.middleware.AgeLimit]
