"""`todo-workers jobs why`: says why a job waits, or what became of it."""

from __future__ import annotations

import json

from ...application import load_broker
from ...operations.job_state import Reason, why
from ..terminal import visible

NOT_FOUND = 1


def tell(app: str | None, job_id: str, *, as_json: bool) -> int:
    """Print the reason; returns the exit status."""
    broker = load_broker(app)
    found = why(broker, job_id)
    broker.close()
    if as_json:
        print(json.dumps({"id": found.id, "reason": found.reason, "text": found.text, **found.facts}))
    else:
        print(visible(f"{found.id}  {found.reason}\n    {found.text}"))
    return NOT_FOUND if found.reason is Reason.NO_TRACE else 0
