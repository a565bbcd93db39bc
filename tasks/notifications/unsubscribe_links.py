"""Signs the ids of notices for the links that unsubscribe, so that only who has the mail has the link. Pure.

An id alone is no secret: it follows from the event's, and it is in the mail's Message-ID.
"""

from __future__ import annotations

import hmac
from uuid import UUID

#: Bytes of an HMAC with SHA-256 that are kept: as many as cannot be guessed.
_SIGNATURE_BYTES = 16


def signed(notice_id: UUID, secret: str) -> str:
    """Return ``<notice id>.<signature>``, of characters that any URL may have."""
    digest = hmac.digest(secret.encode(), str(notice_id).encode(), "sha256")
    return f"{notice_id}.{digest[:_SIGNATURE_BYTES].hex()}"


def notice_in(given: str, secret: str) -> UUID | None:
    """Return the id in what `signed` made with the same secret; None for anything else.

    The time that it takes does not tell how much of a signature is right.
    """
    try:
        notice_id = UUID(given.partition(".")[0])
        is_ours = hmac.compare_digest(signed(notice_id, secret).encode(), given.encode())
    except ValueError:  # no id, or half a surrogate pair
        return None
    return notice_id if is_ours else None
