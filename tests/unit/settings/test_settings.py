"""Settings: where values come from, what is refused, in which words, and that secrets stay secret."""

import traceback
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import make_url

from settings import KafkaSettings, Settings, SettingsError, describe, load_settings
from tests.helpers.repository import REPOSITORY

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


# Where values come from


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
    )
    assert (settings.smtp.host, settings.smtp.port, settings.smtp.tls) == ("127.0.0.1", 1025, "none")
    assert (settings.smtp.sender, settings.smtp.timeout_s) == ("Todo <todo@localhost>", 10.0)
    worker = settings.worker
    assert (worker.processes, worker.threads, worker.commit_interval_ms) == (2, 8, 300)
    assert settings.database_url.get_secret_value() == "sqlite:///todo.db"


def test_every_variable_reaches_its_field(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.touch()
    settings = load(
        {
            "KAFKA_BOOTSTRAP_SERVERS": "one:9092, two.example.com:9093,[::1]:9094",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256",
            "KAFKA_SASL_USERNAME": "bot",
            "KAFKA_SASL_PASSWORD": "kafka-password",
            "KAFKA_SSL_CA_FILE": str(ca_file),
            "KAFKA_NAMESPACE": "todo-2.test_A",
            "KAFKA_PARTITIONS": "3",
            "KAFKA_REPLICATION_FACTOR": "2",
            "KAFKA_CONNECT_TIMEOUT_S": "1.5",
            "KAFKA_SEND_TIMEOUT_S": "2.5",
            "SMTP_HOST": "::1",
            "SMTP_PORT": "587",
            "SMTP_USERNAME": "mailer",
            "SMTP_PASSWORD": "smtp-password",
            "SMTP_TLS": "starttls",
            "SMTP_CA_FILE": str(ca_file),
            "SMTP_SENDER": "bot@example.com",
            "SMTP_TIMEOUT_S": "2",
            "SMTP_CONNECTIONS": "2",
            "SMTP_IDLE_S": "1.5",
            "SMTP_LEASE_S": "90",
            "SMTP_UNSUBSCRIBE_URL": "https://todo.example.com/unsubscribe/{id}",
            "SMTP_UNSUBSCRIBE_MAILTO": "no-more@example.com",
            "WORKER_PROCESSES": "1",
            "WORKER_THREADS": "4",
            "WORKER_COMMIT_INTERVAL_MS": "50",
            "WORKER_KEEP_DONE_HOURS": "1.5",
            "WORKER_MAX_DELAY": "36h",
            "WORKER_HEALTH_DIR": "/run/todo",
            "REMINDER_MISSED": "skip",
            "REMINDER_GRACE": "90s",
            "REMINDER_RECONCILE_EVERY": "10m",
            "DATABASE_URL": "sqlite:////srv/todo.db",
        }
    )
    assert settings.model_dump() == {
        "kafka": {
            "bootstrap_servers": ("one:9092", "two.example.com:9093", "[::1]:9094"),
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-256",
            "sasl_username": "bot",
            "sasl_password": SecretStr("kafka-password"),
            "ssl_ca_file": ca_file,
            "namespace": "todo-2.test_A",
            "partitions": 3,
            "replication_factor": 2,
            "connect_timeout_s": 1.5,
            "send_timeout_s": 2.5,
        },
        "smtp": {
            "host": "::1",
            "port": 587,
            "username": "mailer",
            "password": SecretStr("smtp-password"),
            "tls": "starttls",
            "ca_file": ca_file,
            "sender": "bot@example.com",
            "timeout_s": 2.0,
            "connections": 2,
            "idle_s": 1.5,
            "lease_s": 90.0,
            "unsubscribe_url": "https://todo.example.com/unsubscribe/{id}",
            "unsubscribe_mailto": "no-more@example.com",
        },
        "worker": {
            "processes": 1,
            "threads": 4,
            "commit_interval_ms": 50,
            "keep_done_hours": 1.5,
            "max_delay": timedelta(hours=36),
            "health_dir": Path("/run/todo"),
        },
        "reminder": {
            "missed": "skip",
            "grace": timedelta(seconds=90),
            "reconcile_every": timedelta(minutes=10),
        },
        "database_url": SecretStr("sqlite:////srv/todo.db"),
    }


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


def test_settings_are_frozen() -> None:
    settings = load({})
    with pytest.raises(ValidationError):
        settings.kafka.namespace = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.kafka = KafkaSettings()  # type: ignore[misc]


# Names


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAFKA_BOOTSTRAP", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAFKA_BOOSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAFKA_SASL_USER", "KAFKA_SASL_USERNAME"),
        ("KAFKA_SASL_MECHANISMS", "KAFKA_SASL_MECHANISM"),
        ("KAFKA_CONNECT_TIMEOUT_MS", "KAFKA_CONNECT_TIMEOUT_S"),
        ("KAFKA_NAMESAPCE", "KAFKA_NAMESPACE"),
        ("kafka_namespace", "KAFKA_NAMESPACE"),
        ("SMTP_USER", "SMTP_USERNAME"),
        ("SMTP_PASS", "SMTP_PASSWORD"),
        ("SMTP_TSL", "SMTP_TLS"),
        ("SMTP_TIMEOUT", "SMTP_TIMEOUT_S"),
        ("WORKER_PROCESS", "WORKER_PROCESSES"),
        ("WORKER_COMMIT_INTERVAL", "WORKER_COMMIT_INTERVAL_MS"),
        ("DATABSE_URL", "DATABASE_URL"),
        ("DATABASE_URI", "DATABASE_URL"),
    ],
)
def test_a_misspelt_variable_is_reported_with_the_nearest_name(name: str, meant: str, tmp_path: Path) -> None:
    said = f"{name} is not a setting; did you mean {meant}?"
    assert problems({name: "x"}) == [said]
    env_file = tmp_path / ".env"
    env_file.write_text(f"{name}=x\n")
    assert problems({}, env_file) == problems({name: "x"}, env_file) == [f"{said} (in .env)"]


