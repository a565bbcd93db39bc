"""All names in our spans. Those of the conventions are still in development: a change of them is one here.

They are of OpenTelemetry's semantic conventions 1.44.0, for messaging and Kafka. A record's key is left out,
as it may be an address of somebody, and so is everything else of a job's arguments.
"""

from __future__ import annotations

from typing import Final

#: Says to whoever reads the spans which version of the conventions they follow.
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"

#: The headers of W3C Trace Context, on records, on requests, and as extension attributes of CloudEvents.
TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"

SYSTEM: Final = "messaging.system"
KAFKA: Final = "kafka"
OPERATION_NAME: Final = "messaging.operation.name"
OPERATION_TYPE: Final = "messaging.operation.type"
DESTINATION: Final = "messaging.destination.name"
PARTITION: Final = "messaging.destination.partition.id"
GROUP: Final = "messaging.consumer.group.name"
MESSAGE_ID: Final = "messaging.message.id"
OFFSET: Final = "messaging.kafka.offset"
EXCEPTION: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_TRACEBACK: Final = "exception.stacktrace"
ERROR_TYPE: Final = "error.type"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

#: Values of `OPERATION_NAME` and `OPERATION_TYPE`, and the first word of a span's name.
CREATE: Final = "create"
SEND: Final = "send"
PROCESS: Final = "process"

#: Our own; a job's id is its message's.
ACTOR: Final = "workers.job.actor"
QUEUE: Final = "workers.job.queue"
ATTEMPT: Final = "workers.job.attempt"
OUTCOME: Final = "workers.job.outcome"
AUDIT_OUTCOME: Final = "todo.audit.outcome"
AUDIT_APPEND: Final = "audit append"
SMTP_SEND: Final = "smtp send"
