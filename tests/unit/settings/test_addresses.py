"""E-mail addresses: which are taken, as what, and that a reserved name is checked like any other."""

from __future__ import annotations

import email_validator
import pytest

from settings.addresses import mail_address


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("ana@example.com", "ana@example.com"),
        ("Ana@Example.COM", "Ana@example.com"),
        ("ana@corp.local", "ana@corp.local"),
        ("ana@mail.corp.local", "ana@mail.corp.local"),
        ("ana@localhost", "ana@localhost"),
        ("ana@LOCALHOST", "ana@localhost"),
        ("ana@example.test", "ana@example.test"),
        ("ana@nowhere.invalid", "ana@nowhere.invalid"),
        ("ana@müller.local", "ana@xn--mller-kva.local"),
        ("ana@bücher.example", "ana@xn--bcher-kva.example"),
        ("jörg@bücher.example", "jörg@xn--bcher-kva.example"),
    ],
)
def test_an_address_is_taken_as_the_mail_server_needs_it(given: str, taken: str) -> None:
    assert mail_address(given) == taken
    assert mail_address(taken) == taken


@pytest.mark.parametrize("domain", ["example.com", "localhost", "corp.local", "example.test"])
@pytest.mark.parametrize(
    "wrong",
    ["{}", "@{}", "ana@.{}", "ana@-.{}", "ana@a..{}", "a b@{}", "ana@@{}", "ana@{}.", "ana@b_c.{}", "a\n@{}"],
)
def test_what_is_no_address_is_none_at_a_reserved_name_either(wrong: str, domain: str) -> None:
    with pytest.raises(ValueError, match=r"is not an e-mail address like ana@example\.com: \S"):
        mail_address(wrong.format(domain))


def test_the_librarys_list_of_reserved_names_is_left_alone() -> None:
    mail_address("ana@corp.local")
    assert "local" in email_validator.SPECIAL_USE_DOMAIN_NAMES
    with pytest.raises(email_validator.EmailNotValidError, match="special-use or reserved"):
        email_validator.validate_email("ana@corp.local", check_deliverability=False)
