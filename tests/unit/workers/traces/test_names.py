"""The names are those of the conventions, as OpenTelemetry's own package has them."""

from __future__ import annotations

from opentelemetry.semconv._incubating.attributes import messaging_attributes as messaging
from opentelemetry.semconv.attributes import error_attributes, exception_attributes, server_attributes
from opentelemetry.semconv.schemas import Schemas

from workers.traces import names


def test_the_names_are_those_of_the_conventions() -> None:
    """If this fails, the conventions have changed: take the new names over, and the schema's address."""
    assert list(Schemas)[-1].value == names.SCHEMA_URL
    pairs = (
        (messaging.MESSAGING_SYSTEM, names.SYSTEM),
        (messaging.MESSAGING_OPERATION_NAME, names.OPERATION_NAME),
        (messaging.MESSAGING_OPERATION_TYPE, names.OPERATION_TYPE),
        (messaging.MESSAGING_DESTINATION_NAME, names.DESTINATION),
        (messaging.MESSAGING_DESTINATION_PARTITION_ID, names.PARTITION),
        (messaging.MESSAGING_CONSUMER_GROUP_NAME, names.GROUP),
        (messaging.MESSAGING_MESSAGE_ID, names.MESSAGE_ID),
        (messaging.MESSAGING_KAFKA_OFFSET, names.OFFSET),
        (messaging.MessagingSystemValues.KAFKA.value, names.KAFKA),
        (messaging.MessagingOperationTypeValues.CREATE.value, names.CREATE),
        (messaging.MessagingOperationTypeValues.SEND.value, names.SEND),
        (messaging.MessagingOperationTypeValues.PROCESS.value, names.PROCESS),
        (error_attributes.ERROR_TYPE, names.ERROR_TYPE),
        (exception_attributes.EXCEPTION_TYPE, names.EXCEPTION_TYPE),
        (exception_attributes.EXCEPTION_MESSAGE, names.EXCEPTION_MESSAGE),
        (exception_attributes.EXCEPTION_STACKTRACE, names.EXCEPTION_TRACEBACK),
        (server_attributes.SERVER_ADDRESS, names.SERVER_ADDRESS),
        (server_attributes.SERVER_PORT, names.SERVER_PORT),
    )
    assert [own for theirs, own in pairs if theirs != own] == []
