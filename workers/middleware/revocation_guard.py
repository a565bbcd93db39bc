"""Keeps jobs from starting that must not: taken back, of a paused queue, or taken out by a switch."""

from __future__ import annotations

import logging

import dramatiq
from dramatiq.middleware import SkipMessage

from ..controls.decision import Switch
from ..controls.gate import Gate
from ..controls.then import Then
from ..errors import HeldBySwitch
from ..partitions.taken_message import TakenMessage

logger = logging.getLogger(__name__)


class _LeavesOutExpected(logging.Filter):
    """Leaves out the warning that a job was skipped where that is no trouble.

    There may be hundreds at once: those that are passed on, of a paused queue, or taken out by a switch.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg != _SKIPPED or not isinstance(record.args, tuple):
            return True
        return not any(
            isinstance(value, TakenMessage) and (value.withdrawn or value.put_back or value.taken_out)
            for value in record.args
        )


#: dramatiq's text for a job that was skipped.
_SKIPPED = "Message %s was skipped."
_leaves_out_expected = _LeavesOutExpected()


class RevocationGuard(dramatiq.Middleware):
    """Skips a job that must not start, as the last look before it does.

    If its partition was revoked while it waited here for a thread, the next owner runs it. If it was
    withdrawn to be passed on, it runs in the process that gets it; here, from a new message, if that fails.
    If its queue is paused, it waits on in its partition. If a switch matches, it becomes a dead letter or is
    discarded.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        logging.getLogger("dramatiq.worker.WorkerThread").addFilter(_leaves_out_expected)

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        if not isinstance(message, TakenMessage):
            return
        gate = self._gate
        if not message.start(gate):
            raise SkipMessage("the job was taken back before it started")
        if not gate.is_open and (switch := gate.switch_for(message)) is not None:
            _take_out(message, switch)

    def after_skip_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        if isinstance(message, TakenMessage):
            message.skipped = True

    def after_nack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        if isinstance(message, TakenMessage) and message.taken_out is not None:
            self._gate.written(message.taken_out)


def _take_out(message: TakenMessage, switch: Switch) -> None:
    message.taken_out = switch.id
    if switch.then is Then.HOLD:
        message.fail()
        raise HeldBySwitch(switch.id)
    logger.info(
        "job discarded by a switch id=%s actor=%s switch=%s",
        message.message_id,
        message.actor_name,
        switch.id,
    )
    raise SkipMessage(f"the switch {switch.id} discards the job")
