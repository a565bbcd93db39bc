"""A filter of dead letters in a URL or a form. Pure: no clock."""

from __future__ import annotations

from collections.abc import Mapping

from workers.cli.times import parse_time
from workers.dead_letters.filter import Filter
from workers.dead_letters.letter import Reason
from workers.errors import WrongUsage

#: The names of the fields; ``id`` is that of one letter, or how it begins.
FIELDS = ("queue", "actor", "reason", "exception", "kind", "text", "since", "until", "id")
MAX_CHARS = 500
#: The exception of letters that have none; no class has a space in its name.
NO_EXCEPTION = "no exception"


class Fields(dict[str, str]):
    """The fields of a form that are set; one that is not is empty."""

    def __missing__(self, name: str) -> str:
        return ""


def asked(values: Mapping[str, str]) -> Fields:
    """The fields that are set. Raises WrongUsage for one that is too long."""
    found = Fields({name: values[name] for name in FIELDS if values.get(name)})
    for name, value in found.items():
        if len(value) > MAX_CHARS:
            raise WrongUsage(f"{name} has {len(value):,} characters; at most {MAX_CHARS} are looked for")
    # A kind may be empty: errors without a text.
    if values.get("kind") == "" and "exception" in found:
        found["kind"] = ""
    return found


def filter_of(fields: Mapping[str, str], now_ms: int) -> Filter:
    """The filter that the fields describe. Raises WrongUsage."""
    since, until = (fields.get(name) for name in ("since", "until"))
    return Filter(
        ids=(fields["id"],) if "id" in fields else (),
        queue=fields.get("queue"),
        actor=fields.get("actor"),
        reason=_reason(fields.get("reason")),
        exception="" if fields.get("exception") == NO_EXCEPTION else fields.get("exception"),
        kind=fields.get("kind"),
        text=fields.get("text"),
        since_ms=parse_time(since, now_ms) if since else None,
        until_ms=parse_time(until, now_ms) if until else None,
    )


def _reason(text: str | None) -> Reason | None:
    if text is None:
        return None
    try:
        return Reason(text)
    except ValueError as exc:
        raise WrongUsage(f"{text[:40]!r} is no reason; there are: {', '.join(Reason)}") from exc
