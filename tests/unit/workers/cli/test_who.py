"""A command's record says who typed it, whatever name is given."""

from __future__ import annotations

import getpass
import socket

import pytest

from workers.cli.who import is_by, who
from workers.errors import WrongUsage

TYPED_BY = f"{getpass.getuser()}@{socket.gethostname()}"


def test_a_name_that_is_given_does_not_hide_the_user_of_the_terminal() -> None:
    assert who(None) == TYPED_BY
    assert who("ann") == f"ann ({TYPED_BY})"


@pytest.mark.parametrize("name", ["", " ", "x" * 101])
def test_a_name_that_says_nothing_or_is_cut_in_records_is_refused(name: str) -> None:
    with pytest.raises(WrongUsage, match="--by should name somebody"):
        who(name)


def test_what_somebody_did_is_found_with_and_without_the_terminal() -> None:
    assert is_by("ann (root@host)", "ann")
    assert is_by("ann (root@host)", "ann (root@host)")
    assert is_by("root@host", "root@host")
    assert not is_by("anna (root@host)", "ann")
    assert not is_by("ann (root@host)", "root@host")
