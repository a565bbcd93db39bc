"""Decides which failed jobs are tried again: dramatiq's Retries, without retries that cannot help."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.middleware import Retries as DramatiqRetries

from ..errors import InvalidArguments
from ..partitions.taken_message import TakenMessage

logger = logging.getLogger(__name__)

#: How many characters of the last error's traceback a retried job carries: its end, which has the error.
MAX_TRACEBACK_CHARS = 2_500


class Retries(DramatiqRetries):
    """dramatiq's Retries, except that an error that no retry can mend makes its job a dead letter at once.

    Such errors are arguments that the actor does not take, and those that ``is_permanent`` names. This takes
    precedence over all options of an actor or a message. As with ``throws``, the actor named in
    ``on_retry_exhausted`` does not run.
    """

    def __init__(
        self, *, is_permanent: Callable[[BaseException], bool] = lambda _: False, **options: Any
    ) -> None:
        """``options`` are those of dramatiq's Retries."""
        super().__init__(**options)
        self._is_permanent = is_permanent

    def before_enqueue(self, broker: dramatiq.Broker, message: dramatiq.Message[Any], delay: int) -> None:  # noqa: ARG002
        """Cut the traceback that a retry carries, so that the largest allowed job can be tried again."""
        trace = message.options.get("traceback")
        if isinstance(trace, str) and len(trace) > MAX_TRACEBACK_CHARS:
            message.options["traceback"] = "..." + trace[-MAX_TRACEBACK_CHARS:]

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        if exception is None:
            return
        if isinstance(exception, TypeError):
            exception = self._explained(broker, message, exception)
        if isinstance(exception, InvalidArguments) or self._is_permanent(exception):
            logger.info("job not retried id=%s error=%s", message.message_id, type(exception).__name__)
            message.fail()
            return
        if isinstance(message, TakenMessage):
            message.expected = _is_expected(broker, message, exception)
        super().after_process_message(broker, message, result=result, exception=exception)  # type: ignore[no-untyped-call]

    def _explained(
        self, broker: dramatiq.Broker, message: dramatiq.MessageProxy, error: TypeError
    ) -> BaseException:
        """InvalidArguments if the actor does not take the message's arguments, else the error itself."""
        try:
            inspect.signature(broker.get_actor(message.actor_name).fn).bind(*message.args, **message.kwargs)
        except TypeError as exc:
            explained = InvalidArguments(f"actor {message.actor_name} does not take these arguments: {exc}")
            explained.__cause__ = error
            message.stuff_exception(explained)
            return explained
        return error


def _is_expected(broker: dramatiq.Broker, message: dramatiq.MessageProxy, exception: BaseException) -> bool:
    throws: Any = message.options.get("throws") or broker.get_actor(message.actor_name).options.get("throws")
    return bool(throws) and isinstance(exception, throws)
