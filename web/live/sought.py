"""Says whether a record may name one of some users, by its text: much cheaper than to read it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

#: A text with one of these may name a user though it does not show the name: an escape, UTF-16 or 32, base64.
_HIDING = ("\\u", "\0", "data_base64")
#: The same in bytes of many records, between which there are zeros anyway: an escape of an ASCII character,
#: also in UTF-16 or 32, and base64, also in these.
_ESCAPES = re.compile(rb"\\(?:u00[2-7]|\0)")


class Sought:
    """The users that a scan of the log looks for; they are compared by `web.access.user_key`."""

    def __init__(self, users: Iterable[str]) -> None:
        self._users = frozenset(users)
        self._are_addresses = all("@" in user for user in self._users)

    def may_be_in(self, value: bytes) -> bool:
        """Say whether JSON may have one of the users among its texts. It says no only if none is."""
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return True
        if any(mark in text for mark in _HIDING):
            return True
        if self._are_addresses:
            return self._may_be_an_address(text)
        return "\\" in text or not self._users.isdisjoint(map(str.strip, text.lower().split('"')))

    def places_in(self, raw: bytes) -> Sequence[int] | None:
        """The places in the bytes of JSON texts at which one of the users may be named; None: anywhere.

        Between the texts there may be other bytes, such as the keys and headers of records.
        """
        if not self._are_addresses or _ESCAPES.search(raw):
            return None
        if b"data_base64" in raw or (b"_\0" in raw and (b"_\0b" in raw or b"_\0\0\0b" in raw)):
            return None
        places = []
        at = raw.find(b"@")
        while at >= 0:
            start, end = raw.rfind(b'"', 0, at) + 1, raw.find(b'"', at)
            end = len(raw) if end < 0 else end
            name = raw[start:end]
            # UTF-16 and 32 have a zero beside each ASCII character, and an @ as a half of others, which may
            # stand before the right one. See below for the escapes.
            is_unclear = raw[at - 1 : at] == b"\0" or b"\0" in name or b"\\" in name
            if is_unclear or raw[start - 2 : start - 1] == b"\\" or self._is_sought(name):
                places.append(at)
            at = raw.find(b"@", end)
        return places

    def _is_sought(self, name: bytes) -> bool:
        return name.decode(errors="replace").strip().lower() in self._users

    def _may_be_an_address(self, text: str) -> bool:
        """Look at the texts with an @ alone: most records have one, the owner's."""
        at = text.find("@")
        while at >= 0:
            start, end = text.rfind('"', 0, at) + 1, text.find('"', at)
            end = len(text) if end < 0 else end
            name = text[start:end]
            # An escape in it, or before it: a quotation mark that ends no text.
            if "\\" in name or text[start - 2 : start - 1] == "\\" or name.strip().lower() in self._users:
                return True
            at = text.find("@", end)
        return False
