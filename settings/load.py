"""Reads the settings: the only module that looks at the environment and at `.env`."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from dotenv.parser import parse_stream
from pydantic import ValidationError

from settings.models import Settings
from settings.names import nested, setting_names
from settings.problems import SettingsError, invalid_values, not_text, unknown_names


def load_settings(
    environ: Mapping[str, str] | None = None,
    env_file: Path | None = Path(".env"),
    *,
    sections: Collection[str] | None = None,
) -> Settings:
    """The settings that `environ` (default: the process's) and `env_file` (it need not exist) ask for.

    - The environment wins over the file. A variable set to nothing counts as not set: its default holds.
    - Names are upper case. An unknown name is an error if it must have been meant for us: near a real name
      (`KAFKA_BOOTSTRAP_SERVER`), or, in the file, anything under the prefix of a section. Other names in the
      environment are left alone: Kafka's tools and images and Kubernetes' service links use our prefixes too.
    - In the file, `$` has no special meaning.
    - With `sections`, only variables of these are looked at, and all other settings have their defaults: for
      an application of another kind, whose SMTP_ or WEB_ variables are its own.

    Raises SettingsError with everything that is wrong, all at once.
    """
    own = dict(os.environ if environ is None else environ)
    filed, problems = _read(env_file)
    problems += unknown_names(filed, in_our_file=True, sections=sections)
    problems += unknown_names(own.keys() - filed.keys(), in_our_file=False, sections=sections)
    known = setting_names(sections)
    given = {name: value for name, value in (filed | own).items() if name in known and value}
    problems += not_text(given)
    try:
        settings = Settings.model_validate(nested(given))
    except ValidationError as exc:
        raise SettingsError(problems + invalid_values(exc)) from exc
    if problems:
        raise SettingsError(problems)
    return settings


def _read(env_file: Path | None) -> tuple[dict[str, str], list[str]]:
    """What a file sets, and its lines that set nothing though they are meant to."""
    if env_file is None:
        return {}, []
    try:
        if not env_file.exists() or env_file.is_dir():  # Some keep a virtual environment there.
            return {}, []
        with env_file.open(encoding="utf-8-sig") as stream:
            found = list(parse_stream(stream))
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError([f"{env_file} cannot be read: {exc}"]) from exc
    # Without their text, which may have a password.
    wrong = [
        f"{env_file}, line {one.original.line} is not like NAME=value; quotes that open must close"
        for one in found
        if one.error
    ]
    return {one.key: one.value or "" for one in found if one.key is not None}, wrong
