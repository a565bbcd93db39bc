"""The keys that sign archives and check them: Ed25519, in PEM files as ``openssl genpkey`` writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from workers.errors import WorkersError

_PUBLIC = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
_MAKE_ONE = "openssl genpkey -algorithm ed25519 -out FILE makes one"


class ArchiveKeyError(WorkersError):
    """A key of the archives cannot be used."""


class Keys:
    """Signs with one key, if there is one, and checks with several: those of earlier years, too."""

    def __init__(self, private: Path | None, public: Path | None) -> None:
        """Read the files. Without ``public``, signatures are those of ``private``. Raises ArchiveKeyError."""
        self._private = _read(private, "AUDIT_KEY_FILE", _private_key) if private else None
        if public:
            self._public: Sequence[Any] = _read(public, "AUDIT_PUBLIC_KEYS_FILE", _public_keys)
        else:
            self._public = [self._private.public_key()] if self._private else []

    @property
    def can_sign(self) -> bool:
        return self._private is not None

    @property
    def can_check(self) -> bool:
        return bool(self._public)

    def sign(self, content: bytes) -> bytes:
        """The signature of ``content``."""
        assert self._private is not None
        signature: bytes = self._private.sign(content)
        return signature

    def fits(self, signature: bytes, content: bytes) -> bool:
        """Whether one of the keys has signed ``content`` so."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra

        for key in self._public:
            try:
                key.verify(signature, content)
            except InvalidSignature:
                continue
            return True
        return False


def _read(file: Path, setting: str, parse: Callable[[bytes], Any]) -> Any:
    try:
        return parse(file.read_bytes())
    except ModuleNotFoundError as exc:
        raise ArchiveKeyError("Archives need cryptography: install todo-workers[archive]") from exc
    except OSError as exc:
        raise ArchiveKeyError(f"{setting}: {file} cannot be read: {exc.strerror}") from exc
    except (ValueError, TypeError) as exc:
        raise ArchiveKeyError(
            f"{setting}: {file} has no Ed25519 key in PEM, or a locked one; {_MAKE_ONE}"
        ) from exc


def _private_key(content: bytes) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    key = load_pem_private_key(content, None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("another kind of key")
    return key


def _public_keys(content: bytes) -> Sequence[Any]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    keys = [load_pem_public_key(one) for one in _PUBLIC.findall(content)]
    if not keys or not all(isinstance(key, Ed25519PublicKey) for key in keys):
        raise TypeError("no key, or another kind of key")
    return keys
