"""Keeps jobs that were taken back from running in this process: of a revoked partition, or passed on."""

from __future__ import annotations

import logging

import dramatiq
from dramatiq.middleware import SkipMessage

from ..partitions.taken_message import TakenMessage


class _LeavesOutPassedOn(logging.Filter):
    """Leaves out the warning that a job was skipped which was taken back to be passed on: that is no trouble.

    There may be hundreds at once.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg != _SKIPPED or not isinstance(record.args, tuple):
            return True
        return not any(isinstance(value, TakenMessage) and value.withdrawn for value in record.args)


#: dramatiq's text for a job that was skipped.
_SKIPPED = "Message %s was skipped."
_leaves_out_passed_on = _LeavesOutPassedOn()


class RevocationGuard(dramatiq.Middleware):
    """Skips a job that was taken back while it waited here for a thread.

    If its partition was revoked, the next owner runs it. If it was withdrawn to be passed on, it runs in the
    process that gets it; here, from a new message, if that fails.
    """

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        logging.getLogger("dramatiq.worker.WorkerThread").addFilter(_leaves_out_passed_on)

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        if isinstance(message, TakenMessage) and not message.start():
            raise SkipMessage("the job was taken back before it started")