@pytest.mark.parametrize("name", [row.variable for row in describe()])
def test_one_letter_left_out_or_two_swapped_is_a_misspelling(name: str) -> None:
    start = 0 if name == "DATABASE_URL" else name.index("_") + 1
    without_one = {name[:i] + name[i + 1 :] for i in range(start, len(name))}
    swapped = {name[:i] + name[i + 1] + name[i] + name[i + 2 :] for i in range(start, len(name) - 1)}
    for typo in (without_one | swapped) - {name}:
        assert problems({typo: "x"}) == [f"{typo} is not a setting; did you mean {name}?"]


@pytest.mark.parametrize(
    "name",
    [
        # Kafka's own scripts and images
        *(
            "KAFKA_HOME",
            "KAFKA_OPTS",
            "KAFKA_HEAP_OPTS",
            "KAFKA_LOG4J_OPTS",
            "KAFKA_JMX_OPTS",
            "KAFKA_JMX_PORT",
        ),
        *("KAFKA_CLUSTER_ID", "KAFKA_NODE_ID", "KAFKA_BROKER_ID", "KAFKA_LISTENERS", "KAFKA_LOG_DIRS"),
        *("KAFKA_ADVERTISED_LISTENERS", "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "KAFKA_NUM_PARTITIONS"),
        *(
            "KAFKA_DEFAULT_REPLICATION_FACTOR",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR",
            "KAFKA_PROCESS_ROLES",
        ),
        *(
            "KAFKA_SASL_ENABLED_MECHANISMS",
            "KAFKA_SASL_MECHANISM_INTER_BROKER_PROTOCOL",
            "KAFKA_ZOOKEEPER_CONNECT",
        ),
        # Kubernetes' links to services named kafka, kafka-connect, smtp and worker
        *(
            "KAFKA_PORT",
            "KAFKA_SERVICE_HOST",
            "KAFKA_SERVICE_PORT",
            "KAFKA_PORT_9092_TCP",
            "KAFKA_PORT_9092_TCP_ADDR",
        ),
        *("KAFKA_CONNECT_PORT", "KAFKA_CONNECT_SERVICE_HOST", "KAFKA_CONNECT_SERVICE_PORT"),
        *("SMTP_SERVICE_HOST", "SMTP_SERVICE_PORT", "SMTP_PORT_25_TCP", "SMTP_PORT_25_TCP_PROTO"),
        *("WORKER_PORT", "WORKER_SERVICE_HOST", "WORKER_PORT_80_TCP_PORT"),
        # Other programs
        *(
            "DATABASE_HOST",
            "DATABASE_USER",
            "DATABASE_URL_RO",
            "TEST_DATABASE_URL",
            "DB_URL",
            "HTTP_HOST",
            "HTTP_PORT",
        ),
        *("WORKER_ID", "WORKER_CLASS", "WORKER_TIMEOUT", "SMTP_FROM", "KAFKA", "SMTP", "PATH", ""),
    ],
)
def test_other_programs_variables_are_left_alone(name: str) -> None:
    assert load({name: "x"}) == load({})


def test_in_our_file_every_name_under_our_prefixes_is_ours(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(
        "KAFKA_BROKERS=a:1\nSMTP_SERVER=mail\nWORKER_TIMEOUT=3\nPOSTGRES_PASSWORD=x\nDB_URL=x\n"
    )
    found = problems({}, env_file)
    assert [line.split()[0] for line in found] == ["KAFKA_BROKERS", "SMTP_SERVER", "WORKER_TIMEOUT"]
    assert all("did you mean" in line and line.endswith("? (in .env)") for line in found)


# Values


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "broker", "needs a port after each host: broker:9092, not 'broker'"),
        ("KAFKA_BOOTSTRAP_SERVERS", "[::1]", "needs a port after each host: [::1]:9092, not '[::1]'"),
        (
            "KAFKA_BOOTSTRAP_SERVERS",
            "::1:9092",
            "needs an IPv6 address in brackets and a port, such as [::1]:9092",
        ),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:1,b:65536", "needs a port from 1 to 65535, not 'b:65536'"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:0", "needs a port from 1 to 65535, not 'a:0'"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:", "needs a port from 1 to 65535, not 'a:'"),
        ("KAFKA_BOOTSTRAP_SERVERS", "[::g]:9092", "needs host:port or [IPv6 address]:port, not '[::g]:9092'"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a b:9092", "needs host:port or [IPv6 address]:port, not 'a b:9092'"),
        (
            "KAFKA_BOOTSTRAP_SERVERS",
            "kafka://a:9092",
            "takes host:port without a scheme, not 'kafka://a:9092'",
        ),
        ("KAFKA_BOOTSTRAP_SERVERS", ",", "should name at least one server, such as 127.0.0.1:9092"),
        (
            "KAFKA_SECURITY_PROTOCOL",
            "TLS",
            "should be 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL', not 'TLS'",
        ),
        (
            "KAFKA_NAMESPACE",
            "to do",
            "may contain letters a-z and A-Z, digits, '.', '_' and '-', not 'to do'",
        ),
        ("KAFKA_NAMESPACE", "todö", "may contain letters a-z and A-Z, digits, '.', '_' and '-', not 'todö'"),
        ("KAFKA_NAMESPACE", "n" * 101, "may have 100 characters, not 101: topic names begin with it"),
        ("KAFKA_PARTITIONS", "0", "should be greater than or equal to 1, not '0'"),
        ("KAFKA_PARTITIONS", "eight", "should be a whole number, not 'eight'"),
        ("KAFKA_PARTITIONS", "1.5", "should be a whole number, not '1.5'"),
        ("KAFKA_REPLICATION_FACTOR", "0", "should be greater than or equal to 1, not '0'"),
        ("KAFKA_CONNECT_TIMEOUT_S", "0", "should be greater than 0, not '0'"),
        ("KAFKA_CONNECT_TIMEOUT_S", "soon", "should be a number, not 'soon'"),
        ("KAFKA_CONNECT_TIMEOUT_S", "inf", "should be a number, not 'inf'"),
        (
            "SMTP_HOST",
            "mail.example.com:587",
            "takes no port; set SMTP_HOST=mail.example.com and SMTP_PORT=587",
        ),
        ("SMTP_HOST", "smtp://mail", "should be a host name or an address, not 'smtp://mail'"),
        ("SMTP_PORT", "0", "should be greater than or equal to 1, not '0'"),
        ("SMTP_PORT", "65536", "should be less than or equal to 65535, not '65536'"),
        ("SMTP_PORT", "tcp://10.0.0.7:25", "should be a port, not 'tcp://10.0.0.7:25': Kubernetes sets that"),
        ("SMTP_TLS", "ssl", "should be 'none', 'starttls' or 'tls', not 'ssl'"),
        ("SMTP_UNSUBSCRIBE_MAILTO", "a@b?cc=c@d", "should be one address, such as unsubscribe@example.com"),
        ("SMTP_UNSUBSCRIBE_URL", "http://todo.example.com/{id}", "should be a URL such as https://todo."),
        ("SMTP_UNSUBSCRIBE_URL", "https://todo.example.com/{id}>, <x", "should be a URL such as https://"),
        ("SMTP_UNSUBSCRIBE_URL", "https://todo.example.com/", "needs {id}, by which the page knows"),
        ("SMTP_SENDER", "Todo", "should be one address, such as Todo <todo@example.com>, not 'Todo'"),
        ("SMTP_SENDER", "a@b, c@d", "should be one address, such as Todo <todo@example.com>, not 'a@b, c@d'"),
        (
            "SMTP_SENDER",
            "a@b\nBcc: c@d",
            "should be one address, such as Todo <todo@example.com>, not 'a@b\\nBcc",
        ),
        ("WORKER_PROCESSES", "0", "should be greater than or equal to 1, not '0'"),
        ("WORKER_THREADS", "-1", "should be greater than or equal to 1, not '-1'"),
        ("WORKER_COMMIT_INTERVAL_MS", "0", "should be greater than or equal to 1, not '0'"),
        (
            "SMTP_SENDER",
            "Todo <todo@exa_mple.com>",
            "should be one address, such as Todo <todo@example.com>, no",
        ),
        (
            "SMTP_SENDER",
            "todo@.example.com",
            "should be one address, such as Todo <todo@example.com>, not 'todo@",
        ),
        (
            "SMTP_SENDER",
            "jörg@example.com",
            "needs a part before the @ that is ASCII, as few mail servers take",
        ),
        (
            "SMTP_UNSUBSCRIBE_MAILTO",
            "stop@-example.com",
            "should be one address, such as unsubscribe@example",
        ),
        ("SMTP_UNSUBSCRIBE_MAILTO", "stöp@example.com", "needs a part before the @ that is ASCII"),
        ("SMTP_UNSUBSCRIBE_URL", "https:///{id}", "should be a URL such as https://todo.example.com/"),
        (
            "SMTP_UNSUBSCRIBE_URL",
            "https://{id}.example.com/",
            "should be a URL such as https://todo.example.",
        ),
        ("SMTP_UNSUBSCRIBE_URL", "https://example.com:https/{id}", "should be a URL such as https://todo."),
        ("SMTP_UNSUBSCRIBE_URL", "https://example.com:99999/{id}", "should be a URL such as https://todo."),
        (
            "SMTP_UNSUBSCRIBE_URL",
            "https://exa mple.com/{id}",
            "should be a URL such as https://todo.example.",
        ),
        ("DATABASE_URL", "todo.db", "should be a database URL, such as sqlite:///todo.db or postgresql://"),
        ("DATABASE_URL", "mysql://db/todo", "should name SQLite or PostgreSQL, such as sqlite:///todo.db or"),
        ("DATABASE_URL", "sqlite://", "should name a file, such as sqlite:///todo.db or"),
        ("DATABASE_URL", "sqlite:///", "should name a file, such as sqlite:///todo.db: a database in memory"),
        (
            "DATABASE_URL",
            "sqlite:///:memory:",
            "should name a file, such as sqlite:///todo.db: a database in",
        ),
        (
            "DATABASE_URL",
            "sqlite://todo.db",
            "should name a file, such as sqlite:///todo.db or, from the root",
        ),
        ("DATABASE_URL", "postgresql://db:port/todo", "needs a port from 1 to 65535, such as postgresql://"),
        ("DATABASE_URL", "postgresql://db:0/todo", "needs a port from 1 to 65535, such as postgresql://"),
        ("DATABASE_URL", "postgresql://::1/todo", "needs an IPv6 address in brackets, such as postgresql://"),
    ],
)
def test_a_wrong_value_is_reported_with_what_was_expected(variable: str, value: str, said: str) -> None:
    [problem] = problems({variable: value})
    assert problem.startswith(f"{variable} {said}")


