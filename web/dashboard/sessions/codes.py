"""Codes by which somebody who sees the log of this start logs in, where no key for tokens is set."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading


def first_code(secret: str) -> str:
    """The first code of a start whose development key is ``secret``."""
    return hmac.new(secret.encode(), b"first code of the dashboard", hashlib.sha256).hexdigest()[:32]


class OneTimeCodes:
    """Keeps one code at a time, which is good once: the next one is another. For any thread."""

    def __init__(self, code: str | None = None) -> None:
        self._code = code or secrets.token_hex(16)
        self._lock = threading.Lock()

    @property
    def code(self) -> str:
        """The code that is good now."""
        return self._code

    def take(self, given: str) -> bool:
        """Whether that is the code; if so, it is good no more."""
        with self._lock:
            is_right = hmac.compare_digest(given.encode(errors="replace"), self._code.encode())
            if is_right:
                self._code = secrets.token_hex(16)
            return is_right
