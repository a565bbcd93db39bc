"""A filter of dead letters. Pure: no I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from .letter import DeadLetter, Reason


@dataclass(frozen=True, slots=True)
class Filter:
    """A letter must match everything that is set. Times are in ms since 1970: when the job was given up."""

    ids: tuple[str, ...] = ()
    queue: str | None = None
    actor: str | None = None
    reason: Reason | None = None
    exception: str | None = None
    text: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """Whether a letter matches: id by its beginning, exception also without module, text in any case."""
        return (
            (not self.ids or any(letter.id.startswith(beginning) for beginning in self.ids))
            and self.queue in {None, letter.queue}
            and self.actor in {None, letter.actor}
            and self.reason in {None, letter.reason}
            and (self.exception is None or _is_named(letter.exception_type, self.exception))
            and (self.text is None or _contains(letter, self.text))
            and (self.since_ms is None or letter.time_ms >= self.since_ms)
            and (self.until_ms is None or letter.time_ms <= self.until_ms)
        )

    @property
    def is_empty(self) -> bool:
        return self == Filter()


def _is_named(full_name: str | None, wanted: str) -> bool:
    return full_name is not None and wanted in {full_name, full_name.rpartition(".")[2]}


def _contains(letter: DeadLetter, text: str) -> bool:
    """Search error, traceback and job; the job both as its bytes are and as the application reads them."""
    wanted = text.casefold()
    value = (letter.value or b"").decode(errors="replace")
    found = (letter.exception_message, letter.traceback, value)
    return any(wanted in part.casefold() for part in found if part) or _is_in_job(letter, wanted)


def _is_in_job(letter: DeadLetter, wanted: str) -> bool:
    from .content import read, texts_in  # noqa: PLC0415 - dramatiq is long to load, and only this needs it

    return any(wanted in part.casefold() for part in texts_in(read(letter.value)))
