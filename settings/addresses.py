"""Checks e-mail addresses, in the same way for recipients and for the settings. Pure."""

from __future__ import annotations

from functools import cache, lru_cache

#: A label that makes a reserved name, such as `localhost`, one that email-validator checks like any other.
_ORDINARY = ".x"


@lru_cache(maxsize=1_000)  # the same few owners come again and again
def mail_address(address: str) -> str:
    """The address as a mail server needs it: an international domain in Punycode.

    Only the mail server can say whether the domain exists: it may be one of an intranet or of a test. A part
    before the @ that is not ASCII stays as it is; only a server that offers SMTPUTF8 takes it.

    Raises ValueError if it is no address; the text is the end of a sentence that begins with the field.
    """
    try:
        return normal(address)
    except ValueError as exc:
        raise ValueError(f"is not an e-mail address like ana@example.com: {exc}") from exc


def normal(address: str) -> str:
    """As `mail_address`, but the ValueError is the reason, a sentence of its own."""
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 - long to load

    # It always refuses a reserved name, unless its list is changed for the whole process.
    suffix = _ORDINARY if address.lower().endswith(_reserved()) else ""
    try:
        valid = validate_email(address + suffix, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as exc:
        raise ValueError(" ".join(str(exc).split())) from exc
    return f"{valid.local_part}@{valid.ascii_domain.removesuffix(suffix)}"


@cache
def _reserved() -> tuple[str, ...]:
    from email_validator import SPECIAL_USE_DOMAIN_NAMES  # noqa: PLC0415

    return tuple(f"{before}{name}" for name in SPECIAL_USE_DOMAIN_NAMES for before in "@.")
