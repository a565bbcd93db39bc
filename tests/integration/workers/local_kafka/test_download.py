"""The first download of the local Kafka, from a mirror that serves what this machine has."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from workers.local_kafka.jars import (
    CACHE_VARIABLE,
    REPOSITORY_VARIABLE,
    class_path,
    default_cache_dir,
    pinned_jars,
)


@pytest.fixture
def mirror(bootstrap_servers: str) -> Iterator[tuple[str, Counter[str], set[str]]]:
    """Its address, how often it served each file, and the names of those that it shall spoil."""
    served: Counter[str] = Counter()
    corrupt: set[str] = set()
    jars = {path.name: path for path in class_path(default_cache_dir())}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rsplit("/", 1)[1]
            served[name] += 1
            self.send_response(200 if name in jars else 404)
            body = jars[name].read_bytes() if name in jars else b""
            if name in corrupt:
                body = body[::-1]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", served, corrupt
    server.shutdown()
    thread.join()
    server.server_close()


#: How long one may take on a busy machine.
TIMEOUT_S = 120
RESOLVE = "from workers.local_kafka.jars import *; print(len(class_path(default_cache_dir())))"


Resolve = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def resolve() -> Iterator[Resolve]:
    """Starts processes that need the jars; one that does not end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(cache: Path, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", RESOLVE],
            env=os.environ | {CACHE_VARIABLE: str(cache)} | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.long
def test_two_processes_that_need_the_jars_download_them_once(
    tmp_path: Path, mirror: tuple[str, Counter[str], set[str]], resolve: Resolve
) -> None:
    address, served, _ = mirror
    both = [resolve(tmp_path, **{REPOSITORY_VARIABLE: address, "NO_PROXY": "127.0.0.1"}) for _ in range(2)]
    outputs = [process.communicate(timeout=TIMEOUT_S) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    jar_count = len(pinned_jars())
    assert [out.strip() for out, _ in outputs] == [str(jar_count)] * 2
    assert "Downloading Apache Kafka" in "".join(err for _, err in outputs)
    assert all(count == 1 for name, count in served.items() if name.endswith(".jar"))
    assert sum(name.endswith(".jar") for name in served) == jar_count


def test_without_a_network_the_first_start_says_what_to_do(tmp_path: Path, resolve: Resolve) -> None:
    proxies = ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy")
    nowhere = dict.fromkeys(proxies, "http://127.0.0.1:1")
    process = resolve(tmp_path, **nowhere, NO_PROXY="", no_proxy="")
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode != 0
    last = err.strip().splitlines()[-1]
    assert "LocalKafkaError: Apache Kafka could not be downloaded" in last
    assert "check it or HTTPS_PROXY" in last


def test_a_jar_that_is_not_what_was_published_is_refused(
    tmp_path: Path, mirror: tuple[str, Counter[str], set[str]], resolve: Resolve
) -> None:
    address, _, corrupt = mirror
    corrupt.add(pinned_jars()[1].file_name)
    environment = {REPOSITORY_VARIABLE: address, "NO_PROXY": "127.0.0.1"}
    refused = resolve(tmp_path, **environment)
    _, err = refused.communicate(timeout=TIMEOUT_S)
    assert f"LocalKafkaError: {pinned_jars()[1].file_name} was not downloaded as published" in err

    corrupt.clear()
    continued = resolve(tmp_path, **environment)
    out, err = continued.communicate(timeout=TIMEOUT_S)
    assert out.strip() == str(len(pinned_jars())), err
