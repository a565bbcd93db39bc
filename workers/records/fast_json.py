"""Writes and reads messages as dramatiq's own encoder does, the same bytes and fields, in less time. Pure.

dramatiq makes an encoder for each message, and reads with four more calls than the one that scans.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import dramatiq
from dramatiq import JSONEncoder, get_encoder

_FIELDS = tuple(field.name for field in dataclasses.fields(dramatiq.Message))
#: Types of the fields in a sound message that dramatiq's encoder wrote.
_SOUND = frozenset({(str, str, list, dict, dict, str, int), (str, str, list, dict, dict, str, float)})

_write = json.JSONEncoder(separators=(",", ":")).encode
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def write(message: dramatiq.Message[Any]) -> bytes:
    """``message.encode()``. Raises what dramatiq's encoder raises, for arguments it cannot write."""
    if type(get_encoder()) is not JSONEncoder:
        return message.encode()
    return _write({name: getattr(message, name) for name in _FIELDS}).encode()


def read(value: bytes) -> dramatiq.Message[Any] | None:
    """``Message.decode(value)`` if dramatiq's own encoder wrote it, for a message without options.

    Each field has the right type, and there is an id. None for anything else: the caller then uses dramatiq.
    """
    if type(get_encoder()) is not JSONEncoder:
        return None
    try:
        text = value.decode()
        fields, end = _scan(text, 0)
    except (ValueError, StopIteration, RecursionError):
        return None
    if end != len(text) or type(fields) is not dict or tuple(fields) != _FIELDS:
        return None
    if tuple(map(type, fields.values())) not in _SOUND or fields["options"] or not fields["message_id"]:
        return None
    fields["args"] = tuple(fields["args"])
    message: dramatiq.Message[Any] = object.__new__(dramatiq.Message)
    object.__setattr__(message, "__dict__", fields)  # the class is frozen
    return message
