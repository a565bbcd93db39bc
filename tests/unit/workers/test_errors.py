"""The texts of errors: whatever a server, a library or the environment said, they are plain text."""

from __future__ import annotations

import sys
from types import ModuleType

import kafka.errors
import pytest

import settings.problems
from settings import SettingsError
from workers.errors import (
    BatchNotDelivered,
    KafkaUnreachable,
    WorkersError,
    WrongUsage,
    plain_text,
    settings_problems,
)
from workers.kafka import Cluster
from workers.kafka.error_translation import translated

SAID = "Empfänger".encode("latin-1").decode(errors="surrogateescape")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Käse → 酒 😀", "Käse → 酒 😀"),
        (SAID, r"Empf\xe4nger"),
        ("half \ud83d of a pair", r"half \ud83d of a pair"),
        (f"{SAID} \ud83d", r"Empf\udce4nger \ud83d"),
        ("", ""),
    ],
)
def test_every_text_can_be_written_as_utf_8(text: str, plain: str) -> None:
    assert plain_text(text) == plain
    assert plain_text(plain) == plain


@pytest.mark.parametrize("kind", [WorkersError, WrongUsage, KafkaUnreachable])
def test_an_error_has_plain_text_whatever_it_is_given(kind: type[WorkersError]) -> None:
    assert str(kind(SAID)) == r"Empf\xe4nger"


def test_what_kafka_says_is_plain_text() -> None:
    for error in (kafka.errors.KafkaError(SAID), kafka.errors.AuthorizationError(SAID), OSError(SAID)):
        told = str(translated(error, Cluster(), SAID))
        assert r"Empf\xe4nger" in told
        assert told.encode()


def test_an_error_without_a_text_has_its_docstring() -> None:
    assert str(WorkersError()).startswith("The worker pool could not do what was asked")
    assert BatchNotDelivered.__doc__


def test_only_an_error_of_the_settings_has_problems() -> None:
    assert settings_problems(SettingsError(["no", "nor"])) == ("no", "nor")
    assert not settings_problems(ValueError("no"))


class OtherError(Exception):
    """One that has no list of problems."""


@pytest.mark.parametrize("its_own", [None, OtherError, "text"], ids=["none", "another", "no class"])
def test_an_application_may_have_a_module_of_the_settings_name(
    monkeypatch: pytest.MonkeyPatch, its_own: object
) -> None:
    module = ModuleType(settings.problems.__name__)
    if its_own is not None:
        module.SettingsError = its_own  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for error in (ValueError("no"), OtherError()):
        assert not settings_problems(error)