@pytest.mark.parametrize("url", ["postgres://todo:x@db/todo", "postgresql://todo:x@db/todo"])
def test_a_postgresql_url_names_the_driver_that_we_ship(url: str) -> None:
    assert load({"DATABASE_URL": url}).database_url == SecretStr("postgresql+psycopg://todo:x@db/todo")


@pytest.mark.parametrize(
    "rest",
    [
        "todo:a/b?c#d:e@f@db:5433/todo",
        "/todo",
        "db",
        "[::1]/todo",
        "[::1]:5432/todo",
        "todo:p@/todo?host=/run/postgresql",
        "a:b@db/todo?options=-c%20a:b",
    ],
)
def test_a_postgresql_url_is_read_as_sqlalchemy_reads_it(rest: str) -> None:
    taken = load({"DATABASE_URL": f"postgres://{rest}"}).database_url.get_secret_value()
    assert taken == f"postgresql+psycopg://{rest}"
    assert make_url(taken).port in {None, 5432, 5433}


@pytest.mark.parametrize(
    ("variable", "given", "taken"),
    [
        ("SMTP_SENDER", "Jörg <todo@müller.example>", "Jörg <todo@xn--mller-kva.example>"),
        ("SMTP_SENDER", "todo@localhost", "todo@localhost"),
        ("SMTP_SENDER", '"Todo, Inc." <todo@corp.local>', '"Todo, Inc." <todo@corp.local>'),
        ("SMTP_UNSUBSCRIBE_MAILTO", "stop@bücher.test", "stop@xn--bcher-kva.test"),
    ],
)
def test_an_international_domain_is_taken_as_punycode(variable: str, given: str, taken: str) -> None:
    field = variable.removeprefix("SMTP_").lower()
    assert getattr(load({variable: given}).smtp, field) == taken


