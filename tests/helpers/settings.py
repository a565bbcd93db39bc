"""Loads settings from variables alone, and lists the problems of those that are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from settings import Settings, SettingsError, load_settings

PASSWORD = "correct-horse-battery"
SASL = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "bot",
    "KAFKA_SASL_PASSWORD": PASSWORD,
}


def load(environ: Mapping[str, str]) -> Settings:
    return load_settings(environ, env_file=None)


def problems(environ: Mapping[str, str], env_file: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, env_file)
    return str(caught.value).splitlines()
