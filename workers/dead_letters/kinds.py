"""Texts of errors that differ only in ids, numbers, addresses and quoted values are of one kind. Pure."""

from __future__ import annotations

import re

#: Longest text of a kind.
MAX_CHARS = 160
#: How much of a text is looked at.
_LOOKED_AT = 2 * MAX_CHARS

_VARYING = re.compile(
    r"""
    (?P<quoted>  "[^"]*" | '[^']*' | `[^`]*` )
  | (?P<address> [\w.+-]{1,64}@[\w.-]{1,255} )
  | (?P<id>      \b(?=[0-9a-fA-F-]*\d)[0-9a-fA-F]{8}(?:[0-9a-fA-F-]*[0-9a-fA-F])?\b | \b0x[0-9a-fA-F]+\b )
  | (?P<n>       \d+(?:[.,:]\d+)* )
    """,
    re.VERBOSE,
)
_SHOWN = {"quoted": "'…'", "address": "…@…", "id": "…", "n": "N"}


def kind_of(message: str | None) -> str:
    """The first line of an error's text, without what varies from one job to the next."""
    first = (message or "").strip().partition("\n")[0][:_LOOKED_AT]
    return _VARYING.sub(lambda found: _SHOWN[found.lastgroup or "n"], first)[:MAX_CHARS]