def test_the_default_sender_is_one_that_may_be_set() -> None:
    assert load({"SMTP_SENDER": load({}).smtp.sender}).smtp.sender == load({}).smtp.sender


def test_bytes_that_are_no_text_are_reported_without_them() -> None:
    value = b"M\xfcller".decode(errors="surrogateescape")
    assert problems({"SMTP_USERNAME": "m", "SMTP_PASSWORD": value}) == [
        "SMTP_PASSWORD has bytes that are not UTF-8 text"
    ]


def test_a_ca_file_must_exist(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    assert problems({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_FILE": str(missing)}) == [
        f"KAFKA_SSL_CA_FILE should be the path of a file; there is none at '{missing}'"
    ]


# What goes with what


def test_sasl_needs_a_mechanism_a_user_and_a_password() -> None:
    assert problems({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}) == [
        f"{name} is missing: KAFKA_SECURITY_PROTOCOL=SASL_SSL needs it"
        for name in ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD")
    ]


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_sasl_credentials_need_a_sasl_protocol(protocol: str) -> None:
    found = problems(SASL | {"KAFKA_SECURITY_PROTOCOL": protocol})
    advice = "set that to SASL_SSL or SASL_PLAINTEXT, or leave it out"
    assert found == [
        f"{name} has no effect with KAFKA_SECURITY_PROTOCOL={protocol}; {advice}"
        for name in ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD")
    ]


def test_a_ca_file_needs_tls(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.touch()
    advice = "set that to SSL or SASL_SSL, or leave it out"
    assert problems({"KAFKA_SSL_CA_FILE": str(ca_file), "SMTP_CA_FILE": str(ca_file)}) == [
        f"KAFKA_SSL_CA_FILE has no effect with KAFKA_SECURITY_PROTOCOL=PLAINTEXT; {advice}",
        "SMTP_CA_FILE has no effect with SMTP_TLS=none; set that to starttls or tls, or leave it out",
    ]


def test_smtp_user_and_password_go_together() -> None:
    assert problems({"SMTP_USERNAME": "mailer"}) == ["SMTP_PASSWORD is missing: SMTP_USERNAME is set"]
    assert problems({"SMTP_PASSWORD": PASSWORD}) == [
        "SMTP_PASSWORD has no effect without SMTP_USERNAME; set that, or leave it out"
    ]


def test_everything_that_is_wrong_is_reported_at_once() -> None:
    found = problems(
        {
            "KAFKA_BOOTSTRAP_SERVERS": "one,two",
            "KAFKA_SASL_MECHANISM": "PLAIN",
            "KAFKA_PARTITIONS": "0",
            "SMTP_USER": "mailer",
            "WORKER_THREADS": "many",
            "DATABASE_URL": "todo.db",
        }
    )
    assert [line.split()[0] for line in found] == [
        "SMTP_USER",
        "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_SASL_MECHANISM",
        "KAFKA_PARTITIONS",
        "WORKER_THREADS",
        "DATABASE_URL",
    ]


# Secrets


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
        {"DATABASE_URL": PASSWORD},
        {"DATABASE_URL": f"postgresql//todo:{PASSWORD}@db/todo"},
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
    ],
)
def test_an_error_never_shows_a_secret(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        load(wrong)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in repr(caught.value)


# The table of settings


def test_describe_lists_every_setting_with_a_default_that_can_be_set() -> None:
    rows = describe()
    sections = {"kafka": 11, "smtp": 13, "worker": 6, "reminder": 3, "database": 1}
    assert [row.variable.split("_")[0].lower() for row in rows] == [
        section for section, count in sections.items() for _ in range(count)
    ]
    assert all(row.meaning.endswith(".") and "|" not in row.meaning for row in rows)
    assert load({row.variable: row.default for row in rows if row.default}) == load({})


def test_the_documentation_has_the_table_of_settings() -> None:
    lines = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8").splitlines()
    table = [
        line
        for line in lines
        if line.startswith(("| `KAFKA_", "| `SMTP_", "| `WORKER_", "| `REMINDER_", "| `DATABASE_"))
    ]
    assert table == [
        f"| `{variable}` | {f'`{default}`' if default else 'not set'} | {meaning} |"
        for variable, default, meaning in describe()
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90s", timedelta(seconds=90)), ("1.5 h", timedelta(minutes=90)), ("366d", timedelta(days=366))],
)
def test_lengths_of_time(text: str, expected: timedelta) -> None:
    assert load({"WORKER_MAX_DELAY": text}).worker.max_delay == expected


@pytest.mark.parametrize("text", ["12", "1w", "-1d", "1d2h", "P1D", "1e3s"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    assert any(
        "WORKER_MAX_DELAY should be a number and s, m, h or d" in problem
        for problem in problems({"WORKER_MAX_DELAY": text})
    )
