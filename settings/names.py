"""Finds out which variables are settings, and which are misspelt settings. Pure."""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from settings.models import Settings

#: A name counts as a misspelling up to this many edits; a short one up to fewer.
_MAX_EDITS = 2

#: The units of a length of time; a default is written in the largest unit that makes it a whole number.
_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}


class Variable(NamedTuple):
    """A row of the settings table."""

    variable: str
    default: str  #: As one would write it in `.env`; empty if unset is the default.
    meaning: str


def describe() -> list[Variable]:
    """Every setting, in the order of the models: variable, default, meaning."""
    fields = _fields().items()
    return [Variable(name, _as_text(field.default), field.description or "") for name, field in fields]


def setting_names(sections: Collection[str] | None = None) -> frozenset[str]:
    """Every variable that is a setting; of these sections alone if some are given, such as `kafka`."""
    if sections is None:
        return frozenset(_fields())
    if unknown := set(sections) - _sections().keys():
        raise ValueError(
            f"{', '.join(sorted(unknown))} is no section of the settings: {', '.join(_sections())}"
        )
    return frozenset(name for name in _fields() if is_under_our_prefixes(name, sections))


def nested(values: Mapping[str, str]) -> dict[str, Any]:
    """Values of variables by section and field, as the model takes them."""
    found: dict[str, Any] = {}
    for variable, value in values.items():
        section, _, name = variable.lower().partition("_")
        if section in _sections():
            found.setdefault(section, {})[name] = value
        else:
            found[variable.lower()] = value
    return found


def is_under_our_prefixes(name: str, sections: Collection[str] | None = None) -> bool:
    """Whether the name, in any case, begins like the variables of a section, of these if some are given."""
    named = _sections() if sections is None else sections
    return name.upper().startswith(tuple(f"{section.upper()}_" for section in named))


def misspelt(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is most likely a misspelling of, or None if none is near.

    Near means equal but for the case, very few edits away, or cut short (`SMTP_USER`). A name with another
    word in it is not near: Kubernetes sets `SMTP_PORT_25_TCP`, Kafka's images know `KAFKA_NUM_PARTITIONS`.
    """
    upper = name.upper()
    candidates = [real for real in known if _is_near(upper, real)]
    return closest(upper, candidates) if candidates else None


def closest(name: str, known: Iterable[str]) -> str:
    """The known name with the fewest edits to it, however many; of equals, the first in the alphabet."""
    return min(known, key=lambda real: (_edits_between(name.upper(), real), real))


@cache
def _sections() -> dict[str, type[BaseModel]]:
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


@cache
def _fields() -> dict[str, FieldInfo]:
    sections = _sections()
    found: dict[str, FieldInfo] = {}
    for name, field in Settings.model_fields.items():
        if name in sections:
            found |= {f"{name}_{key}".upper(): inner for key, inner in sections[name].model_fields.items()}
        else:
            found[name.upper()] = field
    return found


def _as_text(default: object) -> str:
    if isinstance(default, SecretStr):  # A default is no secret: it stands in the source.
        return default.get_secret_value()
    if isinstance(default, tuple):
        return ",".join(default)
    if isinstance(default, timedelta):
        unit, length = next((unit, length) for unit, length in _UNITS.items() if not default % length)
        return f"{default // length}{unit}"
    return "" if default is None else str(default)


def _is_near(name: str, real: str) -> bool:
    # Only the part after the section counts: otherwise every name under KAFKA_ would be half right.
    section = f"{real.partition('_')[0]}_" if is_under_our_prefixes(real) else ""
    if not name.startswith(section):
        return False
    given, wanted = name.removeprefix(section), real.removeprefix(section)
    if given.startswith(f"{wanted}_"):
        return False
    cut_short = bool(section) and wanted.startswith(given) and 2 * len(given) >= len(wanted)
    return cut_short or _edits_between(given, wanted) <= min(_MAX_EDITS, max(1, len(wanted) // 4))


def _edits_between(left: str, right: str) -> int:
    """How many insertions, deletions, replacements and swaps of neighbours turn `left` into `right`."""
    older: list[int] = []
    previous: list[int] = []
    current = list(range(len(right) + 1))
    for i, a in enumerate(left):
        older, previous, current = previous, current, [i + 1]
        for j, b in enumerate(right):
            edits = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a != b))
            if i and j and a == right[j - 1] and b == left[i - 1]:
                edits = min(edits, older[j - 1] + 1)
            current.append(edits)
    return current[-1]
