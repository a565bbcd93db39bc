"""Makes text from users safe to show: no control characters, no marks that reorder what follows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

#: Bidirectional embeddings, overrides and isolates: left open, they would reorder the text that follows.
_BIDI_CONTROLS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))

_REMOVED = dict.fromkeys([*_BIDI_CONTROLS, *(code for code in _CONTROLS if not chr(code).isspace())])


def one_line(text: str, limit: int = 500) -> str:
    """Return ``text`` in one line of at most ``limit`` characters, all white space as single spaces."""
    # In a text that is printable, nothing is removed, and no white space is another one than the space.
    if not text.isprintable() or "  " in text or text.startswith(" ") or text.endswith(" "):
        text = " ".join(text.translate(_REMOVED).split())
    return shorten(text, limit)


def paragraphs(text: str) -> str:
    """Return ``text`` with its lines kept, separated by ``\\n``, and no empty line at either end."""
    lines = [line.rstrip() for line in text.translate(_REMOVED).expandtabs(4).splitlines()]
    return "\n".join(lines).strip("\n")


def joined(texts: str | Sequence[str]) -> str:
    """A text as it is; a list of texts, which an event may have in its place, as one."""
    return texts if isinstance(texts, str) else ", ".join(texts)


def shorten(text: str, limit: int) -> str:
    """Cut ``text`` to ``limit`` characters, the last one an ellipsis if something was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
