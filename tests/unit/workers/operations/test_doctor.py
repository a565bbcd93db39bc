"""A check that fails is a line; Ctrl-C within one ends all."""

from __future__ import annotations

from typing import NoReturn

import pytest

from tests.helpers.interrupts import interrupted_wait
from workers.operations.doctor import _found


def test_a_check_that_fails_is_a_line_and_one_that_is_interrupted_is_none() -> None:
    def fails(error: BaseException) -> NoReturn:
        raise error

    assert _found("mail", lambda: fails(RuntimeError("a fault"))).text == "RuntimeError: a fault"
    with pytest.raises(RuntimeError, match="release unlocked lock"):
        _found("mail", lambda: fails(interrupted_wait()))
