"""A mail that somebody wants sent, and whom to tell what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .mail import Mail

if TYPE_CHECKING:
    from workers.traces.spans import Work

#: Called with None when the server has taken a mail, else with the error.
Answered = Callable[[Exception | None], None]


@dataclass(eq=False)
class Submission:
    """One mail for one :meth:`Mailer.submit`: it is itself only, whatever else has the same content."""

    mail: Mail
    answered: Answered
    #: Whether the connection that takes it sends no other content until it is settled.
    hold: bool = False
    #: By the monotonic clock.
    submitted_at: float = field(default_factory=time.monotonic)
    #: What it is in the trace of whoever submits it, if there is one.
    span: Work | None = None
