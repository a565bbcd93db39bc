"""The two ways in which a Kafka record is a CloudEvent: binary and structured mode. Pure.

In binary mode the attributes are headers and the value is the event's data; in structured mode the value is
the whole event. We read records ourselves: the reader of cloudevents 2 invents a new id at each reading if an
event has none, takes a record with headers of both modes for a binary one, and cannot say what is wrong.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from workers.errors import Undecodable
from workers.records.sources import Incoming

_PREFIX = "ce_"
_STRUCTURED = "application/cloudevents"
_JSON_TYPE = re.compile(r"(application|text)/([\w.-]+\+)?json")


def attributes_and_data(record: Incoming) -> tuple[dict[str, Any], Any]:
    """A record's attributes and its data: a JSON value, or text if it is something else.

    A record without telling headers is read in structured mode, as many tools write no headers.

    Raises:
        Undecodable: it is no CloudEvent; the text says why.
    """
    if record.value is None:
        raise Undecodable("the record is no CloudEvent: it has no value", b"")
    headers = {name.lower(): value for name, value in record.headers if value is not None}
    try:
        texts = {name: headers[name].decode() for name in headers if name == "content-type" or _is_own(name)}
        content_type = texts.pop("content-type", "")
        if texts and not content_type.lower().startswith(_STRUCTURED):
            return _binary(texts, content_type, record.value)
        return _structured(content_type, record.value)
    except (ValueError, RecursionError) as exc:
        raise Undecodable(f"the record is no CloudEvent: {exc}", record.value) from exc


def _is_own(header: str) -> bool:
    return header.startswith(_PREFIX)


def _binary(headers: dict[str, str], content_type: str, value: bytes) -> tuple[dict[str, Any], Any]:
    attributes = {name.removeprefix(_PREFIX): text for name, text in headers.items()}
    if content_type:
        attributes["datacontenttype"] = content_type
    return attributes, _data(value, content_type)


def _structured(content_type: str, value: bytes) -> tuple[dict[str, Any], Any]:
    form = content_type.partition(";")[0].strip().lower()
    if form.startswith(_STRUCTURED) and form != "application/cloudevents+json":
        raise ValueError(f"its content-type is {form}, this worker reads application/cloudevents+json")
    found = _json(value, "its value")
    if not isinstance(found, dict):
        raise ValueError("its value is not a JSON object")  # noqa: TRY004 - of the record, not of a variable
    attributes = {name: attribute for name, attribute in found.items() if attribute is not None}
    data, encoded = attributes.pop("data", None), attributes.pop("data_base64", None)
    if encoded is None:
        return attributes, data
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError) as exc:
        raise ValueError(f"its data_base64 is not base64: {exc}") from exc
    return attributes, _data(raw, str(attributes.get("datacontenttype", "")))


def _data(value: bytes, content_type: str) -> Any:
    if not value:
        return None
    if not content_type or _JSON_TYPE.match(content_type.lower()):
        return _json(value, "its data")
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _json(value: bytes, what: str) -> Any:
    try:
        return json.loads(value)
    except ValueError as exc:
        raise ValueError(f"{what} is not JSON: {exc}") from exc
