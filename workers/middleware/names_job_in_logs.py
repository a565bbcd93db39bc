"""Lets each line that a job logs as JSON name the job."""

from __future__ import annotations

from typing import Any

import dramatiq

from ..partitions.taken_message import TakenMessage
from ..runtime import logs


class NamesJobInLogs(dramatiq.Middleware):
    """Notes which job a worker thread runs, for `logs.JsonFormatter`."""

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        if isinstance(message, TakenMessage):
            logs.note_running(message)

    def after_process_message(
        self,
        broker: dramatiq.Broker,  # noqa: ARG002
        message: dramatiq.MessageProxy,  # noqa: ARG002
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        logs.note_running(None)

    after_skip_message = after_process_message
