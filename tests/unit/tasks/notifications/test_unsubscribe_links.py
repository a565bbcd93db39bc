"""Links that unsubscribe: nobody makes one without the secret."""

from __future__ import annotations

import re
from uuid import UUID, uuid5

import pytest

from tasks.notifications.unsubscribe_links import notice_in, signed

NOTICE = UUID("0d5c3c3a-5a68-4b6c-9d3b-0c9f1f2d7a11")
SECRET = "a secret of thirty-two bytes or more"
SIGNED = signed(NOTICE, SECRET)


def test_a_signed_notice_can_stand_in_a_url_and_is_known_again() -> None:
    assert re.fullmatch(rf"{NOTICE}\.[0-9a-f]{{32}}", SIGNED)
    assert notice_in(SIGNED, SECRET) == NOTICE


@pytest.mark.parametrize(
    "given",
    [
        "",
        ".",
        str(NOTICE),
        f"{NOTICE}.",
        SIGNED[:-1],
        f"{SIGNED}0",
        SIGNED.upper(),
        SIGNED.replace("-", ""),
        f"{NOTICE}.ä",
        f"{NOTICE}.\udcff",
        signed(NOTICE, "another secret"),
        f"{uuid5(NOTICE, 'other')}.{SIGNED.partition('.')[2]}",
    ],
)
def test_anything_else_is_no_notice(given: str) -> None:
    assert notice_in(given, SECRET) is None
