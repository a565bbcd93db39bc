"""The two ways in which a Kafka record is a CloudEvent: binary and structured mode. Pure.

In binary mode the attributes are headers and the value is the event's data; in structured mode the value is
the whole event. We read records ourselves: the reader of cloudevents 2 invents a new id at each reading if an
event has none, takes a record with headers of both modes for a binary one, and cannot say what is wrong.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import json
import re
from typing import Any

from pydantic_core import from_json

from workers.errors import Undecodable
from workers.records.sources import Incoming

_PREFIX = "ce_"
_STRUCTURED = "application/cloudevents"
_JSON_TYPE = re.compile(r"(application|text)/([\w.-]+\+)?json")
_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")
#: A schema registry's serializers write a zero byte and the id of a schema before the value.
_REGISTRY_PREFIX_BYTES = 5
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "UTF-8",
    codecs.BOM_UTF32_LE: "UTF-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


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
        # In less than half the time of Python's reader. It refuses half a surrogate pair, and UTF-16.
        return from_json(value)
    except ValueError:
        return _read_by_python(value, what)


def _read_by_python(value: bytes, what: str) -> Any:
    try:
        text = value.decode(json.detect_encoding(value), "surrogatepass")
        found = json.loads(text)
    except ValueError as exc:
        raise ValueError(f"{what} is not JSON: {foreign_form(value) or exc}") from exc
    return _mended(found) if _may_have_halves(text) else found


def _may_have_halves(text: str) -> bool:
    """Whether values of JSON text can have half a surrogate pair, written as it is or as an escape."""
    if "\\u" in text and _ESCAPED_HALF.search(text):
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def foreign_form(value: bytes) -> str | None:
    """Say in words which common form other than plain JSON in UTF-8 the bytes have; None if none is seen."""
    mark = next((mark for mark in _BYTE_ORDER_MARKS if value.startswith(mark)), None)
    if mark:
        return f"it begins with a byte order mark of {_BYTE_ORDER_MARKS[mark]}; write plain JSON in UTF-8"
    if value.startswith(b"\0\0") and len(value) > _REGISTRY_PREFIX_BYTES:
        schema = int.from_bytes(value[1:_REGISTRY_PREFIX_BYTES])
        return (
            f"it begins with a schema registry's prefix, a zero byte and the schema id {schema}; "
            "write plain JSON, without the registry's serializer"
        )
    if b"\0" in value[:2]:
        return "it looks like UTF-16; write plain JSON in UTF-8"
    return None


def _mended(value: Any) -> Any:
    """A JSON value whose texts have U+FFFD in place of half a surrogate pair, which nobody can store.

    Such halves come from services that cut a text in the middle of an emoji.
    """
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(item) for name, item in value.items()}
    return value
