"""The protocol `todo.v1`: frames, as JSON texts, and the codes with which a connection ends. Pure.

docs/live.md is its description for whoever writes a client.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

#: The WebSocket subprotocol that a client asks for.
SUBPROTOCOL = "todo.v1"
#: The largest frame that a client may send: the longest token that is read, and a cursor.
MAX_FRAME_BYTES = 12_288
#: How many frames a client may send in a second, on average, and at once.
MAX_FRAMES_PER_S = 20
#: A client that has not said hello after this time is sent away.
HELLO_WITHIN_S = 5.0
#: The server sends something at least this often, and expects an answer within as much again.
PING_S = 25.0
#: How long before its token ends a client is asked for a new one, if that is not more than half of its time.
REFRESH_BEFORE_S = 60.0
#: A client whose token ends sooner is not asked for another one.
REFRESH_AT_LEAST_S = 1.0
#: Events that are sent together are joined to frames of about this size.
JOINED_BYTES = 32 * 1024
#: When a client comes back that cannot be served just now.
NOT_READY_MS = 2_000


class Close(IntEnum):
    """Why a connection ends. A client comes back after 4000 to 4499, and does not after 4500 to 4999."""

    GOING_AWAY = 4000
    NO_HELLO = 4001
    TOKEN_ENDED = 4002
    TOO_SLOW = 4008
    SILENT = 4009
    NOT_READY = 4010
    TOO_MANY_FRAMES = 4029
    WRONG_FRAME = 4500
    TOKEN_REFUSED = 4501
    OTHER_USER = 4502
    TOO_MANY_CONNECTIONS = 4503
    FRAME_TOO_LARGE = 4504


class Resync(StrEnum):
    """Why a client has to load anew."""

    CURSOR = "cursor"  #: what it handed back is no cursor
    EPOCH = "epoch"  #: the topics were made anew, or have more partitions
    TOO_OLD = "too-old"  #: it was away for longer than WEB_RESUME, or the log begins later
    FUTURE = "future"  #: the log does not reach so far
    TOO_MUCH = "too-much"  #: it missed more than is sent at once


class WrongFrame(ValueError):
    """A client has sent a frame that is none of the protocol."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame of a client. ``client`` is what it calls itself."""

    token: str
    cursor: str | None = None
    client: str = ""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that goes on where the last one ends."""

    token: str


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping."""


def parse(text: str | bytes | None) -> Hello | NewToken | Pong:
    """Read a client's frame. Raises WrongFrame."""
    if not isinstance(text, str):
        raise WrongFrame("frames are texts, this one is binary")
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise WrongFrame("the frame is no JSON") from exc
    if not isinstance(frame, dict):
        raise WrongFrame("the frame is no JSON object")
    kind = frame.get("type")
    if kind == "hello":
        return Hello(
            _text(frame, "token"), _text_or_none(frame, "cursor"), _text_or_none(frame, "client") or ""
        )
    if kind == "token":
        return NewToken(_text(frame, "token"))
    if kind == "pong":
        return Pong()
    raise WrongFrame(f"there is no frame of type {kind!r:.40}")


def _text(frame: dict[str, Any], name: str) -> str:
    value = frame.get(name)
    if not isinstance(value, str):
        raise WrongFrame(f"the frame needs the text {name!r}")
    return value


def _text_or_none(frame: dict[str, Any], name: str) -> str | None:
    return None if frame.get(name) is None else _text(frame, name)


def welcome(*, session: str, cursor: str | None, epoch: str, resumed: bool, stale_since: str | None) -> str:
    """The answer to hello. ``stale_since``: the log is not followed since then; what comes later is late."""
    return _frame(
        "welcome",
        session=session,
        cursor=cursor,
        epoch=epoch,
        resumed=resumed,
        ping_s=PING_S,
        stale_since=stale_since,
    )


def events(bodies: Iterable[str], cursor: str | None) -> str:
    """Events, each a JSON object as text; ``cursor`` is how far all of them reach, None in the middle."""
    c = "" if cursor is None else f'"c":"{cursor}",'
    return f'{{"type":"event",{c}"e":[{",".join(bodies)}]}}'


def resync(why: Resync, *, cursor: str, epoch: str) -> str:
    """Say that events were missed: load anew, then go on from ``cursor``."""
    return _frame("resync", why=why, cursor=cursor, epoch=epoch)


def refresh(within_s: float) -> str:
    """Ask for a new token."""
    return _frame("refresh", within_s=round(within_s))


def ping(cursor: str | None, *, stale_since: str | None) -> str:
    """Show that the connection lives, and how far the log was read: nothing below is still to come.

    ``stale_since``: as in :func:`welcome`, for who was welcome before that changed.
    """
    c = {} if cursor is None else {"c": cursor}
    return _frame("ping", **c, stale_since=stale_since)


def bye(code: Close, again_after_ms: int | None, why: str = "") -> str:
    """Announce the end of the connection; ``again_after_ms`` is None if there is no use in coming back."""
    return _frame("bye", code=int(code), again_after_ms=again_after_ms, why=why)


def comes_back(code: int) -> bool:
    """Whether a client comes back after this code."""
    return not 4500 <= code <= 4999


def _frame(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields}, separators=(",", ":"))
