"""Options of several commands, read from text."""

from __future__ import annotations

import pytest

from workers.cli.dead_letters.shared_options import how
from workers.errors import WrongUsage


@pytest.mark.parametrize(("text", "rate"), [("50/s", 50.0), ("0.5", 0.5), (None, None)])
def test_a_rate_is_a_number_of_jobs_per_second(text: str | None, rate: float | None) -> None:
    assert how(rate=text).rate_per_s == rate


@pytest.mark.parametrize("text", ["inf/s", "1e999", "nan/s", "0/s", "-1", "many", ""])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="should be a number of jobs per second, such as 50/s"):
        how(rate=text)
