"""Secrets in settings: neither the settings nor their errors show them."""

from __future__ import annotations

import traceback

import pytest
from pydantic import SecretStr

from settings import SettingsError
from tests.helpers.settings import PASSWORD, SASL, load


def test_settings_never_show_a_secret() -> None:
    url = f"postgresql://todo:{PASSWORD}@db/todo"
    settings = load(SASL | {"SMTP_USERNAME": "m", "SMTP_PASSWORD": PASSWORD, "DATABASE_URL": url})
    assert settings.kafka.sasl_password == settings.smtp.password == SecretStr(PASSWORD)
    shown = f"{settings!r} {settings} {settings.kafka!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert PASSWORD not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        # The secret itself is wrong, in each way that there is.
        {"KAFKA_SASL_PASSWORD": PASSWORD},
        {"SMTP_PASSWORD": PASSWORD},
        {"SMTP_UNSUBSCRIBE_SECRET": PASSWORD},
        {"KAFKA_OAUTH_CLIENT_SECRET": PASSWORD},
        {"KAFKA_SSL_KEY_PASSWORD": PASSWORD},
        {"DATABASE_URL": PASSWORD},
        {"DATABASE_URL": f"postgresql//todo:{PASSWORD}@db/todo"},
        {"DATABASE_URL": f"mysql://todo:{PASSWORD}@db/todo"},
        {"DATABASE_URL": f"postgresql://todo:{PASSWORD}@db:x/todo"},
        {"DATABASE_URL": f"postgresql://todo:{PASSWORD}@::1/todo"},
        {"DATABSE_URL": f"postgresql://todo:{PASSWORD}@db/todo"},
        {"KAFKA_SASL_PASSWRD": PASSWORD},
        # Its neighbour is.
        SASL | {"KAFKA_SASL_MECHANISM": "GSSAPI"},
        SASL | {"KAFKA_SECURITY_PROTOCOL": "SASL"},
        SASL | {"KAFKA_PARTITIONS": "0"},
        {"SMTP_USERNAME": "m", "SMTP_PASSWORD": PASSWORD, "SMTP_PORT": "0"},
        {"DATABASE_URL": f"postgresql://todo:{PASSWORD}@db/todo", "WORKER_THREADS": "0"},
        # It stands where none belongs.
        {"KAFKA_BOOTSTRAP_SERVERS": f"bot:{PASSWORD}@broker:9092"},
        {"SMTP_HOST": f"smtp://mailer:{PASSWORD}@mail"},
        {"KAFKA_OAUTH_TOKEN_URL": f"http://id:{PASSWORD}@login.example.com/"},
        {"WEB_JWT_JWKS": f"http://id:{PASSWORD}@login.example.com/"},
        {"WEB_ORIGINS": f"https://id:{PASSWORD}@todo.example.com"},
        {"SMTP_UNSUBSCRIBE_URL": f"http://id:{PASSWORD}@todo.example.com/{{id}}"},
        {"SMTP_UNSUBSCRIBE_URL": f"https://id:{PASSWORD}@todo.example.com/"},
    ],
)
def test_an_error_never_shows_a_secret(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        load(wrong)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in repr(caught.value)
