"""The languages of the mails: which one a recipient gets, its words, and how it writes times.

The templates are in English; every other language is one catalog, `templates/<language>.po`. Pure but for
reading the catalogs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from io import BytesIO
from zoneinfo import ZoneInfo

from babel import Locale
from babel.core import UnknownLocaleError
from babel.dates import format_datetime, get_timezone_name
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

#: The language of the templates, and of a recipient for whose language there is no catalog.
DEFAULT = "en"

#: The pattern, as CLDR defines them, of a time; catalogs translate it. It shows no seconds.
TIME_PATTERN = "EEEE, d MMMM y, HH:mm"

_ABBREVIATION = re.compile(r"[A-Z]{2,5}")


@dataclass(frozen=True, eq=False)  # compared by identity: it is a key of caches, and a locale's hash is slow
class Language:
    """A language of the mails. ``code`` names its catalog (de); ``locale`` may be a region's (de_AT).

    `language_for` makes one object for each of them.
    """

    code: str
    locale: Locale

    @property
    def words(self) -> NullTranslations:
        """Its catalog."""
        return _catalog(self.code)

    def show_time(self, time: datetime, zone: ZoneInfo) -> str:
        """Write ``time`` as a person in ``zone`` reads it: Friday, 5 June 2026, 17:00 CEST."""
        # In UTC, as a zone's clock shows some times twice. No zone's offset has had seconds since 1972.
        return _shown(self, time.astimezone(UTC).replace(second=0, microsecond=0), zone)


@cache
def available() -> tuple[str, ...]:
    """The languages that every mail can be written in."""
    catalogs = (file.name for file in files("templates").iterdir() if file.name.endswith(".po"))
    return (DEFAULT, *sorted(name.removesuffix(".po") for name in catalogs))


@lru_cache(maxsize=1_000)  # limited: a tag may be anything
def language_for(tag: str) -> Language:
    """The best language for a tag like de-AT: the region's, else the language's, else English."""
    wanted = tag
    while wanted.lower() not in available():
        wanted, _, rest = wanted.rpartition("-")
        if not rest:
            return _language(DEFAULT, Locale(DEFAULT))
    return _language(wanted.lower(), _locale(tag) or Locale(wanted.lower()))


@cache
def _language(code: str, locale: Locale) -> Language:
    return Language(code, locale)


def _locale(tag: str) -> Locale | None:
    try:
        return Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return None


@lru_cache(maxsize=1_000)  # a mail shows each of its times about twice, and many mails the present minute
def _shown(language: Language, time: datetime, zone: ZoneInfo) -> str:
    local = time.astimezone(zone)
    pattern = language.words.pgettext("time", TIME_PATTERN)
    return f"{format_datetime(local, pattern, locale=language.locale)} {_zone_name(local, language.locale)}"


def _zone_name(local: datetime, locale: Locale) -> str:
    name = get_timezone_name(local, "short", locale=locale)
    if _ABBREVIATION.fullmatch(name):
        return name
    name = local.tzname() or ""
    # A zone without an abbreviation is named by its offset, such as -03. Lines break at a hyphen, but not at
    # a minus sign.
    return "UTC" + name.replace("-", "\N{MINUS SIGN}") if name[:1] in {"+", "-"} else name


@cache
def _catalog(code: str) -> NullTranslations:
    if code == DEFAULT:
        return NullTranslations()
    compiled = BytesIO()
    with files("templates").joinpath(f"{code}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return GNUTranslations(compiled)
