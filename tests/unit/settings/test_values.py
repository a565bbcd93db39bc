"""Values of settings: what is refused, in which words, and what goes with what."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, make_url

from tests.helpers.settings import PASSWORD, SASL, load, problems


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
        ("WEB_HOST", "example.com:80", "takes no port; set WEB_HOST=example.com and WEB_PORT=80"),
        (
            "WEB_PORT",
            "tcp://10.0.0.1:80",
            "should be a port, not 'tcp://10.0.0.1:80': Kubernetes sets that for a service named web",
        ),
        ("WEB_JWT_SECRET", "short", "should have 32 bytes or more, not 5"),
        (
            "WEB_JWT_JWKS",
            "/no/such/file",
            "should be a file or an https URL; there is no file '/no/such/file'",
        ),
        ("WEB_JWT_JWKS", "http://login.example.com/keys", "should be a file or an https URL"),
        ("WEB_PAGE", "/no/such", "should be a folder with a page; there is no '/no/such/index.html'"),
        ("WEB_ORIGINS", "todo.example.com", "should be an origin such as https://todo.example.com"),
        ("WEB_ORIGINS", "https://a.example.com/", "should be an origin such as https://todo.example.com"),
        ("WEB_ORIGINS", "https://ana@a.example.com", "should be an origin such as https://todo.example.com"),
        ("WEB_ORIGINS", "https://a.example.com:443", "should be https://a.example.com: browsers leave out"),
        ("WEB_ORIGINS", "http://[::1]:80", "should be http://[::1]: browsers leave out the port 80"),
        ("KAFKA_JOBS_RETENTION", "0s", "should be greater than or equal to 1 hour"),
        ("WORKER_MAX_DELAY", "0s", "should be greater than 0 seconds"),
        (
            "SMTP_HOST",
            "mail.example.com:587",
            "takes no port; set SMTP_HOST=mail.example.com and SMTP_PORT=587",
        ),
        ("SMTP_HOST", "mail..example.com", "should be a host name or an address, not 'mail..example.com'"),
        ("SMTP_HOST", "m" * 64 + ".example.com", "should be a host name or an address, not 'mmm"),
        ("SMTP_HOST", "m." * 127 + "com", "should be a host name or an address, not 'm.m"),
        ("KAFKA_BOOTSTRAP_SERVERS", "k" * 64 + ":9092", "needs host:port or [IPv6 address]:port, not 'kkk"),
        ("SMTP_UNSUBSCRIBE_URL", "https://a..b/{id}", "should be a URL such as https://todo.example.com/"),
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
        (
            "DATABASE_URL",
            "postgresql://[::1/todo",
            "needs an IPv6 address in brackets, such as postgresql://",
        ),
        ("DATABASE_URL", "postgresql://exa mple/todo", "needs a host name or an address, such as postgresql"),
        ("DATABASE_URL", "postgresql://a..b/todo", "needs a host name or an address, such as postgresql://"),
        ("DATABASE_URL", "postgresql://[::g]/todo", "needs a host name or an address, such as postgresql://"),
        (
            "DATABASE_URL",
            f"postgresql://{'d' * 70}.example.com/todo",
            "needs a host name or an address, such as",
        ),
        ("DATABASE_URL", "postgresql://one,a..b/todo", "needs a host name or an address, such as postgresql"),
        ("DATABASE_URL", "postgresql:///todo?host=a..b", "needs a host name or an address, such as postgres"),
        ("DATABASE_URL", "postgresql://u:p@q@db/todo", "needs a host name or an address, such as postgresql"),
        (
            "DATABASE_URL",
            "postgresql://%2Frun/todo",
            "needs a host name or an address, such as postgresql://",
        ),
        ("DATABASE_URL", "postgresql:///todo?host=db:0", "needs a port from 1 to 65535, such as postgresql:"),
        (
            "DATABASE_URL",
            "postgresql:///todo?host=one&host=two:99999",
            "needs a port from 1 to 65535, such as",
        ),
        (
            "DATABASE_URL",
            "postgresql:///todo?port=5432,x",
            "needs a port from 1 to 65535, such as postgresql",
        ),
        (
            "DATABASE_URL",
            "postgresql://one:1,two:2/todo",
            "takes ports of several hosts in its query, such as",
        ),
        (
            "DATABASE_URL",
            "postgresql:///todo?host=one:1,two:2",
            "takes ports of several hosts in its query, such as",
        ),
        ("DATABASE_URL", "postgresql:///todo?host=/run,two:2", "takes ports of several hosts in its query"),
        # Our driver takes the name of an abstract socket for that of a host.
        ("DATABASE_URL", "postgresql:///todo?host=@todo", "needs a host name or an address, such as postg"),
        (
            "OUTBOX_DATABASE_URL",
            "postgresql://a..b/todo",
            "needs a host name or an address, such as postgres",
        ),
        ("WEB_JWT_JWKS", "https://a..b/keys", "should be a file or an https URL, not 'https://a..b/keys'"),
        ("WEB_JWT_JWKS", "https:///keys", "should be a file or an https URL, not 'https:///keys'"),
        ("WEB_JWT_JWKS", "https://u:pw@a..b/keys", "should be a file or an https URL"),
        (
            "WEB_JWT_JWKS",
            "https://login.example.com/my keys",
            "should be a file or an https URL, not 'https:",
        ),
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
        "todo:a/b?c#d:e%40f@db:5433/todo",
        "/todo",
        "db",
        "[::1]/todo",
        "[::1]:5432/todo",
        "todo:p@/todo?host=/run/postgresql",
        "a:b@db/todo?options=-c%20a:b",
        "a:b@db.example.com./todo",
        "a:b@10.0.0.7,db_2:5432/todo",
        "todo@/todo?host=one:5432&host=two.example.com:5433",
        "todo@/todo?host=one,two,::1&port=5432,5433,5432",
        "todo@/todo?host=%3A%3A1",
        "todo@/todo?host=/run/postgresql,/tmp&application_name=a@b",
    ],
)
def test_a_postgresql_url_is_read_as_sqlalchemy_reads_it(rest: str) -> None:
    taken = load({"DATABASE_URL": f"postgres://{rest}"}).database_url.get_secret_value()
    assert taken == f"postgresql+psycopg://{rest}"
    url = make_url(taken)
    assert url.port in {None, 5432, 5433}
    assert "@" not in (url.host or "")
    create_engine(url).dialect.create_connect_args(url)


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90s", timedelta(seconds=90)), ("1.5 h", timedelta(minutes=90)), ("366d", timedelta(days=366))],
)
def test_a_length_of_time_is_a_number_and_a_unit(text: str, expected: timedelta) -> None:
    assert load({"WORKER_MAX_DELAY": text}).worker.max_delay == expected


@pytest.mark.parametrize("text", ["12", "1w", "-1d", "1d2h", "P1D", "1e3s"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    assert any(
        "WORKER_MAX_DELAY should be a number and s, m, h or d" in problem
        for problem in problems({"WORKER_MAX_DELAY": text})
    )


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


OAUTH = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
    "KAFKA_OAUTH_TOKEN_URL": "https://login.example.com/token",
    "KAFKA_OAUTH_CLIENT_ID": "pool",
    "KAFKA_OAUTH_CLIENT_SECRET": "secret",
}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"KAFKA_SASL_USERNAME": "bot"}, "has no effect with KAFKA_SASL_MECHANISM=OAUTHBEARER; leave it out"),
        ({"KAFKA_OAUTH_CLIENT_ID": ""}, "is missing: KAFKA_OAUTH_TOKEN_URL needs it"),
        ({"KAFKA_OAUTH_CLIENT_SECRET": ""}, "is missing: KAFKA_OAUTH_TOKEN_URL needs it"),
        ({"KAFKA_OAUTH_TOKEN_PROVIDER": "a.b:c"}, "has no effect beside KAFKA_OAUTH_TOKEN_URL"),
        ({"KAFKA_OAUTH_TOKEN_URL": "http://login.example.com"}, "should be an https URL like https://"),
    ],
)
def test_the_settings_of_oauth_go_together(given: dict[str, str], problem: str) -> None:
    (name,) = given
    assert any(found.startswith(f"{name} {problem}") for found in problems(OAUTH | given))


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https:///token",
        "https://a..b/token",
        "https://exa mple.com/token",
        "https://exa\tmple.com/token",
        "https://login.example.com/to ken",
        "https://[::g]/token",
        "https://login.example.com:99999/token",
        "https://login.example.com:0/token",
        "https://login.example.com:x/token",
    ],
)
def test_a_url_for_tokens_that_nobody_can_call_is_refused(url: str) -> None:
    [problem, *_] = problems(OAUTH | {"KAFKA_OAUTH_TOKEN_URL": url})
    assert problem.startswith("KAFKA_OAUTH_TOKEN_URL should be an https URL like https://login.example.com/")
    assert problem.endswith(f", not {url!r}")


@pytest.mark.parametrize("host", ["login.example.com:8443", "[2001:db8::7]", "10.0.0.7:443"])
def test_a_url_for_tokens_may_have_a_port_or_an_address(host: str) -> None:
    url = f"https://{host}/token?audience=kafka"
    assert load(OAUTH | {"KAFKA_OAUTH_TOKEN_URL": url}).kafka.oauth_token_url == url


def test_oauth_needs_a_url_or_a_function_that_can_be_named() -> None:
    bare = {name: value for name, value in OAUTH.items() if "OAUTH_" not in name}
    (missing,) = problems(bare)
    assert missing.startswith(
        "KAFKA_OAUTH_TOKEN_PROVIDER is missing: KAFKA_SASL_MECHANISM=OAUTHBEARER needs it"
    )
    (wrong,) = problems(bare | {"KAFKA_OAUTH_TOKEN_PROVIDER": "shop.tokens"})
    assert wrong.startswith("KAFKA_OAUTH_TOKEN_PROVIDER should be like package.module:name")
    without = problems(SASL | {"KAFKA_OAUTH_SCOPE": "jobs"})
    assert without == [
        "KAFKA_OAUTH_SCOPE has no effect without KAFKA_SASL_MECHANISM=OAUTHBEARER; leave it out"
    ]


def test_aws_iam_needs_tls() -> None:
    found, *_ = problems({"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM": "AWS_MSK_IAM"})
    assert found == "KAFKA_SASL_MECHANISM goes with KAFKA_SECURITY_PROTOCOL=SASL_SSL, not SASL_PLAINTEXT"


def test_a_key_needs_its_certificate_and_both_need_tls(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.touch()
    key = {"KAFKA_SSL_KEY_FILE": str(file), "KAFKA_SSL_KEY_PASSWORD": "secret"}
    assert problems(key | {"KAFKA_SECURITY_PROTOCOL": "SSL"}) == [
        f"{name} has no effect without KAFKA_SSL_CERT_FILE; set that, or leave it out" for name in key
    ]
    assert len(problems(key | {"KAFKA_SSL_CERT_FILE": str(file)})) == 3


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
