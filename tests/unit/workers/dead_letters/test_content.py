"""The texts in a dead letter's job, whatever its encoder makes of it."""

from __future__ import annotations

from typing import Any

from workers.dead_letters.content import read, texts_in


class Unwritable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_every_text_is_found_once_in_whatever_holds_it() -> None:
    value = {"name": ["a", ("b", {"c"})], "raw": b"\xffd", "number": 12.5, "none": None, "bad": Unwritable()}
    found = ["12.5", "\\xffd", "a", "b", "bad", "c", "name", "none", "number", "raw"]
    assert sorted(texts_in(value)) == found


def test_a_value_that_holds_itself_or_is_nested_deep_ends() -> None:
    own: list[Any] = ["x"]
    own.append(own)
    deep: Any = "y"
    for _ in range(100_000):
        deep = [deep]
    assert list(texts_in(own)) == ["x"]
    assert list(texts_in(deep)) == ["y"]
    while isinstance(deep, list):  # freed by recursion it would take the stack
        deep = deep[0]


def test_bytes_that_nobody_can_read_are_nothing() -> None:
    assert read(None) is None
    assert read(b"\xff") is None
    assert read(b"[" * 100_000) is None
    assert read(b'{"args": [1]}') == {"args": [1]}
