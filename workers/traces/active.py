"""What other code calls about traces: each does nothing, and imports nothing, while no provider is set.

Any thread may call it. A provider counts from when it is set; a `KafkaBroker` looks for it when it sends for
the first time, and when a worker boots.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .spans import Spans, Work

#: Where OpenTelemetry keeps the provider. If nobody has imported it, nobody has set one.
_API = "opentelemetry.trace"
#: The provider that was found last, and what makes spans with it.
_found: tuple[object, Spans | None] = (None, None)

_NOTHING: AbstractContextManager[None] = nullcontext()
_NO_FIELDS: AbstractContextManager[Mapping[str, str]] = nullcontext({})


def spans() -> Spans | None:
    """What makes spans in this process; None while no provider is set, or one that makes none."""
    global _found  # noqa: PLW0603 - as the provider is the process's
    api = sys.modules.get(_API)
    if api is None:
        return None
    provider = api.get_tracer_provider()
    known, made = _found
    if provider is not known:
        made = None
        if not isinstance(provider, api.ProxyTracerProvider | api.NoOpTracerProvider):
            from .spans import Spans  # noqa: PLC0415 - it needs OpenTelemetry

            made = Spans(provider)
        _found = provider, made
    return made


def here() -> Any:
    """The context of this thread or task, for :func:`within` on another; None without a provider."""
    made = spans()
    return None if made is None else made.here()


def within(context: Any) -> AbstractContextManager[object]:
    """Run a block in a context that :func:`here` has returned."""
    made = spans() if context is not None else None
    return _NOTHING if made is None else made.within(context)


def creating(topic: str) -> AbstractContextManager[Mapping[str, str]]:
    """Create a record for ``topic`` in the block; gives the headers with the context that it is created in.

    That is the current span's or, if there is none, that of a new one. Without a provider there are none.
    """
    made = spans()
    return _NO_FIELDS if made is None else made.creating(topic)


def begin(name: str, attributes: Mapping[str, Any]) -> Work | None:
    """Begin a span of a call to another server, to be ended on any thread; None without a provider."""
    made = spans()
    return None if made is None else made.begin(name, attributes)


def note(name: str, context: Any, began_ns: int, attributes: Mapping[str, Any]) -> None:
    """Note work that was done since ``began_ns``, by `time.time_ns`, as a span of ``context``."""
    made = spans()
    if made is not None and context is not None:
        made.note(name, context, began_ns, attributes)


def ids() -> tuple[str, str] | None:
    """The ids of the current trace and span, in hexadecimal; None if there is none."""
    made = spans()
    return None if made is None else made.ids()
