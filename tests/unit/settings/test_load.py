"""Where the values of settings come from: the environment, `.env`, defaults."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from settings import KafkaSettings, Settings, SettingsError, describe, load_settings
from tests.helpers.repository import REPOSITORY
from tests.helpers.settings import load, problems


def test_without_any_variable_the_defaults_hold() -> None:
    settings = load({})
    assert settings.kafka == KafkaSettings(
        bootstrap_servers=("127.0.0.1:9092",),
        security_protocol="PLAINTEXT",
        namespace="todo",
        partitions=8,
        replication_factor=None,
        connect_timeout_s=5.0,
        send_timeout_s=20.0,
        session_timeout_s=45.0,
    )
    assert (settings.smtp.host, settings.smtp.port, settings.smtp.tls) == ("127.0.0.1", 1025, "none")
    assert (settings.smtp.sender, settings.smtp.timeout_s) == ("Todo <todo@localhost>", 10.0)
    worker = settings.worker
    assert (worker.processes, worker.threads, worker.commit_interval_ms) == (2, 8, 300)
    assert settings.database_url.get_secret_value() == "sqlite:///todo.db"


#: Every setting: what is given, and what is taken.
PAGE = REPOSITORY / "web" / "client" / "example"
EVERY_SETTING: dict[str, tuple[str, Any]] = {
    "KAFKA_BOOTSTRAP_SERVERS": (
        "one:9092, two.example.com:9093,[::1]:9094",
        ("one:9092", "two.example.com:9093", "[::1]:9094"),
    ),
    "KAFKA_SECURITY_PROTOCOL": ("SASL_SSL", "SASL_SSL"),
    "KAFKA_SASL_MECHANISM": ("SCRAM-SHA-256", "SCRAM-SHA-256"),
    "KAFKA_SASL_USERNAME": ("bot", "bot"),
    "KAFKA_SASL_PASSWORD": ("kafka-password", SecretStr("kafka-password")),
    "KAFKA_OAUTH_TOKEN_URL": ("https://login.example.com/token", "https://login.example.com/token"),
    "KAFKA_OAUTH_CLIENT_ID": ("pool", "pool"),
    "KAFKA_OAUTH_CLIENT_SECRET": ("oauth-secret", SecretStr("oauth-secret")),
    "KAFKA_OAUTH_SCOPE": ("jobs", "jobs"),
    "KAFKA_OAUTH_TOKEN_PROVIDER": ("shop.tokens:token", "shop.tokens:token"),
    "KAFKA_SSL_CA_FILE": (__file__, Path(__file__)),
    "KAFKA_SSL_CERT_FILE": (__file__, Path(__file__)),
    "KAFKA_SSL_KEY_FILE": (__file__, Path(__file__)),
    "KAFKA_SSL_KEY_PASSWORD": ("key-password", SecretStr("key-password")),
    "KAFKA_NAMESPACE": ("todo-2.test_A", "todo-2.test_A"),
    "KAFKA_PARTITIONS": ("3", 3),
    "KAFKA_REPLICATION_FACTOR": ("2", 2),
    "KAFKA_JOBS_RETENTION": ("7d", timedelta(days=7)),
    "KAFKA_CONNECT_TIMEOUT_S": ("1.5", 1.5),
    "KAFKA_SEND_TIMEOUT_S": ("2.5", 2.5),
    "KAFKA_SESSION_TIMEOUT_S": ("12.5", 12.5),
    "SMTP_HOST": ("::1", "::1"),
    "SMTP_PORT": ("587", 587),
    "SMTP_USERNAME": ("mailer", "mailer"),
    "SMTP_PASSWORD": ("smtp-password", SecretStr("smtp-password")),
    "SMTP_TLS": ("starttls", "starttls"),
    "SMTP_CA_FILE": (__file__, Path(__file__)),
    "SMTP_SENDER": ("bot@example.com", "bot@example.com"),
    "SMTP_TIMEOUT_S": ("2", 2.0),
    "SMTP_CONNECTIONS": ("2", 2),
    "SMTP_IDLE_S": ("1.5", 1.5),
    "SMTP_LEASE_S": ("90", 90.0),
    "SMTP_UNSUBSCRIBE_URL": (
        "https://todo.example.com/unsubscribe/{id}",
        "https://todo.example.com/unsubscribe/{id}",
    ),
    "SMTP_UNSUBSCRIBE_SECRET": ("u" * 32, SecretStr("u" * 32)),
    "SMTP_UNSUBSCRIBE_MAILTO": ("no-more@example.com", "no-more@example.com"),
    "DELIVERY_KEPT_DAYS": ("45", 45.0),
    "WORKER_PROCESSES": ("1", 1),
    "WORKER_THREADS": ("4", 4),
    "WORKER_COMMIT_INTERVAL_MS": ("50", 50),
    "WORKER_KEEP_DONE_HOURS": ("1.5", 1.5),
    "WORKER_MAX_DELAY": ("36h", timedelta(hours=36)),
    "WORKER_HEALTH_DIR": ("/run/todo", Path("/run/todo")),
    "WORKER_HTTP": ("0.0.0.0:9090", "0.0.0.0:9090"),
    "WORKER_DRAMATIQ_METRICS": ("on", "on"),
    "WORKER_STATS": ("off", "off"),
    "REMINDER_MISSED": ("skip", "skip"),
    "REMINDER_GRACE": ("90s", timedelta(seconds=90)),
    "REMINDER_RECONCILE_EVERY": ("10m", timedelta(minutes=10)),
    "REMINDER_KEPT_DAYS": ("60.5", 60.5),
    "EVENT_MAX_AHEAD": ("30s", timedelta(seconds=30)),
    "AUDIT_ARCHIVE_DIR": ("/archive", Path("/archive")),
    "AUDIT_KEY_FILE": ("/keys/audit.pem", Path("/keys/audit.pem")),
    "AUDIT_PUBLIC_KEYS_FILE": ("/keys/audit.pub", Path("/keys/audit.pub")),
    "WEB_HOST": ("0.0.0.0", "0.0.0.0"),
    "WEB_PORT": ("80", 80),
    "WEB_LIVE_PORT": ("81", 81),
    "WEB_JWT_SECRET": ("s" * 32, SecretStr("s" * 32)),
    "WEB_JWT_JWKS": (__file__, __file__),
    "WEB_JWT_AUDIENCE": ("chat", "chat"),
    "WEB_JWT_ISSUER": ("https://login.example.com", "https://login.example.com"),
    "WEB_JWT_USER_CLAIM": ("sub", "sub"),
    "WEB_JWT_ROLES_CLAIM": ("groups", "groups"),
    "WEB_DAPR_TOKEN": ("another-secret-of-32-bytes-or-more", SecretStr("another-secret-of-32-bytes-or-more")),
    "WEB_DAPR_PUBSUB": ("kafka-pubsub", "kafka-pubsub"),
    "WEB_DAPR_TOPIC": ("todos", "todos"),
    "WEB_SESSION_SECRET": ("t" * 32, SecretStr("t" * 32)),
    "WEB_READ_ONLY": ("on", "on"),
    "WEB_ORIGINS": (
        "https://todo.example.com, http://localhost:3000",
        ("https://todo.example.com", "http://localhost:3000"),
    ),
    "WEB_PAGE": (str(PAGE), PAGE),
    "WEB_UPDATES": ("off", "off"),
    "WEB_RING_MB": ("16", 16),
    "WEB_RESUME": ("2h", timedelta(hours=2)),
    "WEB_CONNECTIONS": ("100", 100),
    "WEB_CONNECTIONS_PER_USER": ("5", 5),
    "WEB_CONNECTIONS_PER_ADDRESS": ("20", 20),
    "WEB_DRAIN": ("5s", timedelta(seconds=5)),
    "LOG_FORMAT": ("json", "json"),
    "DATABASE_URL": ("sqlite:////srv/todo.db", SecretStr("sqlite:////srv/todo.db")),
    "OUTBOX_DATABASE_URL": ("sqlite:////srv/shop.db", SecretStr("sqlite:////srv/shop.db")),
}


def test_every_variable_reaches_its_field() -> None:
    assert list(EVERY_SETTING) == [row.variable for row in describe()]
    # One of each two kinds: they do not go together.
    by_url = {name for name in EVERY_SETTING if name.startswith("KAFKA_OAUTH_")} - {
        "KAFKA_OAUTH_TOKEN_PROVIDER"
    }
    by_password = {"KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"}
    by_function = {"KAFKA_OAUTH_TOKEN_PROVIDER"}
    for mechanism, left_out in {
        "SCRAM-SHA-256": {"WEB_JWT_SECRET"} | by_url | by_function,
        "OAUTHBEARER": {"WEB_JWT_JWKS"} | by_password | by_function,
        "AWS_MSK_IAM": {"WEB_JWT_JWKS"} | by_password | by_url | by_function,
    }.items():
        every = {name: both for name, both in EVERY_SETTING.items() if name not in left_out}
        _check(every | {"KAFKA_SASL_MECHANISM": (mechanism, mechanism)})
    only = {name: EVERY_SETTING[name] for name in ("KAFKA_SECURITY_PROTOCOL", *by_function)}
    _check(only | {"KAFKA_SASL_MECHANISM": ("OAUTHBEARER", "OAUTHBEARER")})


def _check(every: dict[str, tuple[str, Any]]) -> None:
    settings = load({variable: given for variable, (given, _) in every.items()})
    for variable, (_, taken) in every.items():
        section, _, name = variable.lower().partition("_")
        holder = getattr(settings, section, None)
        found = getattr(settings, variable.lower()) if holder is None else getattr(holder, name)
        assert found == taken, variable


def test_the_environment_is_the_process_s_own_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_NAMESPACE", "from-the-process")
    assert load_settings(env_file=None).kafka.namespace == "from-the-process"


def test_nothing_but_load_settings_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_NAMESPACE", "from-the-process")
    assert Settings().kafka.namespace == "todo"
    assert load({}).kafka.namespace == "todo"


def test_the_file_fills_in_what_the_environment_leaves_open(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(
        "\ufeffKAFKA_NAMESPACE=from-the-file\nexport KAFKA_PARTITIONS=3\nPOSTGRES_DB=todo\n"
        "SMTP_USERNAME=mailer\nSMTP_PASSWORD='pa${HOME}ss'  # as it stands\nWORKER_THREADS\n",
        encoding="utf-8",
    )
    settings = load_settings({"KAFKA_NAMESPACE": "from-the-process"}, env_file)
    assert settings.kafka.namespace == "from-the-process"
    assert settings.kafka.partitions == 3
    assert settings.worker.threads == 8
    assert settings.smtp.password == SecretStr("pa${HOME}ss")


def test_the_file_is_the_one_in_the_current_folder_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("KAFKA_NAMESPACE=from-the-file\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings({}).kafka.namespace == "from-the-file"


def test_a_file_that_is_missing_or_a_folder_is_no_file(tmp_path: Path) -> None:
    assert load_settings({}, tmp_path / "missing") == load_settings({}, tmp_path) == load({})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_bytes(b"KAFKA_NAMESPACE=\xff\n")
    [problem] = problems({}, env_file)
    assert problem.startswith(f"{env_file} cannot be read: ")


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("KAFKA_NAMESPACE=from-the-file\n")
    assert load_settings({"KAFKA_NAMESPACE": "", "KAFKA_SASL_PASSWORD": ""}, env_file) == load({})


SHOP = {
    "KAFKA_NAMESPACE": "shop",
    "SMTP_USER": "our own mailer's",
    "SMTP_PORT": "many",
    "WEB_CONCURRENCY": "3",
    "DATABASE_URL": "mysql://shop",
}


def test_an_application_of_another_kind_takes_the_sections_it_wants_and_keeps_its_own_names(
    tmp_path: Path,
) -> None:
    wanted = ["kafka", "worker"]
    env_file = tmp_path / ".env"
    env_file.write_text("SMTP_FROM=shop@example.com\nWEB_HOST=:::\nWORKER_THREADS=3\n")
    settings = load_settings(SHOP, env_file, sections=wanted)
    assert settings == load({"KAFKA_NAMESPACE": "shop", "WORKER_THREADS": "3"})
    with pytest.raises(SettingsError, match="SMTP_USER is not a setting"):
        load_settings(SHOP, env_file)
    # What is wrong within the sections is still told.
    with pytest.raises(
        SettingsError, match="KAFKA_NAMESPACES is not a setting; did you mean KAFKA_NAMESPACE"
    ):
        load_settings({"KAFKA_NAMESPACES": "shop"}, None, sections=wanted)


def test_a_section_that_there_is_not_is_named() -> None:
    with pytest.raises(ValueError, match="mail is no section of the settings: kafka, smtp"):
        load_settings({}, None, sections=["mail"])


def test_settings_are_frozen() -> None:
    settings = load({})
    with pytest.raises(ValidationError):
        settings.kafka.namespace = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.kafka = KafkaSettings()  # type: ignore[misc]


@pytest.mark.parametrize(
    "wrong",
    [
        'DATABASE_URL="postgresql://u:hunter2@db/todo',
        "KAFKA_SASL_PASSWORD='hunter2's",
        "DATABASE_URL: postgresql://u:hunter2@db/todo",
        "KAFKA_NAMESPACE hunter2",
    ],
)
def test_a_line_of_the_file_that_sets_nothing_is_refused_without_its_text(wrong: str, tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(f"# ours\nexport SMTP_HOST=mail\n{wrong}\nSMTP_POST=25\n")
    first, second = problems({}, env_file)
    assert first == f"{env_file}, line 3 is not like NAME=value; quotes that open must close"
    assert second.startswith("SMTP_POST is not a setting")
