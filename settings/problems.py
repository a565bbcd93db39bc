"""Says what is wrong with the settings, in words for the person who set them."""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from settings.names import closest, is_under_our_prefixes, misspelt, setting_names

#: Pydantic's kinds of error whose own words say more about parsing than about the value.
_WORDS = {
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_parsing": "should be a number",
    "finite_number": "should be a number",
}


class SettingsError(Exception):
    """The settings are wrong. `str` lists every problem, one a line, and never holds a secret's value."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def unknown_names(
    names: Iterable[str], *, in_our_file: bool, sections: Collection[str] | None = None
) -> list[str]:
    """A line for each name that is not a setting, of these sections or any, but was meant to be one.

    In the environment that is a name near a real one; any other belongs to another program. In `.env`, which
    is ours, it is every name under our prefixes as well. Names that are neither are left alone in both.
    """
    known = setting_names(sections)
    problems = []
    for name in sorted(set(names) - known):
        meant = misspelt(name, known)
        if meant is None and in_our_file and is_under_our_prefixes(name, sections):
            meant = closest(name, known)
        if meant is not None:
            where = " (in .env)" if in_our_file else ""
            problems.append(f"{name} is not a setting; did you mean {meant}?{where}")
    return problems


def not_text(given: Mapping[str, str]) -> list[str]:
    """A line for each value with bytes that are not UTF-8, which the environment hands out all the same."""
    return [f"{name} has bytes that are not UTF-8 text" for name in given if not _is_text(given[name])]


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def invalid_values(error: ValidationError) -> list[str]:
    """A line for each value that `error` is about."""
    return [_line(details) for details in error.errors()]


def _line(details: ErrorDetails) -> str:
    # A part of a value has its index at the end of its place; the variable is named by the two words before.
    variable = "_".join(str(part) for part in details["loc"] if isinstance(part, str)).upper()
    if details["type"] == "value_error":
        return f"{variable} {details['ctx']['error']}"
    said = details["msg"].replace("Input should", "should", 1)
    words = _WORDS.get(details["type"], said)
    # A length of time is not there as it was written.
    given = "" if isinstance(details["input"], timedelta) else f", not {details['input']!r}"
    return f"{variable} {words}{given}"
